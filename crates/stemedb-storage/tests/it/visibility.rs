//! Nobody sees half a batch: a reader looks at pairs of entries while batches are applied.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use stemedb_storage::{Batch, HybridStore, KVStore, Key, MemoryStore};

use crate::support::{Put, cursor, id, put, seq};

/// Readers beside the one who applies.
const READERS: u64 = 2;
/// Pairs that a reader must have looked at; `STEMEDB_LONG_TESTS` has all of them look at a million.
const PAIRS: u64 = 20_000;
const PAIRS_LONG: u64 = 1_000_000 / READERS;
/// Batches that are applied at least, so that there is something to look at.
const BATCHES: u64 = 2_000;
/// Batches that a long test applies at most.
const BATCHES_MAX: u64 = 1_000_000;

/// A batch of two entries: one in the engine of the stream, one in the small engine, then filling.
fn pair(number: u64) -> Batch {
    let puts = [
        put(Key::Assertion(id(number)), number, vec![1]),
        put(Key::Epoch(id(number)), number, vec![1]),
        put(Key::Quarantine(seq(number)), number, vec![1; 64]),
    ];
    Batch {
        first: seq(number),
        cursor: cursor(number),
        entries: puts.iter().map(Put::seal).collect(),
        duplicates: Vec::new(),
    }
}

/// Looks for the newest pair in the published view until told to stop; returns how often.
fn look(store: &dyn KVStore, stop: &AtomicBool, total: &AtomicU64, least: u64) -> u64 {
    let mut looked = 0;
    while !stop.load(Ordering::Relaxed) || looked < least {
        let view = store.snapshot().unwrap();
        let last = view.cursor().map_or(0, |cursor| cursor.sequence.get());
        // The newest pair must be there as a whole, the one after it not at all.
        for (number, wanted) in [(last, true), (last + 1, false)]
            .into_iter()
            .filter(|(n, _)| *n > 0)
        {
            for key in [
                Key::Assertion(id(number)),
                Key::Epoch(id(number)),
                Key::Quarantine(seq(number)),
            ] {
                assert_eq!(
                    view.get(&key.encode()).unwrap().is_some(),
                    wanted,
                    "{key} at {last}"
                );
            }
        }
        let counts = view.counts();
        assert_eq!(
            (counts.assertions, counts.epochs, counts.quarantined),
            (last, last, last)
        );
        looked += 1;
        total.fetch_add(1, Ordering::Relaxed);
    }
    looked
}

fn nobody_sees_half_a_batch(store: &dyn KVStore) {
    store.publish().unwrap();
    let is_long = std::env::var_os("STEMEDB_LONG_TESTS").is_some();
    let least = if is_long { PAIRS_LONG } else { PAIRS };
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| scope.spawn(|| look(store, &stop, &total, least)))
            .collect();
        // In a long test there is something to apply for as long as somebody has to look.
        let is_looked_at = || is_long && total.load(Ordering::Relaxed) < READERS * least;
        let mut number = 0;
        while number < BATCHES || (number < BATCHES_MAX && is_looked_at()) {
            number += 1;
            store.apply(pair(number)).unwrap();
            store.publish().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            let looked = reader.join().unwrap();
            assert!(looked >= least);
        }
    });
}

#[test]
fn nobody_sees_half_a_batch_of_a_memory_store() {
    nobody_sees_half_a_batch(&MemoryStore::new());
}

#[test]
fn nobody_sees_half_a_batch_of_a_hybrid_store() {
    let directory = tempfile::tempdir().unwrap();
    nobody_sees_half_a_batch(&HybridStore::open(directory.path()).unwrap());
}

#[cfg(feature = "sled")]
#[test]
fn nobody_sees_half_a_batch_of_a_sled_store() {
    let directory = tempfile::tempdir().unwrap();
    nobody_sees_half_a_batch(&stemedb_storage::SledStore::open(directory.path()).unwrap());
}
