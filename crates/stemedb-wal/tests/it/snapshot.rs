//! Snapshots of a journal that is in use (case 67): what they hold, every state that a crash leaves of them, and that neither journal ever
//! writes to a file that both have.

use std::io;
use std::path::{Path, PathBuf};

use crate::exhaustive::each_state;
use crate::story::{Files, Record, directory, options, read, segment_count, segment_path};
use stemedb_testkit::disk::{Effect, Operation, SimDisk};
use stemedb_wal::format::{SEGMENT_HEADER_BYTES, segment_file_name};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{AppendError, Error, Fault, Log, Options, RecoveryReport, SnapshotReport, Trust};

fn destination() -> &'static Path {
    Path::new("/copy")
}

fn segment_of_copy(number: u64) -> PathBuf {
    destination().join(segment_file_name(number))
}

/// A journal of three segments, open, and the disk that it lies on.
fn journal() -> (SimDisk, Log) {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    let mut log = open(&disk, directory()).unwrap();
    for byte in 0..9 {
        append(&mut log, &[byte; 1000]).unwrap();
    }
    assert_eq!(log.segments().len(), 3);
    (disk, log)
}

fn append(log: &mut Log, record: &[u8]) -> Result<(), AppendError> {
    let mut builder = log.begin_group();
    builder.push(record, Trust::Unverified);
    log.write(builder)?;
    log.sync()?;
    Ok(())
}

fn open(disk: &SimDisk, directory: &Path) -> Result<Log, Error> {
    options(disk).lock(directory)?.open(&[])
}

/// Opens what is there, and creates nothing.
fn open_copy(disk: &SimDisk) -> Result<Log, Error> {
    let options = Options {
        create: false,
        ..options(disk)
    };
    options.lock(destination())?.open(&[])
}

/// The records below a directory, which are whole.
fn records(disk: &SimDisk, below: &Path) -> Vec<Record> {
    let named = |(path, bytes): (PathBuf, Vec<u8>)| {
        (directory().join(path.strip_prefix(below).unwrap()), bytes)
    };
    let files: Files = disk.files_below(below).into_iter().map(named).collect();
    let groups = read(&files, segment_count(&files)).unwrap();
    groups.into_iter().flat_map(|group| group.records).collect()
}

fn snapshot(log: &mut Log) -> SnapshotReport {
    log.snapshot(destination()).unwrap()
}

#[test]
fn a_snapshot_is_a_journal_with_everything_that_is_durable() {
    let (disk, mut log) = journal();
    let before = disk.files();
    let report = snapshot(&mut log);
    assert_eq!(report.head, log.head());
    assert_eq!((report.linked, report.copied), (2, 1));
    assert!(
        disk.files_below(directory()) == before,
        "a file was changed"
    );
    // More that is not in it.
    append(&mut log, b"more").unwrap();
    assert_eq!(records(&disk, destination()).len(), 9);
    let copy = open_copy(&disk).unwrap();
    assert_eq!(copy.head(), report.head);
    assert_eq!(copy.journal(), log.journal());
    assert_eq!(*copy.report(), RecoveryReport::default());
    let all = records(&disk, directory());
    assert_eq!(records(&disk, destination()), all[..9]);
}

#[test]
fn a_snapshot_of_an_empty_journal_and_of_a_snapshot_is_one() {
    let disk = SimDisk::new();
    let mut log = open(&disk, directory()).unwrap();
    let report = snapshot(&mut log);
    assert_eq!((report.head, report.linked, report.copied), (None, 0, 1));
    assert_eq!(open_copy(&disk).unwrap().journal(), log.journal());
    let (disk, mut log) = journal();
    snapshot(&mut log);
    let mut copy = open_copy(&disk).unwrap();
    let again = copy.snapshot("/again").unwrap();
    assert_eq!((again.head, again.linked), (log.head(), 2));
    assert_eq!(records(&disk, Path::new("/again")).len(), 9);
}

#[test]
fn a_crash_at_any_moment_leaves_a_snapshot_or_none_and_a_sound_original() {
    let mut whole = 0;
    for operation in 0.. {
        let (disk, mut log) = journal();
        disk.plan(None, operation, Effect::PowerLoss);
        let result = log.snapshot(destination());
        drop(log);
        let is_over = disk.is_planned();
        assert_eq!(result.is_ok(), is_over, "operation {operation}");
        each_state(&disk, operation, &mut |disk, state| {
            let what = || format!("operation {operation}, state {state:?}");
            drop(open(disk, directory()).unwrap());
            assert_eq!(records(disk, directory()).len(), 9, "{}", what());
            match open_copy(disk) {
                Ok(copy) => {
                    assert_eq!(copy.head().unwrap().sequence, 9, "{}", what());
                    assert_eq!(records(disk, destination()).len(), 9, "{}", what());
                    whole += 1;
                }
                Err(Error::Gap { from: 1, .. } | Error::NotFound { .. }) => {
                    assert!(!is_over, "{}: it was made", what());
                }
                Err(error) => panic!("{}: {error:?}", what()),
            }
        });
        if is_over {
            assert!(operation > 12, "there was work");
            break;
        }
    }
    assert!(whole > 2, "{whole}");
}

#[test]
fn an_error_of_any_operation_leaves_the_original_working() {
    for operation in 0.. {
        let (disk, mut log) = journal();
        let before = disk.files();
        disk.plan(None, operation, Effect::Fail(io::ErrorKind::Other));
        let result = log.snapshot(destination());
        let is_over = disk.is_planned();
        assert!(disk.files_below(directory()) == before, "{operation}");
        disk.forget_plans();
        append(&mut log, b"more").unwrap();
        // Where only the last fsync failed, everything is there all the same.
        match open_copy(&disk) {
            Ok(_) => assert_eq!(records(&disk, destination()).len(), 9, "{operation}"),
            Err(error) => assert!(result.is_err(), "{operation}: {error:?}"),
        }
        if is_over {
            break;
        }
    }
}

#[test]
fn what_cannot_be_linked_is_copied() {
    let (disk, mut log) = journal();
    for passing in 0..2 {
        let kind = io::ErrorKind::CrossesDevices;
        disk.plan(Some(Operation::Link), passing, Effect::Fail(kind));
    }
    let report = snapshot(&mut log);
    assert_eq!((report.linked, report.copied), (0, 3));
    open_copy(&disk).unwrap();
    assert_eq!(records(&disk, destination()).len(), 9);
}

#[test]
fn a_sealed_segment_with_zeros_behind_its_groups_is_copied_without_them() {
    let (disk, mut log) = journal();
    let mut bytes = disk.files()[&segment_path(1)].clone();
    bytes.extend([0; 700]);
    disk.put(&segment_path(1), bytes);
    let report = snapshot(&mut log);
    assert_eq!((report.linked, report.copied), (1, 2));
    assert_eq!(
        *open_copy(&disk).unwrap().report(),
        RecoveryReport::default()
    );
}

#[test]
fn what_is_copied_is_verified() {
    let (disk, mut log) = journal();
    disk.flip(&segment_path(3), SEGMENT_HEADER_BYTES + 300, 1);
    let Err(Error::Corruption(found)) = log.snapshot(destination()) else {
        panic!("damage was copied");
    };
    assert_eq!((found.path, found.fault), (segment_path(3), Fault::Hash));
    let (disk, mut log) = journal();
    // The second reading is the right one. The first read looks whether the file is as long as it should be.
    disk.plan(Some(Operation::Read), 1, Effect::WrongBit);
    assert_eq!(snapshot(&mut log).copied, 1);
    assert!(!disk.is_planned());
    assert_eq!(records(&disk, destination()).len(), 9);
}

#[test]
fn a_destination_that_is_not_empty_or_in_use_is_refused_and_left_alone() {
    let (disk, mut log) = journal();
    disk.put(&destination().join("file"), b"mine".to_vec());
    let before = disk.files();
    let refused = log.snapshot(destination());
    assert!(matches!(refused, Err(Error::NotEmpty { path }) if path == destination()));
    let itself = log.snapshot(directory());
    assert!(matches!(itself, Err(Error::Locked { .. })));
    assert!(disk.files() == before);
    disk.take_away(&destination().join("file"));
    let _held = disk.lock(destination()).unwrap();
    let refused = log.snapshot(destination());
    assert!(matches!(refused, Err(Error::Locked { .. })));
}

#[test]
fn neither_journal_writes_to_a_file_that_both_have() {
    // A segment that was sealed is the last one again where the one behind it is lost, and is written to.
    let lose_the_last = |disk: &SimDisk, below: &Path| {
        for number in [2, 3] {
            disk.take_away(&below.join(segment_file_name(number)));
        }
    };
    let begin_the_last_anew = |disk: &SimDisk, below: &Path| {
        disk.take_away(&below.join(segment_file_name(3)));
        disk.put(&below.join(segment_file_name(2)), vec![0; 4096]);
    };
    let losses: [fn(&SimDisk, &Path); 2] = [lose_the_last, begin_the_last_anew];
    let ways = [(directory(), destination()), (destination(), directory())];
    for (lose, (changed, other)) in losses
        .into_iter()
        .flat_map(|lose| ways.map(|way| (lose, way)))
    {
        let (disk, mut log) = journal();
        snapshot(&mut log);
        drop(log);
        lose(&disk, changed);
        let before = disk.files_below(other);
        let mut log = open(&disk, changed).unwrap();
        // There is room for it in the segment.
        append(&mut log, b"more").unwrap();
        log.close().unwrap();
        assert!(
            disk.files_below(other) == before,
            "{} was changed",
            other.display()
        );
        open(&disk, changed).unwrap();
        open(&disk, other).unwrap();
        assert_eq!(records(&disk, other).len(), 9);
    }
}

#[test]
fn a_last_segment_that_is_linked_by_others_is_copied_before_it_is_written() {
    // As by `cp -al`, closed or not.
    for closes in [true, false] {
        let (disk, log) = journal();
        if closes {
            log.close().unwrap();
        } else {
            drop(log);
        }
        disk.create_directory(destination()).unwrap();
        for number in 1..=3 {
            let (from, to) = (segment_path(number), segment_of_copy(number));
            disk.link(&from, &to).unwrap();
        }
        let before = disk.files_below(directory());
        let mut copy = open_copy(&disk).unwrap();
        append(&mut copy, b"more").unwrap();
        copy.close().unwrap();
        assert!(disk.files_below(directory()) == before);
        assert_eq!(records(&disk, destination()).len(), 10);
    }
}
