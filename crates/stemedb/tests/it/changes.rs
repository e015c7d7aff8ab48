//! The stored records behind a sequence, in batches, as they come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stemedb::{Changes, ChangesLimit, Database, ErrorKind, Sequence};

use crate::support::{Place, creating, exported, kinds, numbered, refused, settle, store};

fn limit(records_max: usize) -> ChangesLimit {
    ChangesLimit {
        records_max,
        ..ChangesLimit::default()
    }
}

fn behind(database: &Database, sequence: u64) -> Changes {
    database.changes(Sequence::new(sequence))
}

/// The sequences up to what can be read now.
fn rest_of(changes: &mut Changes, records_max: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    loop {
        let batch = changes.next_batch(limit(records_max)).unwrap();
        assert!(batch.records.len() <= records_max);
        assert_eq!(changes.upto(), batch.upto);
        sequences.extend(batch.records.iter().map(|stored| stored.sequence.get()));
        if batch.is_last() {
            return sequences;
        }
    }
}

#[test]
fn everything_behind_a_sequence_is_given_in_batches_of_any_size() {
    for kind in kinds() {
        let place = Place::new();
        let database = creating().store(kind).open(place.path()).unwrap();
        let mut changes = behind(&database, 0);
        assert_eq!(rest_of(&mut changes, 3), [0; 0]);
        for first in [0, 40, 41, 60] {
            let end = if first == 60 { 100 } else { first + 20 };
            store(&database, (first.min(60)..end).map(numbered).collect());
        }
        let stored = exported(&database);
        let expected: Vec<_> = stored.iter().map(|it| it.sequence.get()).collect();
        for records_max in [1, 7, 1000] {
            for after in [0, 1, 19, 20, 50] {
                let mut changes = behind(&database, after);
                let sequences = rest_of(&mut changes, records_max);
                let expected = expected.iter().filter(|sequence| **sequence > after);
                assert!(sequences.iter().eq(expected));
            }
        }
        let all = behind(&database, 0).next_batch(limit(1000)).unwrap();
        assert_eq!(all.records, stored);
        // What was reached goes on where more is stored.
        assert_eq!(rest_of(&mut changes, 1000).len(), stored.len());
        store(&database, (500..503).map(numbered).collect());
        changes.rest();
        assert_eq!(rest_of(&mut changes, 2).len(), 3);
        assert_eq!(rest_of(&mut changes, 2).len(), 0);
    }
}

#[test]
fn a_batch_ends_behind_its_bytes_and_holds_one_record_at_least() {
    let place = Place::new();
    let database = place.database();
    store(&database, (0..10).map(numbered).collect());
    let mut changes = behind(&database, 0);
    let small = ChangesLimit {
        records_max: 1000,
        bytes_max: 0,
    };
    for sequence in 1..=10 {
        let batch = changes.next_batch(small).unwrap();
        assert_eq!((batch.records.len(), batch.upto), (1, sequence));
        assert_eq!(batch.is_last(), sequence == 10);
    }
}

/// Duplicates come into a journal only past the library; they and what is in quarantine are passed over.
#[test]
fn duplicates_and_rubbish_of_the_journal_are_passed_over() {
    let place = Place::new();
    place.database().close().unwrap();
    let mut journal = stemedb_wal::Journal::open(place.join("wal")).unwrap();
    let payload = |number| stemedb_ingest::serialize(&numbered(number)).unwrap();
    for bytes in [
        payload(1),
        vec![7; 30],
        payload(2),
        payload(1),
        payload(3),
        payload(1),
    ] {
        journal.append(bytes).unwrap();
    }
    journal.close().unwrap();
    let database = place.database();
    let mut changes = behind(&database, 0);
    assert_eq!(rest_of(&mut changes, 1), [1, 3, 5]);
    // What was passed over is not looked at again.
    assert_eq!(changes.upto(), 6);
}

#[test]
fn each_record_is_given_once_while_writing_goes_on() {
    const RECORDS: u64 = 20_000;
    let place = Place::new();
    let database = place.database();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..RECORDS).step_by(500) {
                let receipts = database.ingest((first..first + 500).map(numbered));
                assert!(receipts.iter().all(Result::is_ok));
            }
            settle(&database);
            is_done.store(true, Ordering::Release);
        });
        let (mut changes, mut sequences) = (behind(&database, 0), Vec::new());
        loop {
            let was_done = is_done.load(Ordering::Acquire);
            sequences.extend(rest_of(&mut changes, 777));
            if was_done {
                break;
            }
            // Whoever begins anew behind what was given misses nothing.
            changes = behind(&database, changes.upto());
        }
        assert!(sequences.into_iter().eq(1..=RECORDS));
    });
}

#[test]
fn whoever_reads_is_asked_before_each_record() {
    let place = Place::new();
    let database = place.database();
    store(&database, (0..10).map(numbered).collect());
    let mut changes = behind(&database, 3);
    for (records_max, expected) in [(4, 4), (100, 3), (100, 0)] {
        let mut asked = 0;
        let batch = changes.next_batch_with(limit(records_max), || asked += 1);
        assert_eq!((asked, batch.unwrap().records.len()), (expected, expected));
    }
}

#[test]
fn damage_is_told_behind_what_stands_before_it() {
    let place = Place::new();
    let database = place.database();
    for number in 0..200 {
        store(&database, vec![numbered(number)]);
    }
    database.close().unwrap();
    // The engines have what the journal had: it is read from its files after the database was opened.
    let database = place.database();
    let segment = std::fs::read_dir(place.join("wal")).unwrap();
    let segment = segment.map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|it| it == "wal"));
    let segment = segment.min().unwrap();
    let mut bytes = crate::support::bytes_of(&segment);
    let middle = bytes.windows(11).position(|part| part == b"subject 100");
    let middle = middle.unwrap_or(bytes.len() / 3);
    bytes[middle] ^= 1;
    crate::support::write(&segment, &bytes);
    let mut changes = behind(&database, 0);
    let batch = changes.next_batch(limit(1000)).unwrap();
    assert!(!batch.is_last() && !batch.records.is_empty());
    assert_eq!(batch.records.len() as u64, batch.upto);
    refused(changes.next_batch(limit(1000)), ErrorKind::Corruption);
    assert_eq!(changes.upto(), batch.upto);
}
