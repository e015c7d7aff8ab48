//! Close, drop, durability, and what outlives a database.

use std::time::Duration;

use stemedb::{Database, Durability, ErrorKind, Health, Page, Sequence};

use crate::support::{
    Place, answer, creating, exported, numbered, refused, settle, store, subject, values,
};

#[test]
fn a_database_that_was_closed_or_dropped_opens_at_once_with_everything() {
    let place = Place::new();
    for round in 0..10_u64 {
        let database = place.database();
        assert_eq!(exported(&database).len() as u64, round);
        assert!(matches!(database.health(), Health::Good));
        let receipt = database.add(numbered(round)).unwrap();
        assert_eq!(receipt.sequence.get(), round + 1);
        if round % 2 == 0 {
            database.close().unwrap();
        }
    }
}

#[test]
fn whoever_waits_for_what_never_comes_hears_of_the_close() {
    let place = Place::new();
    let database = place.database();
    database.add(numbered(0)).unwrap();
    let never = database.wait_applied(Sequence::new(2).unwrap());
    database.close().unwrap();
    let error = refused(never.wait(), ErrorKind::Closed);
    assert_eq!(error.to_string(), "the ingest worker is stopped");
}

#[test]
fn a_view_outlives_its_database_and_keeps_the_store() {
    let place = Place::new();
    let database = place.database();
    store(&database, vec![numbered(1)]);
    let view = database.view().unwrap();
    database.close().unwrap();
    let listing = view.assertions(&subject("subject 1"), None, &Page::default());
    assert_eq!(values(listing).len(), 1);
    drop(view);
    Database::open(place.path()).unwrap().close().unwrap();
}

#[test]
fn records_that_are_synced_at_intervals_say_so_and_are_there_after_a_close() {
    let place = Place::new();
    let every = Durability::Interval(Duration::from_millis(5));
    for round in 0..3_u64 {
        let database = creating().durability(every).open(place.path()).unwrap();
        assert_eq!(exported(&database).len() as u64, round * 100);
        for number in round * 100..(round + 1) * 100 {
            let receipt = database.add(numbered(number)).unwrap();
            assert_eq!(receipt.durability, every);
            assert_eq!(receipt.sequence.get(), number + 1);
        }
        let again = database.add(numbered(0)).unwrap();
        assert_eq!((again.durability, again.sequence.get()), (every, 1));
        let last = Sequence::new((round + 1) * 100).unwrap();
        database.wait_applied(last).wait().unwrap();
        database.close().unwrap();
    }
    let database = Database::open(place.path()).unwrap();
    assert_eq!(exported(&database).len(), 300);
}

#[test]
fn statistics_tell_where_a_database_stands() {
    let place = Place::new();
    let database = place.database();
    let empty = database.stats().unwrap();
    assert_eq!((empty.durable_sequence, empty.applied_sequence), (0, 0));
    assert_eq!(empty.journal.head_hash, None);
    assert_eq!(empty.journal.id.len(), 32);
    assert_eq!(empty.store.kind, "hybrid");
    store(&database, (0..20).map(numbered).collect());
    let grown = database.stats().unwrap();
    assert_eq!((grown.durable_sequence, grown.applied_sequence), (20, 20));
    assert_eq!(grown.counts.assertions, 20);
    assert_eq!(grown.journal.id, empty.journal.id);
    assert_eq!(grown.journal.head_hash.as_ref().map(String::len), Some(64));
    assert!(grown.journal.bytes > empty.journal.bytes);
    assert_eq!(grown.journal.segments, 1);
    assert!(grown.store.bytes > 0);

    // What is stored already changes nothing, now or after it was opened again.
    let receipts = database.ingest((0..20).map(numbered));
    assert_eq!(answer(&receipts[19]).0, 20);
    settle(&database);
    assert_eq!(
        database.stats().unwrap().journal.head_hash,
        grown.journal.head_hash
    );
    database.close().unwrap();
    let database = place.database();
    let closed = database.stats().unwrap();
    store(&database, (0..20).map(numbered).collect());
    assert_eq!(database.stats().unwrap().journal, closed.journal);
    assert_eq!(closed.journal.head_hash, grown.journal.head_hash);
}

#[test]
fn small_segments_are_many_and_hold_the_same() {
    let place = Place::new();
    let database = creating()
        .segment_bytes_max(4096)
        .open(place.path())
        .unwrap();
    for number in 0..60 {
        database.add(numbered(number)).unwrap();
    }
    assert!(database.stats().unwrap().journal.segments > 5);
    database.close().unwrap();
    assert_eq!(exported(&place.database()).len(), 60);
}
