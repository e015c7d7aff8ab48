//! Backups: what they hold, every state that a crash leaves of them, and everything that is refused.
//!
//! The journal lies on one disk and the backup on another, so that a fault of the one says nothing of the other.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exhaustive::each_state;
use crate::story::{Files, Record, directory, options, read, segment_count};
use stemedb_testkit::disk::{Effect, Operation, SimDisk};
use stemedb_wal::backup::{self, BackupReport, BackupWriter, Manifest, Source};
use stemedb_wal::format::segment_file_name;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Durability, Error, Fault, Journal, JournalId, Options, RecoveryReport};

fn destination() -> &'static Path {
    Path::new("/backup")
}

fn kept_segment(number: u64) -> PathBuf {
    destination().join(format!("segments/{number:016x}.segment"))
}

fn manifest_path() -> PathBuf {
    destination().join("backup.manifest")
}

/// Nothing happens by itself.
fn quiet(disk: &SimDisk) -> Options {
    Options {
        idle_after: Duration::from_hours(1),
        ..options(disk)
    }
}

fn open(disk: &SimDisk) -> Journal {
    disk.create_directory(directory()).unwrap();
    quiet(disk).open(directory()).unwrap()
}

fn append(journal: &mut Journal, bytes: std::ops::Range<u8>) {
    for byte in bytes {
        journal.append([byte; 1000]).unwrap();
    }
}

/// A journal of eight records in three segments, of which the last has room for another.
fn journal() -> (SimDisk, Journal) {
    let disk = SimDisk::new();
    let mut journal = open(&disk);
    append(&mut journal, 0..8);
    assert_eq!(journal.state().segments.len(), 3);
    (disk, journal)
}

fn source(journal: &Journal) -> Source {
    let state = journal.state();
    Source {
        journal: state.journal,
        segments: state.extents(),
        place: directory().to_owned(),
        note: "a note".to_owned(),
    }
}

fn begin(journal: &Journal, disk: &SimDisk) -> Result<BackupWriter, Error> {
    BackupWriter::begin(&quiet(disk), destination(), source(journal), &mut |_, _| {})
}

fn back_up(journal: &Journal, disk: &SimDisk) -> Result<BackupReport, Error> {
    let mut writer = begin(journal, disk)?;
    backup::copy(&journal.watch(), &mut writer, &mut |_, _| {})?;
    writer.finish()
}

/// The records that a restore gives; the disk of the backup is as before afterwards.
fn restored(disk: &SimDisk) -> Result<Vec<Record>, Error> {
    let disk = disk.copy();
    let before = disk.files_below(destination());
    let result = backup::restore(&quiet(&disk), destination(), directory(), &mut |_, _| {});
    assert!(
        disk.files_below(destination()) == before,
        "it was written to"
    );
    let Err(error) = result else {
        let opened = quiet(&disk).open(directory()).unwrap();
        assert_eq!(*opened.report(), RecoveryReport::default());
        return Ok(records(&disk));
    };
    // No part of it passes for a journal.
    let opened = Options {
        create: false,
        ..quiet(&disk)
    };
    assert!(opened.open(directory()).is_err());
    Err(error)
}

/// The records of the journal of a disk.
fn records(disk: &SimDisk) -> Vec<Record> {
    let files: Files = disk.files_below(directory()).into_iter().collect();
    let groups = read(&files, segment_count(&files)).unwrap();
    groups.into_iter().flat_map(|group| group.records).collect()
}

fn counts(report: &BackupReport) -> (u64, u64, usize) {
    (report.kept, report.copied, report.mended.len())
}

#[test]
fn a_backup_is_brought_up_to_date_by_what_is_new() {
    let (disk, mut journal) = journal();
    let copy = SimDisk::new();
    let first = back_up(&journal, &copy).unwrap();
    assert_eq!(counts(&first), (0, 3, 0));
    assert_eq!(first.manifest.last_sequence, 8);
    assert_eq!(restored(&copy).unwrap(), records(&disk));
    // Nothing is new.
    let again = back_up(&journal, &copy).unwrap();
    assert_eq!(counts(&again), (3, 0, 0));
    assert_eq!(again.manifest, first.manifest);
    append(&mut journal, 8..20);
    let segments = journal.state().segments.len() as u64;
    let second = back_up(&journal, &copy).unwrap();
    assert_eq!(counts(&second), (2, segments - 2, 0));
    let head = journal.state().head.unwrap();
    assert_eq!(second.manifest.head_hash, Some(head.hash));
    assert_eq!(second.manifest.note, "a note");
    assert_eq!(restored(&copy).unwrap(), records(&disk));
    assert_eq!(restored(&copy).unwrap().len(), 20);
}

#[test]
fn a_journal_without_records_and_one_that_was_opened_again_are_backed_up() {
    let (disk, copy) = (SimDisk::new(), SimDisk::new());
    let journal = open(&disk);
    let report = back_up(&journal, &copy).unwrap();
    assert_eq!(report.manifest.head_hash, None);
    assert_eq!(restored(&copy).unwrap().len(), 0);
    journal.close().unwrap();
    for round in 1..6 {
        // Closing covers the last group: the segment goes on behind an empty one.
        let mut journal = open(&disk);
        append(&mut journal, 0..2);
        let report = back_up(&journal, &copy).unwrap();
        assert_eq!(report.manifest.last_sequence, 2 * round);
        assert_eq!(restored(&copy).unwrap(), records(&disk));
        journal.close().unwrap();
        let journal = open(&disk);
        let closed = back_up(&journal, &copy).unwrap();
        assert_eq!(closed.manifest.head_hash, report.manifest.head_hash);
        assert!(closed.mended.is_empty());
        journal.close().unwrap();
    }
}

/// Disks with a backup of eight records, and without one; the journal goes on to twenty.
fn beginnings() -> (Journal, [(SimDisk, Option<usize>); 2]) {
    let (_, mut journal) = journal();
    let old = SimDisk::new();
    back_up(&journal, &old).unwrap();
    append(&mut journal, 8..20);
    (journal, [(SimDisk::new(), None), (old, Some(8))])
}

/// What a restore gives is the earlier backup or the new one; gives which.
fn old_or_new(disk: &SimDisk, old: Option<usize>, what: &dyn Fn() -> String) -> usize {
    match (restored(disk), old) {
        (Ok(records), _) => {
            let count = records.len();
            assert!(count == 20 || Some(count) == old, "{}: {count}", what());
            for (sequence, record) in (1..).zip(&records) {
                let byte = u8::try_from(sequence - 1).unwrap();
                assert!(*record == (sequence, vec![byte; 1000]), "{}", what());
            }
            count
        }
        (Err(Error::NoBackup { .. }), None) => 0,
        (Err(error), _) => panic!("{}: {error:?}", what()),
    }
}

#[test]
fn a_crash_at_any_moment_leaves_the_old_backup_or_the_new_one_and_the_next_run_completes_it() {
    let (journal, beginnings) = beginnings();
    for (begun, old) in beginnings {
        let mut found = [0; 2];
        for operation in 0.. {
            let disk = begun.copy();
            disk.plan(None, operation, Effect::PowerLoss);
            let result = back_up(&journal, &disk);
            let is_over = disk.is_planned();
            assert_eq!(result.is_ok(), is_over, "operation {operation}: {result:?}");
            each_state(&disk, operation, &mut |disk, state| {
                let what = || format!("from {old:?}, operation {operation}, state {state:?}");
                let count = old_or_new(disk, old, &what);
                assert!(count == 20 || !is_over, "{}: it was made", what());
                found[usize::from(count == 20)] += 1;
                let report = back_up(&journal, disk).unwrap();
                assert!(report.mended.is_empty(), "{}: {report:?}", what());
                assert_eq!(old_or_new(disk, old, &what), 20, "{}", what());
            });
            if is_over {
                assert!(operation > 12, "there was work");
                break;
            }
        }
        assert!(found[0] > 20 && found[1] > 0, "{found:?}");
    }
}

#[test]
fn an_error_of_any_operation_leaves_the_old_backup_or_the_new_one() {
    let (journal, beginnings) = beginnings();
    for (begun, old) in beginnings {
        for operation in 0.. {
            let disk = begun.copy();
            disk.plan(None, operation, Effect::Fail(io::ErrorKind::StorageFull));
            let result = back_up(&journal, &disk);
            let is_over = disk.is_planned();
            disk.forget_plans();
            let what = || format!("from {old:?}, operation {operation}: {result:?}");
            let count = old_or_new(&disk, old, &what);
            assert!(result.is_err() || count == 20, "{}", what());
            back_up(&journal, &disk).unwrap();
            assert_eq!(old_or_new(&disk, old, &what), 20);
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn what_an_interrupted_first_backup_has_copied_is_kept() {
    let (_, journal) = journal();
    let disk = SimDisk::new();
    let mut writer = begin(&journal, &disk).unwrap();
    let watch = journal.watch();
    for _ in 0..2 {
        let wanted = *writer.wanted().unwrap();
        let mut bytes = vec![0; usize::try_from(wanted.bytes).unwrap()];
        watch.read_segment(wanted.number, 0, &mut bytes).unwrap();
        writer.write(&bytes).unwrap();
    }
    drop(writer);
    assert!(matches!(restored(&disk), Err(Error::NoBackup { .. })));
    assert_eq!(counts(&back_up(&journal, &disk).unwrap()), (2, 1, 0));
}

#[test]
fn a_backup_of_something_else_is_refused_and_left_alone() {
    let (source, mut original) = journal();
    let (old, other_old) = (source.files(), source.files());
    let copy = SimDisk::new();
    original.append([20; 400]).unwrap();
    back_up(&original, &copy).unwrap();
    let before = copy.files();
    let refused = |journal: &Journal| {
        let error = back_up(journal, &copy).unwrap_err();
        assert!(copy.files() == before, "{error}: it was written to");
        error
    };
    // An older state of the same journal.
    let mut older = open(&SimDisk::with_files(&old));
    assert!(matches!(
        refused(&older),
        Error::BackupAhead {
            backup: 9,
            journal: 8,
            ..
        }
    ));
    // It went on from there: to the same length, to another one in the same segment, and beyond.
    let mut alike = open(&SimDisk::with_files(&other_old));
    alike.append([30; 400]).unwrap();
    assert!(matches!(refused(&alike), Error::OtherHistory { .. }));
    append(&mut older, 30..31);
    assert!(matches!(refused(&older), Error::OtherHistory { .. }));
    append(&mut older, 31..50);
    assert!(matches!(refused(&older), Error::OtherHistory { .. }));
    // Another journal.
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    let other = Options {
        journal_id: Some(JournalId(*b"another journal.")),
        ..quiet(&disk)
    };
    let other = other.open(directory()).unwrap();
    assert!(matches!(refused(&other), Error::ForeignBackup { .. }));
    // Damage does not make a backup of another history one that may be replaced.
    copy.flip(&kept_segment(1), 300, 1);
    let before = copy.files();
    assert!(matches!(
        back_up(&older, &copy),
        Err(Error::OtherHistory { .. })
    ));
    assert!(copy.files() == before);
}

#[test]
fn a_directory_that_holds_other_files_or_is_in_use_is_refused() {
    let (_, journal) = journal();
    let disk = SimDisk::new();
    disk.put(&destination().join("file"), b"mine".to_vec());
    let before = disk.files();
    let refused = back_up(&journal, &disk);
    assert!(matches!(refused, Err(Error::NotEmpty { path }) if path == destination()));
    assert!(disk.files() == before);
    disk.take_away(&destination().join("file"));
    let held = begin(&journal, &disk).unwrap();
    assert!(matches!(
        back_up(&journal, &disk),
        Err(Error::Locked { .. })
    ));
    assert!(matches!(restored(&disk), Err(Error::Locked { .. })));
    drop(held);
    back_up(&journal, &disk).unwrap();
    // Beside a backup that is whole, other files do no harm.
    disk.put(&destination().join("lost+found"), Vec::new());
    back_up(&journal, &disk).unwrap();
}

#[test]
fn damage_in_the_journal_is_named_and_not_copied() {
    for (number, offset) in [(1, 5), (1, 300), (2, 700), (3, 400)] {
        let (disk, journal) = journal();
        let copy = SimDisk::new();
        disk.flip(&directory().join(segment_file_name(number)), offset, 1);
        let Err(Error::Corruption(found)) = back_up(&journal, &copy) else {
            panic!("damage was copied");
        };
        let path = directory().join(segment_file_name(number));
        assert_eq!(found.path, path);
        assert!(matches!(restored(&copy), Err(Error::NoBackup { .. })));
    }
    // What is misread once is read again.
    let (disk, journal) = journal();
    disk.plan(Some(Operation::Read), 1, Effect::WrongBit);
    let copy = SimDisk::new();
    back_up(&journal, &copy).unwrap();
    assert!(!disk.is_planned());
    assert_eq!(restored(&copy).unwrap().len(), 8);
}

#[test]
fn a_flipped_bit_anywhere_in_a_backup_is_named_and_mended_by_the_next_run() {
    let (_, mut journal) = journal();
    let whole = SimDisk::new();
    back_up(&journal, &whole).unwrap();
    // In the second round the last segment has grown since.
    for _ in 0..2 {
        for number in 1..=3 {
            let path = kept_segment(number);
            let length = whole.files()[&path].len();
            for offset in (0..length).step_by(17) {
                let disk = whole.copy();
                disk.flip(&path, offset, 0x10);
                let Err(Error::Corruption(found)) = restored(&disk) else {
                    panic!("segment {number}, offset {offset}: damage was restored");
                };
                assert_eq!(found.path, path, "offset {offset}");
                let report = back_up(&journal, &disk).unwrap();
                assert_eq!(report.mended.len(), 1, "segment {number}, offset {offset}");
                assert_eq!(report.mended[0].path, path);
                let sequence = report.manifest.last_sequence;
                assert_eq!(restored(&disk).unwrap().len() as u64, sequence);
            }
        }
        append(&mut journal, 8..9);
    }
}

#[test]
fn a_segment_of_a_backup_that_is_missing_cut_or_in_the_wrong_place_is_mended() {
    let (_, journal) = journal();
    let whole = SimDisk::new();
    back_up(&journal, &whole).unwrap();
    let bytes = |number| whole.files()[&kept_segment(number)].clone();
    for number in 1..=3 {
        let missing = whole.copy();
        missing.take_away(&kept_segment(number));
        assert!(matches!(restored(&missing), Err(Error::Gap { from, .. }) if from == number));
        let mut cut = bytes(number);
        cut.truncate(cut.len() - 16);
        let other = bytes(number % 3 + 1);
        let disks = [cut, other, Vec::new()].map(|bytes| {
            let disk = whole.copy();
            disk.put(&kept_segment(number), bytes);
            assert!(matches!(restored(&disk), Err(Error::Corruption(_))));
            disk
        });
        for disk in disks.iter().chain([&missing]) {
            let report = back_up(&journal, disk).unwrap();
            assert_eq!(counts(&report), (2, 1, 1), "segment {number}");
            assert_eq!(report.mended[0].path, kept_segment(number));
            assert_eq!(restored(disk).unwrap().len(), 8);
        }
    }
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let (_, journal) = journal();
    let whole = SimDisk::new();
    back_up(&journal, &whole).unwrap();
    let text = whole.files()[&manifest_path()].clone();
    // The note is for whoever restores, who must know what to make of it.
    let note = text.len() - "a note\n".len();
    for offset in (0..note).chain([text.len() - 1]) {
        let disk = whole.copy();
        disk.flip(&manifest_path(), offset, 1);
        let refused = restored(&disk).map(|records| records.len());
        assert!(
            matches!(
                refused,
                Err(Error::Manifest { .. }
                    | Error::Corruption(_)
                    | Error::Gap { .. }
                    | Error::UnsupportedVersion { .. })
            ),
            "offset {offset}: {refused:?}"
        );
    }
    let disk = whole.copy();
    disk.take_away(&manifest_path());
    assert!(matches!(restored(&disk), Err(Error::NoBackup { .. })));
    let newer = String::from_utf8(text).unwrap();
    disk.put(
        &manifest_path(),
        newer.replace("format 1", "format 7").into_bytes(),
    );
    let refused = back_up(&journal, &disk);
    assert!(matches!(
        refused,
        Err(Error::UnsupportedVersion { found: 7, .. })
    ));
}

#[test]
fn bytes_may_come_in_any_pieces_and_are_refused_where_they_are_not_the_segments() {
    let (_, journal) = journal();
    let disk = SimDisk::new();
    let mut writer = begin(&journal, &disk).unwrap();
    let watch = journal.watch();
    while let Some(extent) = writer.wanted().copied() {
        let mut bytes = vec![0; usize::try_from(extent.bytes).unwrap()];
        watch.read_segment(extent.number, 0, &mut bytes).unwrap();
        let mut wrong = bytes.clone();
        wrong[500] ^= 1;
        let refused = writer.write(&wrong);
        assert!(matches!(refused, Err(Error::Corruption(found)) if found.fault == Fault::Hash));
        let mut long = bytes.clone();
        long.push(0);
        let refused = writer.write(&long);
        assert!(matches!(refused, Err(Error::Corruption(found)) if found.fault == Fault::Trailing));
        // It is wanted again from its first byte.
        assert_eq!(writer.wanted(), Some(&extent));
        for piece in bytes.chunks(7) {
            writer.write(piece).unwrap();
        }
    }
    assert!(matches!(writer.write(&[0]), Err(Error::Corruption(_))));
    assert_eq!(counts(&writer.finish().unwrap()), (0, 3, 0));
    assert_eq!(restored(&disk).unwrap().len(), 8);
    let early = begin(&journal, &SimDisk::new()).unwrap();
    assert!(matches!(
        early.finish(),
        Err(Error::Gap { from: 1, to: 3, .. })
    ));
}

#[test]
fn a_source_that_lies_of_itself_is_refused() {
    let (_, journal) = journal();
    let good = source(&journal);
    let mut sparse = good.clone();
    sparse.segments.remove(1);
    let mut empty = good.clone();
    empty.segments.clear();
    let mut huge = good.clone();
    huge.segments[2].bytes = u64::MAX;
    // Whoever is asked for nothing would be asked again and again.
    let mut short = good;
    short.segments[2].bytes = 0;
    for source in [sparse, empty, huge, short] {
        let disk = SimDisk::new();
        let refused = BackupWriter::begin(&quiet(&disk), destination(), source, &mut |_, _| {});
        assert!(matches!(refused, Err(Error::Corruption(_))), "{refused:?}");
    }
}

#[test]
fn what_is_not_durable_is_not_given_out() {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    let options = Options {
        durability: Durability::Interval(Duration::from_hours(1)),
        ..quiet(&disk)
    };
    let mut journal = options.open(directory()).unwrap();
    let before = journal.state().extents();
    append(&mut journal, 0..2);
    assert_eq!(journal.state().extents(), before);
    let watch = journal.watch();
    let mut buffer = vec![0; 1 << 16];
    let read = watch.read_segment(1, 0, &mut buffer).unwrap();
    assert_eq!(read as u64, before[0].bytes);
    assert_eq!(
        watch.read_segment(1, before[0].bytes, &mut buffer).unwrap(),
        0
    );
    assert_eq!(watch.read_segment(1, u64::MAX, &mut buffer).unwrap(), 0);
    assert_eq!(watch.read_segment(1, 0, &mut []).unwrap(), 0);
    for number in [0, 2, u64::MAX] {
        let refused = watch.read_segment(number, 0, &mut buffer);
        assert!(matches!(refused, Err(Error::NoSegment { last: 1, .. })));
    }
    let copy = SimDisk::new();
    assert_eq!(back_up(&journal, &copy).unwrap().manifest.last_sequence, 0);
    // A rotation syncs what is before it, and a segment that is begun and not durable is not there yet.
    append(&mut journal, 2..6);
    let extents = journal.state().extents();
    for (number, extent) in (1..).zip(&extents) {
        assert_eq!(extent.number, number);
        let path = directory().join(segment_file_name(number));
        let durable = disk.copy();
        durable.crash_into(&[]);
        assert!(durable.files()[&path].len() as u64 >= extent.bytes);
    }
    back_up(&journal, &copy).unwrap();
    journal.close().unwrap();
    let journal = open(&disk);
    let report = back_up(&journal, &copy).unwrap();
    assert_eq!((report.manifest.last_sequence, report.mended.len()), (6, 0));
}

#[test]
fn a_manifest_says_what_can_be_looked_at_without_restoring() {
    let (_, journal) = journal();
    let disk = SimDisk::new();
    assert!(Manifest::read(&disk, destination()).unwrap().is_none());
    let made = back_up(&journal, &disk).unwrap().manifest;
    assert_eq!(Manifest::read(&disk, destination()).unwrap(), Some(made));
}
