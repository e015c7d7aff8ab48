//! A snapshot of a database that is in use is a database of its own (case 67).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stemedb::maintenance::{Progress, VerifyOptions, rebuild, verify};
use stemedb::{Database, ErrorKind, Record, SnapshotReport, Status};
use stemedb_testkit::skip::say_skipped;

use crate::support::{
    Place, answer, bytes_of, creating, exported, kinds, numbered, refused, settle, tree, write,
};

const WRITERS: u64 = 4;

fn expect_clean(directory: &Path) {
    let options = VerifyOptions { quick: false };
    let report = verify(directory, &options, &mut |_: Progress| {}).unwrap();
    assert_eq!(report.problems.len(), 0, "{:?}", report.problems);
}

fn records(database: &Database) -> Vec<Record> {
    let stored = exported(database).into_iter();
    stored.map(|stored| stored.record).collect()
}

/// Appends from several threads while `work` is done; it is told how many records of each writer are acknowledged.
fn while_writing(database: &Database, work: impl FnOnce(&dyn Fn() -> Vec<u64>)) {
    let acknowledged: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (writer, acknowledged) in (0..).zip(&acknowledged) {
            let done = &done;
            scope.spawn(move || {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let records = (0..20).map(|n| numbered((number * 20 + n) * WRITERS + writer));
                    let receipts = database.ingest(records);
                    assert!(receipts.iter().all(|r| answer(r).1 == Status::Stored));
                    acknowledged.fetch_add(20, Ordering::Relaxed);
                }
            });
        }
        work(&|| {
            let loaded = acknowledged.iter().map(|n| n.load(Ordering::Relaxed));
            loaded.collect()
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_snapshot_of_a_database_that_is_written_to_is_a_prefix_with_all_that_was_acknowledged() {
    for kind in kinds() {
        let (place, copies) = (Place::new(), Place::new());
        let database = creating().store(kind).open(place.path()).unwrap();
        // Enough that segments are sealed: the first has 1 MiB.
        database.ingest((1 << 40..).map(numbered).take(6000));
        let mut owed: Vec<(Vec<u64>, SnapshotReport)> = Vec::new();
        while_writing(&database, |acknowledged| {
            for copy in 0..4 {
                let before = acknowledged();
                let report = database.snapshot(copies.join(&copy.to_string())).unwrap();
                assert!(report.linked_segments > 0, "{report:?}");
                assert_eq!(report.copied_segments, 1);
                owed.push((before, report));
            }
        });
        settle(&database);
        let all = records(&database);
        database.close().unwrap();
        expect_clean(&place.path());
        for (copy, (owed, report)) in owed.iter().enumerate() {
            let directory = copies.join(&copy.to_string());
            let database = Database::open(&directory).unwrap();
            let found = records(&database);
            assert_eq!(found.len() as u64, report.last_sequence);
            assert!(found == all[..found.len()], "not a prefix");
            let found: BTreeSet<String> = found.iter().map(|r| format!("{r:?}")).collect();
            for (writer, owed) in (0..).zip(owed) {
                for number in 0..*owed {
                    let record = format!("{:?}", numbered(number * WRITERS + writer));
                    assert!(found.contains(&record), "{record} is missing");
                }
            }
            let stats = database.stats().unwrap();
            assert_eq!(stats.journal.head_hash, report.head_hash);
            assert_eq!(stats.store.kind, kind.name());
            database.close().unwrap();
            expect_clean(&directory);
        }
    }
}

#[test]
fn original_and_snapshot_go_their_own_ways() {
    let (place, copy) = (Place::new(), Place::new());
    let database = place.database();
    database.ingest((0..6000).map(numbered));
    let report = database.snapshot(copy.path()).unwrap();
    assert_eq!((report.last_sequence, report.linked_segments), (6000, 1));
    // The store can be built before it is opened.
    rebuild(copy.path(), &mut |_: Progress| {}).unwrap();
    expect_clean(&copy.path());
    let other = Database::open(copy.path()).unwrap();
    database.ingest((10_000..10_010).map(numbered));
    other.ingest((20_000..20_020).map(numbered));
    for (database, count) in [(&database, 6010), (&other, 6020)] {
        settle(database);
        assert_eq!(records(database).len(), count);
    }
    database.close().unwrap();
    other.close().unwrap();
    for place in [&place, &copy] {
        expect_clean(&place.path());
    }
}

#[test]
fn a_database_without_records_has_a_snapshot() {
    let (place, copy) = (Place::new(), Place::new());
    let report = place.database().snapshot(copy.path()).unwrap();
    assert_eq!((report.last_sequence, report.head_hash), (0, None));
    assert_eq!(records(&Database::open(copy.path()).unwrap()).len(), 0);
}

#[test]
fn a_destination_that_holds_anything_is_refused_and_left_alone() {
    let (place, copy) = (Place::new(), Place::new());
    let database = place.database();
    write(&copy.join("file"), b"mine");
    let error = refused(database.snapshot(copy.path()), ErrorKind::NotFound);
    assert!(error.advice().unwrap().contains("an empty one"), "{error}");
    assert_eq!(bytes_of(&copy.join("file")), b"mine");
    refused(database.snapshot(copy.join("file")), ErrorKind::Unavailable);
    let before = tree(&place.path());
    refused(database.snapshot(place.path()), ErrorKind::NotFound);
    refused(database.snapshot(place.join("wal")), ErrorKind::NotFound);
    assert_eq!(tree(&place.path()).len(), before.len());
}

#[test]
fn what_is_left_of_a_snapshot_that_was_interrupted_is_no_database() {
    let (place, copy) = (Place::new(), Place::new());
    let database = place.database();
    database.ingest((0..10).map(numbered));
    database.snapshot(copy.path()).unwrap();
    // Before the marker: the journal is whole, and the creation can be completed.
    std::fs::remove_file(copy.join("stemedb.marker")).unwrap();
    let error = refused(Database::open(copy.path()), ErrorKind::NotFound);
    assert!(error.advice().unwrap().contains("`stemedb init`"));
    // Before the journal has its name.
    std::fs::rename(copy.join("wal"), copy.join("snapshot.tmp")).unwrap();
    let before = tree(&copy.path());
    refused(Database::open(copy.path()), ErrorKind::NotFound);
    refused(creating().open(copy.path()), ErrorKind::NotFound);
    refused(database.snapshot(copy.path()), ErrorKind::NotFound);
    assert_eq!(tree(&copy.path()), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_snapshot_on_another_file_system_is_a_copy() {
    let Some(disk) = crate::full::Tmpfs::mount("64m") else {
        say_skipped("no tmpfs can be mounted here");
        return;
    };
    let place = Place::new();
    let database = place.database();
    database.ingest((0..6000).map(numbered));
    let copy = disk.path().join("copy");
    let report = database.snapshot(&copy).unwrap();
    assert_eq!((report.linked_segments, report.copied_segments), (0, 2));
    settle(&database);
    assert_eq!(records(&Database::open(&copy).unwrap()), records(&database));
    expect_clean(&copy);
}
