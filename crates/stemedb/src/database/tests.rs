//! What a database knows of the ids of its records, from within.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use stemedb_core::RecordId;
use stemedb_storage::Snapshot;

use super::Database;
use crate::known::{Known, Options};
use crate::{
    Agent, Assertion, Builder, Create, Epoch, EpochName, ErrorKind, Object, Predicate, Prepared,
    Record, Status, StoreKind, Subject, Vote, Weight,
};

const THREADS: u64 = 4;

fn agent() -> Agent {
    Agent::new("site:example.org").unwrap()
}

/// A record that says nothing but its number; of a hundred there are ten votes and an epoch.
fn numbered(number: u64) -> Record {
    if number % 100 == 99 {
        let name = EpochName::new(format!("epoch {number}")).unwrap();
        return Epoch::new(name, agent()).into();
    }
    if number % 10 == 8 {
        let mut about = [7; 32];
        about[..8].copy_from_slice(&number.to_le_bytes());
        let weight = Weight::new(1.0).unwrap();
        return Vote::new(RecordId::from_bytes(about), agent(), weight).into();
    }
    Record::from(Assertion::new(
        Subject::new(format!("subject {}", number % 7)).unwrap(),
        Predicate::new("number").unwrap(),
        Object::text(number.to_string()),
        agent(),
    ))
}

pub(crate) fn prepared(numbers: impl IntoIterator<Item = u64>) -> Vec<Prepared> {
    let numbers = numbers.into_iter();
    let prepare = |number| Prepared::new(&numbered(number)).unwrap();
    numbers.map(prepare).collect()
}

pub(crate) fn snapshot(database: &Database) -> Arc<dyn Snapshot> {
    database.inner.store.snapshot().unwrap()
}

pub(crate) fn known(database: &Database) -> Arc<Known> {
    Arc::clone(&database.inner.known)
}

/// Settings with links of 1 KiB and more, and a scan after so many new records.
fn builder(scan_after_records_min: u64) -> Builder {
    let mut builder = Database::builder().create(Create::IfMissing);
    builder.known = Options {
        scan_after_records_min,
        link_bytes_min: 1 << 10,
        ..Options::default()
    };
    builder
}

fn is_complete(database: &Database) -> bool {
    let nobody = RecordId::from_bytes([0xa5; 32]);
    !database.inner.known.may_hold(nobody)
}

fn wait_until_complete(database: &Database) {
    for _ in 0..120_000 {
        if is_complete(database) {
            return;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    panic!("the scan does not end");
}

/// Lets several threads submit the records below a number, each in an order of its own and a few at a time; gives how many were stored.
fn load_by_many(database: &Database, records: u64) -> u64 {
    let load = |stride: u64| {
        let mut stored = 0;
        for first in (0..records).step_by(97) {
            let part = first..records.min(first + 97);
            let receipts = database.submit(prepared(part.map(|step| step * stride % records)));
            let receipts = receipts.wait().into_iter().map(Result::unwrap);
            stored += receipts.filter(|it| it.status == Status::Stored).count() as u64;
        }
        stored
    };
    thread::scope(|scope| {
        // Each is prime to the number of records, which is a power of two.
        let threads = (0..THREADS).map(|thread| scope.spawn(move || load(2 * thread + 1)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|it| it.join().unwrap()).sum()
    })
}

/// The journal holds each record below a number once, and the store every one of them.
fn check(database: &Database, records: u64) {
    let durable = database.inner.watch.durable_sequence();
    database
        .inner
        .ingestor
        .wait_applied(durable)
        .wait()
        .unwrap();
    let stats = database.stats().unwrap();
    assert_eq!(
        (stats.durable_sequence, stats.counts.duplicates),
        (records, 0)
    );
    let exported = database.export().unwrap();
    let ids: HashSet<_> = exported.map(|stored| stored.unwrap().id).collect();
    let given: HashSet<_> = (0..records).map(|it| numbered(it).id().unwrap()).collect();
    assert_eq!(ids, given);
}

#[test]
fn a_database_that_held_nothing_knows_everything_and_stores_it_once() {
    let place = tempfile::tempdir().unwrap();
    let database = builder(u64::MAX).open(place.path().join("data")).unwrap();
    assert!(is_complete(&database));
    assert_eq!(load_by_many(&database, 1 << 12), 1 << 12);
    assert_eq!(load_by_many(&database, 1 << 12), 0);
    assert!(is_complete(&database));
    check(&database, 1 << 12);
}

#[test]
fn while_the_store_is_scanned_and_afterwards_each_record_is_stored_once() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().join("data");
    let mut records = 1 << 9;
    let database = builder(u64::MAX).open(&place).unwrap();
    assert_eq!(load_by_many(&database, records), records);
    database.close().unwrap();
    for _ in 0..4 {
        // Duplicates and new ones, before, across and after the scan.
        let database = builder(1).open(&place).unwrap();
        assert!(!is_complete(&database));
        assert_eq!(load_by_many(&database, 2 * records), records);
        records *= 2;
        wait_until_complete(&database);
        assert_eq!(load_by_many(&database, records), 0);
        check(&database, records);
        database.close().unwrap();
    }
}

#[test]
fn what_is_stored_is_known_after_the_scan_whatever_its_type() {
    let kinds: &[_] = if cfg!(feature = "sled") {
        &[StoreKind::Hybrid, StoreKind::Sled]
    } else {
        &[StoreKind::Hybrid]
    };
    for &kind in kinds {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().join("data");
        let database = builder(u64::MAX).store(kind).open(&place).unwrap();
        let stored = prepared(0..300);
        let ids: Vec<_> = stored.iter().map(Prepared::id).collect();
        assert!(database.submit(stored).wait().iter().all(Result::is_ok));
        database.close().unwrap();
        let database = reopen(&place);
        assert!(!is_complete(&database));
        let new = (300..400).map(|number| database.submit(prepared([number])).wait());
        assert!(new.flatten().all(|it| it.is_ok()));
        wait_until_complete(&database);
        assert!(ids.iter().all(|id| database.inner.known.may_hold(*id)));
        assert_eq!(load_by_many(&database, 256), 0);
        check(&database, 400);
    }
}

/// Opens a database again, to be scanned at once; the sled engine lets go of its lock a moment after it was closed.
fn reopen(place: &Path) -> Database {
    for _ in 0..12_000 {
        match builder(1).open(place) {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                thread::park_timeout(Duration::from_millis(10));
            }
            opened => return opened.unwrap(),
        }
    }
    builder(1).open(place).unwrap()
}

#[test]
fn a_filter_that_is_full_or_off_leaves_it_to_the_store() {
    for bytes_max in [0, 1 << 10] {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().join("data");
        let mut builder = builder(1);
        builder.known.bytes_max = bytes_max;
        let database = builder.clone().open(&place).unwrap();
        assert_eq!(is_complete(&database), bytes_max > 0);
        // A link of 1 KiB takes 640.
        assert_eq!(load_by_many(&database, 1 << 10), 1 << 10);
        assert!(!is_complete(&database));
        assert_eq!(load_by_many(&database, 1 << 11), 1 << 10);
        check(&database, 1 << 11);
        database.close().unwrap();
        let database = builder.open(&place).unwrap();
        assert_eq!(load_by_many(&database, 1 << 12), 1 << 11);
        assert!(!is_complete(&database));
        check(&database, 1 << 12);
    }
}

#[test]
fn a_database_ends_while_its_store_is_scanned() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().join("data");
    let mut records = 1 << 10;
    let database = builder(u64::MAX).open(&place).unwrap();
    load_by_many(&database, records);
    database.close().unwrap();
    for round in 0..20_u64 {
        let database = builder(records / 8).open(&place).unwrap();
        let end = records + records / 8 + 1;
        let receipts = database.submit(prepared(records / 2..end)).wait();
        let receipts = receipts.into_iter().map(Result::unwrap);
        let stored = receipts.filter(|it| it.status == Status::Stored);
        assert_eq!(stored.count() as u64, end - records);
        records = end;
        if round % 2 == 0 {
            database.close().unwrap();
        }
    }
    check(&Database::open(&place).unwrap(), records);
}
