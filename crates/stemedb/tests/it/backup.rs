//! Backups of a database that is in use, and what is restored from them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stemedb::backup::{BackupReport, BackupWriter, RestoreOptions, RestoreReport, restore};
use stemedb::maintenance::{Progress, VerifyOptions, verify};
use stemedb::{Database, Error, ErrorKind, Result, error_chain};

use crate::support::{
    Place, bytes_of, creating, exported, kinds, numbered, refused, settle, store, tree, write,
};

/// Enough that segments are sealed: the first has 1 MiB.
const MANY: u64 = 6000;

fn back_up(database: &Database, to: &Path) -> Result<BackupReport> {
    database.backup(to, &mut |_: Progress| {})
}

fn restore_to(backup: &Path, to: &Path, head: Option<&str>) -> Result<RestoreReport> {
    let head = head.map(str::to_owned);
    restore(backup, to, &RestoreOptions { head }, &mut |_| {})
}

/// What an export of a database gives, as text.
fn export(database: &Database) -> Vec<String> {
    settle(database);
    let stored = exported(database).into_iter();
    let line = |it: stemedb::Stored| format!("{} {} {}", it.sequence, it.id, it.record.to_json());
    stored.map(line).collect()
}

fn expect_clean(directory: &Path) {
    let options = VerifyOptions { quick: false };
    let report = verify(directory, &options, &mut |_| {}).unwrap();
    assert_eq!(report.problems.len(), 0, "{:?}", report.problems);
}

fn counts(made: &BackupReport) -> (u64, u64, usize) {
    (made.kept_segments, made.copied_segments, made.mended.len())
}

/// The error of a restore that must fail, and leaves nothing that opens.
fn refused_restore(backup: &Path, kind: ErrorKind) -> Error {
    let to = Place::new();
    let error = refused(restore_to(backup, &to.path(), None), kind);
    assert!(Database::open(to.path()).is_err());
    error
}

#[test]
fn what_is_restored_is_what_was_backed_up_byte_for_byte() {
    for kind in kinds() {
        let (place, kept, again) = (Place::new(), Place::new(), Place::new());
        let database = creating().store(kind).open(place.path()).unwrap();
        store(&database, (0..MANY).map(numbered).collect());
        let first = back_up(&database, &kept.path()).unwrap();
        assert_eq!(counts(&first), (0, 2, 0));
        assert_eq!(first.last_sequence, MANY);
        store(&database, (MANY..MANY + 100).map(numbered).collect());
        let made = back_up(&database, &kept.path()).unwrap();
        assert_eq!(counts(&made), (1, 1, 0));
        let stats = database.stats().unwrap();
        assert_eq!(made.head_hash, stats.journal.head_hash);
        let head = made.head_hash.as_deref();
        let restored = restore_to(&kept.path(), &again.path(), head).unwrap();
        assert_eq!(restored.last_sequence, MANY + 100);
        assert_eq!((restored.segments, restored.counts), (2, stats.counts));
        assert_eq!(restored.head_hash, made.head_hash);
        let other = Database::open(again.path()).unwrap();
        assert_eq!(other.stats().unwrap().store.kind, kind.name());
        assert_eq!(other.stats().unwrap().journal.id, stats.journal.id);
        assert!(export(&other) == export(&database));
        other.close().unwrap();
        expect_clean(&again.path());
    }
}

#[test]
fn backups_of_a_database_that_is_written_to_are_prefixes_with_all_that_was_acknowledged() {
    let (place, kept) = (Place::new(), Place::new());
    let database = place.database();
    database.ingest((1 << 40..).map(numbered).take(4000));
    let (acknowledged, done) = (AtomicU64::new(4000), AtomicBool::new(false));
    let mut owed = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let receipts = database.ingest((number * 20..).map(numbered).take(20));
                assert!(receipts.iter().all(Result::is_ok));
                acknowledged.fetch_add(20, Ordering::Relaxed);
            }
        });
        for _ in 0..6 {
            let before = acknowledged.load(Ordering::Relaxed);
            let made = back_up(&database, &kept.path()).unwrap();
            assert!(made.last_sequence >= before, "{made:?}");
            let again = Place::new();
            let restored = restore_to(&kept.path(), &again.path(), made.head_hash.as_deref());
            assert_eq!(restored.unwrap().last_sequence, made.last_sequence);
            let other = Database::open(again.path()).unwrap();
            owed.push(export(&other));
            while acknowledged.load(Ordering::Relaxed) <= made.last_sequence {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let all = export(&database);
    for lines in owed {
        assert!(all.starts_with(&lines), "it is no prefix");
    }
    // What is restored at last is all of it.
    back_up(&database, &kept.path()).unwrap();
    let again = Place::new();
    restore_to(&kept.path(), &again.path(), None).unwrap();
    assert!(export(&Database::open(again.path()).unwrap()) == all);
}

#[test]
fn a_backup_of_another_database_another_history_or_more_is_refused_and_left_alone() {
    let (place, kept, older, other) = (Place::new(), Place::new(), Place::new(), Place::new());
    let database = place.database();
    store(&database, (0..10).map(numbered).collect());
    back_up(&database, &kept.path()).unwrap();
    restore_to(&kept.path(), &older.path(), None).unwrap();
    store(&database, (10..20).map(numbered).collect());
    back_up(&database, &kept.path()).unwrap();
    let before = tree(&kept.path());
    let expect = |database: &Database, text: &str| {
        let error = refused(back_up(database, &kept.path()), ErrorKind::Invalid);
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.advice().unwrap().contains("keep that backup"));
        assert_eq!(tree(&kept.path()), before);
    };
    let older = Database::open(older.path()).unwrap();
    expect(&older, "backup up to sequence 20");
    store(&older, (30..60).map(numbered).collect());
    expect(&older, "another history");
    let other = other.database();
    store(&other, (0..40).map(numbered).collect());
    expect(&other, "backup of journal");
    // And its own database still goes on with it.
    assert_eq!(back_up(&database, &kept.path()).unwrap().last_sequence, 20);
}

#[test]
fn a_backup_is_no_database_and_a_database_no_backup() {
    let (place, kept) = (Place::new(), Place::new());
    let database = place.database();
    store(&database, (0..10).map(numbered).collect());
    back_up(&database, &kept.path()).unwrap();
    let before = tree(&kept.path());
    for opened in [Database::open(kept.path()), creating().open(kept.path())] {
        let error = refused(opened, ErrorKind::NotFound);
        assert!(error.advice().unwrap().contains("`stemedb restore`"));
    }
    refused_restore(&place.path(), ErrorKind::NotFound);
    refused_restore(&place.join("nothing"), ErrorKind::NotFound);
    refused(back_up(&database, &place.path()), ErrorKind::Invalid);
    refused(
        back_up(&database, &place.join("wal")),
        ErrorKind::Unavailable,
    );
    let error = restore_to(&kept.path(), &place.path(), None);
    refused(error, ErrorKind::NotFound);
    // Nor is it changed by whoever writes to what was restored: nothing is shared.
    let again = Place::new();
    restore_to(&kept.path(), &again.path(), None).unwrap();
    let other = Database::open(again.path()).unwrap();
    store(&other, (10..20).map(numbered).collect());
    other.close().unwrap();
    assert_eq!(tree(&kept.path()), before);
}

#[test]
fn a_head_that_is_asked_for_must_be_the_backups() {
    let (place, kept) = (Place::new(), Place::new());
    let database = place.database();
    store(&database, (0..10).map(numbered).collect());
    let made = back_up(&database, &kept.path()).unwrap();
    for head in ["", "abc", &"0".repeat(64), &"f".repeat(64)] {
        let to = Place::new();
        let result = restore_to(&kept.path(), &to.path(), Some(head));
        refused(result, ErrorKind::Invalid);
        assert!(!to.path().exists());
    }
    let to = Place::new();
    restore_to(&kept.path(), &to.path(), made.head_hash.as_deref()).unwrap();
}

#[test]
fn damage_in_a_backup_is_named_and_mended_from_the_database() {
    let (place, kept) = (Place::new(), Place::new());
    let database = place.database();
    store(&database, (0..MANY).map(numbered).collect());
    // An idle journal closes its last group with an empty one, which a backup may come before.
    for _ in 0..1_000 {
        if counts(&back_up(&database, &kept.path()).unwrap()) == (2, 0, 0) {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    for name in ["0000000000000001", "0000000000000002"] {
        let path = kept.join(&format!("segments/{name}.segment"));
        let mut bytes = bytes_of(&path);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        write(&path, &bytes);
        let error = refused_restore(&kept.path(), ErrorKind::Corruption);
        let text = error_chain(&error);
        assert!(text.contains("the backup in"), "{text}");
        assert!(text.contains(name) && text.contains("offset"), "{text}");
        let made = back_up(&database, &kept.path()).unwrap();
        assert_eq!(counts(&made), (1, 1, 1));
        assert!(made.mended[0].file.contains(name), "{made:?}");
        assert_eq!(
            counts(&back_up(&database, &kept.path()).unwrap()),
            (2, 0, 0)
        );
    }
    // Which store the database had is said by the manifest alone.
    let manifest = kept.join("backup.manifest");
    let text = String::from_utf8(bytes_of(&manifest)).unwrap();
    write(
        &manifest,
        text.replace("note hybrid", "note hybris").as_bytes(),
    );
    refused_restore(&kept.path(), ErrorKind::Corruption);
}

#[test]
fn damage_in_the_journal_is_not_copied() {
    let (place, kept) = (Place::new(), Place::new());
    let database = place.database();
    store(&database, (0..MANY).map(numbered).collect());
    let path = place.join("wal/0000000000000001.wal");
    let mut bytes = bytes_of(&path);
    bytes[300_000] ^= 1;
    write(&path, &bytes);
    let error = refused(back_up(&database, &kept.path()), ErrorKind::Corruption);
    let text = error_chain(&error);
    assert!(text.contains("0000000000000001.wal"), "{text}");
    refused_restore(&kept.path(), ErrorKind::NotFound);
}

#[test]
fn the_two_sides_of_a_backup_need_not_be_in_one_process() {
    let (place, kept, again) = (Place::new(), Place::new(), Place::new());
    let database = place.database();
    store(&database, (0..MANY).map(numbered).collect());
    // All that goes from one to the other.
    let segments = database.segments();
    store(&database, (MANY..MANY + 10).map(numbered).collect());
    let place = Path::new("https://example.org");
    let mut writer = BackupWriter::begin(kept.path(), &segments, place, &mut |_| {}).unwrap();
    let mut sent = 0;
    let total = writer.wanted_bytes();
    while let Some(segment) = writer.wanted() {
        let mut offset = 0;
        while offset < segment.bytes {
            let left = usize::try_from(segment.bytes - offset).unwrap();
            let mut buffer = vec![0; left.min(100_000)];
            let read = database
                .read_segment(segment.number, offset, &mut buffer)
                .unwrap();
            writer.write(&buffer[..read]).unwrap();
            offset += read as u64;
        }
        sent += offset;
    }
    assert_eq!((sent, writer.wanted_bytes()), (total, 0));
    let made = writer.finish().unwrap();
    assert_eq!(made.last_sequence, MANY);
    let restored = restore_to(&kept.path(), &again.path(), None).unwrap();
    assert_eq!(restored.last_sequence, MANY);
    refused(
        database.read_segment(17, 0, &mut [0; 10]),
        ErrorKind::NotFound,
    );
    let mut lying = segments;
    lying.segments[0].end_hash = "what".to_owned();
    let refusal = BackupWriter::begin(kept.path(), &lying, place, &mut |_| {});
    refused(refusal, ErrorKind::Corruption);
}

#[test]
fn one_who_is_refused_since_a_database_is_in_use_can_tell() {
    let place = Place::new();
    let _database = place.database();
    let error = refused(Database::open(place.path()), ErrorKind::Unavailable);
    assert!(error.is_in_use());
    let error = refused(Database::open(place.join("none")), ErrorKind::NotFound);
    assert!(!error.is_in_use());
}
