//! The stored records in order, also while writing goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stemedb::{Record, Sequence};

use crate::support::{
    Place, creating, epoch, exported, id, kinds, numbered, settle, store, vote_on,
};

#[test]
fn an_empty_database_exports_nothing() {
    let place = Place::new();
    let database = place.database();
    let mut export = database.export().unwrap();
    assert_eq!(export.last_sequence(), None);
    assert!(export.next().is_none());
}

#[test]
fn an_export_goes_in_again_and_comes_out_the_same() {
    for kind in kinds() {
        let (from, to) = (Place::new(), Place::new());
        let database = creating().store(kind).open(from.path()).unwrap();
        let mut records = vec![vote_on(id(&numbered(3)), 0.5), epoch("2026", None)];
        records.extend((0..50).map(numbered));
        records.extend((0..50).map(numbered));
        store(&database, records);
        let stored = exported(&database);
        assert_eq!(stored.len(), 52);
        let sequences = stored.iter().map(|it| it.sequence.get());
        assert!(sequences.eq(1..=52));
        let lines: Vec<_> = stored.iter().map(|it| it.record.to_json()).collect();

        let copy = to.database();
        let parsed = lines
            .iter()
            .map(|line| Record::from_json(line.as_bytes()).unwrap());
        store(&copy, parsed.collect());
        let again: Vec<_> = exported(&copy)
            .iter()
            .map(|it| it.record.to_json())
            .collect();
        assert_eq!(again, lines);
    }
}

/// Duplicates come into a journal only past the library; they and what is in quarantine are passed over.
#[test]
fn duplicates_and_rubbish_of_the_journal_are_passed_over() {
    let place = Place::new();
    place.database().close().unwrap();
    let mut journal = stemedb_wal::Journal::open(place.join("wal")).unwrap();
    let payload = |number| stemedb_ingest::serialize(&numbered(number)).unwrap();
    for bytes in [payload(1), vec![7; 30], payload(2), payload(1), payload(3)] {
        journal.append(bytes).unwrap();
    }
    journal.close().unwrap();
    let database = place.database();
    let sequences: Vec<_> = exported(&database)
        .iter()
        .map(|it| it.sequence.get())
        .collect();
    assert_eq!(sequences, vec![1, 3, 5]);
    let counts = database.stats().unwrap().counts;
    assert_eq!(
        (counts.assertions, counts.duplicates, counts.quarantined),
        (3, 1, 1)
    );
}

#[test]
fn an_export_ends_where_it_began_to_look_while_writing_goes_on() {
    const BEFORE: u64 = 12_000;
    let place = Place::new();
    let database = place.database();
    store(&database, (0..BEFORE).map(numbered).collect());
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut next = BEFORE;
            while !is_done.load(Ordering::Acquire) {
                let receipts = database.ingest((next..next + 200).map(numbered));
                assert!(receipts.iter().all(Result::is_ok));
                next += 200;
            }
            next
        });
        for _ in 0..3 {
            let export = database.export().unwrap();
            let last = export.last_sequence().map_or(0, Sequence::get);
            assert!(last >= BEFORE);
            let stored: Vec<_> = export.map(Result::unwrap).collect();
            assert!(stored.iter().map(|it| it.sequence.get()).eq(1..=last));
            assert!(
                stored
                    .iter()
                    .zip(0..)
                    .all(|(it, number)| it.record == numbered(number))
            );
        }
        is_done.store(true, Ordering::Release);
        let written = writer.join().unwrap();
        settle(&database);
        assert_eq!(exported(&database).len() as u64, written);
    });
}

#[test]
fn an_export_that_is_kept_does_not_hold_back_what_is_written() {
    let place = Place::new();
    let database = place.database();
    store(&database, (0..10).map(numbered).collect());
    let mut export = database.export().unwrap();
    export.next().unwrap().unwrap();
    store(&database, (10..500).map(numbered).collect());
    assert_eq!(export.count(), 9);
}
