//! Crashes, replay, and duplicates that are counted once.

use std::sync::Arc;

use stemedb_core::Record;
use stemedb_storage::{Counts, Key, MemoryStore};

use crate::support::{Kind, Pipeline, Place, claim, epoch, for_each_store, id, options, vote_on};

for_each_store! {
    crash_recovery, a_drop_without_stop_is_a_crash_that_loses_nothing, duplicates_are_counted_once_in_a_replay,
    a_store_that_is_lost_is_built_again_from_the_journal, a_crash_in_the_middle_of_a_replay_is_no_harm,
}

/// Ten groups with something of everything, repeats and rubbish included.
fn groups() -> Vec<Vec<Vec<u8>>> {
    let group = |number: u64| {
        let records = [
            claim(number),
            epoch(&number.to_string()),
            vote_on(id(&claim(number / 2)), 1.0),
            claim(number / 2),
        ];
        let mut payloads: Vec<_> = records.iter().map(crate::support::payload).collect();
        payloads.push(vec![9; 20]);
        payloads
    };
    (0..10).map(group).collect()
}

/// What ten groups come to: `claim(n / 2)` is new for no `n`, and the votes of two groups are the same.
fn expected() -> Counts {
    Counts {
        assertions: 10,
        votes: 5,
        epochs: 10,
        quarantined: 10,
        duplicates: 15,
    }
}

fn append_all(pipeline: &Pipeline) {
    for group in groups() {
        pipeline.append_bytes(group);
    }
    pipeline.settle();
}

/// What an undisturbed run gives.
fn undisturbed(place: &Place) -> Vec<(Vec<u8>, stemedb_storage::Value)> {
    let store = Arc::new(MemoryStore::new());
    let pipeline = Pipeline::start(place.journal(), store, options());
    pipeline.settle();
    let content = pipeline.content();
    pipeline.stop();
    content
}

fn crash_recovery(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    append_all(&pipeline);
    // Killed here: nothing was made durable in the store, and the journal was not closed.
    let image = place.image();
    let arrived = pipeline.content();
    pipeline.stop();

    let again = image.open();
    again.settle();
    assert_eq!(again.counts(), expected());
    assert_eq!(again.content(), arrived);
    // It goes on where it was.
    let sequence = again.ingest(&[claim(99)]);
    assert_eq!(sequence, 51);
    assert_eq!(
        again.record(&Key::Assertion(id(&claim(99)))),
        Some((51, claim(99)))
    );
    again.stop();
}

fn a_drop_without_stop_is_a_crash_that_loses_nothing(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    for group in groups() {
        pipeline.append_bytes(group);
    }
    drop(pipeline);
    let again = place.open();
    again.settle();
    assert_eq!(again.counts(), expected());
    let content = again.content();
    again.stop();
    assert_eq!(content, undisturbed(&place));
}

fn duplicates_are_counted_once_in_a_replay(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    append_all(&pipeline);
    assert_eq!(pipeline.counts(), expected());
    let image = place.image();
    pipeline.stop();
    for place in [&place, &image] {
        // Once with everything to be replayed that was not durable, once more with nothing.
        for _ in 0..2 {
            let again = place.open();
            again.settle();
            assert_eq!(again.counts(), expected());
            again.stop();
        }
    }
}

fn a_store_that_is_lost_is_built_again_from_the_journal(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    append_all(&pipeline);
    let content = pipeline.content();
    pipeline.stop();
    if place.db().exists() {
        std::fs::remove_dir_all(place.db()).unwrap();
    }
    let again = place.open();
    again.settle();
    assert_eq!(again.content(), content);
    assert_eq!(again.counts(), expected());
    assert_eq!(again.ingestor.counters().records, 50);
    again.stop();
}

fn a_crash_in_the_middle_of_a_replay_is_no_harm(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    append_all(&pipeline);
    let mut image = place.image();
    let content = pipeline.content();
    pipeline.stop();
    for _ in 0..4 {
        // The replay may have come to any place, or to the end.
        let interrupted = image.open();
        let next = image.image();
        drop(interrupted);
        image = next;
    }
    let again = image.open();
    again.settle();
    assert_eq!(again.content(), content);
    assert_eq!(again.counts(), expected());
    again.stop();
}

/// The two engines of the hybrid store are at different places after a kill, because one of them commits to memory between
/// checkpoints. Replay starts at the one that is behind, and changes nothing in the other.
#[test]
fn an_engine_that_lost_its_last_commits_is_brought_up_and_the_other_left_alone() {
    let place = Place::new(Kind::Hybrid);
    let pipeline = place.open();
    pipeline.ingest(&[claim(1), epoch("first")]);
    pipeline.ingest(&[epoch("second"), claim(2), claim(1)]);
    pipeline.ingest(&[claim(3), vote_on(id(&claim(3)), 1.0)]);
    let image = place.image();
    let content = pipeline.content();
    pipeline.stop();

    let store = image.store();
    let reached: Vec<_> = store
        .cursors()
        .unwrap()
        .iter()
        .map(|engine| engine.cursor.map_or(0, |cursor| cursor.sequence.get()))
        .collect();
    assert_eq!(reached.iter().max(), Some(&7), "one engine kept everything");
    assert_eq!(reached.iter().min(), Some(&0), "the other lost everything");
    assert!(
        store.snapshot().is_err(),
        "readable before it is reconciled"
    );
    drop(store);

    let again = image.open();
    again.settle();
    assert_eq!(again.content(), content);
    let expected = Counts {
        assertions: 3,
        votes: 1,
        epochs: 2,
        quarantined: 0,
        duplicates: 1,
    };
    assert_eq!(again.counts(), expected);
    for (name, sequence) in [("first", 2), ("second", 3)] {
        let record: Record = epoch(name);
        assert_eq!(
            again.record(&Key::Epoch(id(&record))),
            Some((sequence, record))
        );
    }
    again.stop();
}
