//! Look-ups that several threads share.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use stemedb_core::Sequence;
use stemedb_storage::{Counts, Cursor, RawScan, Scan, Value};

use super::*;
use crate::database::tests::{known, prepared, snapshot};
use crate::{Create, Database};

/// Records that are stored.
const STORED: u64 = 2_000;
/// Records that are asked for: every other one is not stored.
const ASKED: u64 = 2 * STORED;

/// A view that notes who asks, and fails for one key.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn Snapshot>,
    threads: Mutex<HashSet<ThreadId>>,
    /// Cannot be looked up.
    bad: Option<Vec<u8>>,
}

impl Snapshot for Watched {
    fn get(&self, key: &[u8]) -> stemedb_storage::Result<Option<Value>> {
        self.threads.lock().unwrap().insert(thread::current().id());
        if self.bad.as_deref() == Some(key) {
            return self.inner.get(&[]);
        }
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], start: Bound<&[u8]>) -> stemedb_storage::Result<Scan> {
        self.inner.scan(prefix, start)
    }

    fn scan_raw(&self) -> stemedb_storage::Result<RawScan> {
        self.inner.scan_raw()
    }

    fn counts(&self) -> Counts {
        self.inner.counts()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.inner.cursor()
    }
}

/// A view in which the records with even numbers are stored, under the sequences from 1 on.
fn stored() -> (tempfile::TempDir, Database, Watched) {
    let place = tempfile::tempdir().unwrap();
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder.open(place.path().join("data")).unwrap();
    let even = (0..STORED).map(|number| 2 * number);
    let receipts = database.submit(prepared(even)).wait();
    let last = receipts.last().unwrap().as_ref().unwrap().sequence;
    database.wait_applied(last).wait().unwrap();
    let view = Watched {
        inner: snapshot(&database),
        threads: Mutex::default(),
        bad: None,
    };
    (place, database, view)
}

fn find<'a>(view: &'a Watched, known: &'a Known, threads: usize) -> Find<'a> {
    Find {
        view,
        known,
        durability: Durability::Sync,
        threads,
    }
}

#[test]
fn many_are_found_by_several_threads_in_their_order() {
    let (_place, database, view) = stored();
    let records = prepared(0..ASKED);
    for known in [&Known::default(), &*known(&database)] {
        for threads in [0, 1, 2, 3, 4] {
            view.threads.lock().unwrap().clear();
            let found = find(&view, known, threads).all(&records).unwrap();
            let expected = (0..ASKED).map(|number| Sequence::new(number / 2 + 1).unwrap());
            for ((number, found), sequence) in (0..).zip(&found).zip(expected) {
                let found = found.map(|it| (it.id, it.sequence, it.status));
                let receipt = (records[number].id, sequence, Status::AlreadyStored);
                assert_eq!(found, (number % 2 == 0).then_some(receipt), "{number}");
            }
            let asked_by = view.threads.lock().unwrap().len();
            assert_eq!(asked_by, threads.max(1), "{threads}");
        }
    }
}

#[test]
fn few_are_found_by_the_caller_alone() {
    let (_place, _database, view) = stored();
    let known = Known::default();
    let records = prepared(0..2 * SHARE_MIN as u64 - 1);
    find(&view, &known, 4).all(&records).unwrap();
    let own = HashSet::from([thread::current().id()]);
    assert_eq!(*view.threads.lock().unwrap(), own);
}

#[test]
fn what_is_found_already_is_not_looked_for_again() {
    let (_place, _database, mut view) = stored();
    let known = Known::default();
    let records = prepared(0..4);
    let mut found = find(&view, &known, 1).all(&records).unwrap();
    view.bad = Some(key(&records[0]));
    find(&view, &known, 1)
        .missing(&records, &mut found)
        .unwrap();
    assert!(found[0].is_some());
    found[0] = None;
    let failed = find(&view, &known, 1).missing(&records, &mut found);
    failed.unwrap_err();
}

#[test]
fn a_look_that_fails_fails_for_all_whoever_made_it() {
    let (_place, _database, mut view) = stored();
    let known = Known::default();
    let records = prepared(0..ASKED);
    for bad in [0, ASKED / 2, ASKED - 1] {
        view.bad = Some(key(&records[usize::try_from(bad).unwrap()]));
        find(&view, &known, 4).all(&records).unwrap_err();
    }
}

fn key(record: &Prepared) -> Vec<u8> {
    let mut key = Vec::new();
    identity_key(record.id, record.record_type).encode_into(&mut key);
    key
}
