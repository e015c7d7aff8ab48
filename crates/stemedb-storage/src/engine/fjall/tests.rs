use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use fjall::{Keyspace, Readable};

use super::{Engine, FjallEngine, Level, Pair};
use crate::{
    engine::{CacheLookups, Fault, Range},
    envelope,
};

mod blob;
mod index;
mod stall;

/// Entries of a batch: so many that committing one takes a while.
const ENTRIES: u32 = 500;
/// Pairs that are looked at before giving up.
const PAIRS_MAX: u32 = 5_000_000;

fn write_all(engine: &FjallEngine, value: u32) {
    let bytes = |number: u32| number.to_be_bytes().to_vec().into();
    let pair = |key: u32| (bytes(key), bytes(value));
    engine
        .commit((0..ENTRIES).map(pair).collect(), Level::Visible)
        .unwrap();
}

/// Commits batches of one value each while `differ` looks at the first and the last entry, until it
/// has seen them differ or has looked often enough.
fn sees_half_a_batch(pairs_max: u32, differ: impl Fn(&FjallEngine) -> bool + Sync) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let engine = FjallEngine::open(directory.path()).unwrap();
    write_all(&engine, 0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut value = 0;
            while !stop.load(Ordering::Relaxed) {
                value += 1;
                write_all(&engine, value);
            }
        });
        let seen = (0..pairs_max).any(|_| differ(&engine));
        stop.store(true, Ordering::Relaxed);
        seen
    })
}

fn keys() -> [[u8; 4]; 2] {
    [0, ENTRIES - 1].map(u32::to_be_bytes)
}

/// Why reads go through snapshots alone: should this test ever fail, fjall has changed.
#[test]
fn a_bare_get_sees_half_a_batch() {
    assert!(sees_half_a_batch(PAIRS_MAX, |engine| {
        let keyspace: &Keyspace = &engine.handles().unwrap().keyspace;
        let [first, last] = keys().map(|key| keyspace.get(key).unwrap());
        first != last
    }));
}

#[test]
fn a_reader_never_sees_half_a_batch() {
    assert!(!sees_half_a_batch(20_000, |engine| {
        let reader = engine.reader().unwrap();
        let [first, last] = keys().map(|key| reader.get(&key).unwrap());
        first != last
    }));
}

/// Sealed entries in a table file, as they lie there after a flush.
fn flushed(path: &std::path::Path) -> Vec<Pair> {
    let sealed = |number: u64| {
        let key = number.to_be_bytes().to_vec();
        let envelope = envelope::seal(&key, number, 0, format!("content {number}").as_bytes());
        (key.into(), envelope.into())
    };
    let pairs: Vec<Pair> = (1..=100).map(sealed).collect();
    let engine = FjallEngine::open(path).unwrap();
    engine.commit(pairs.clone(), Level::Visible).unwrap();
    let keyspace = &engine.handles().unwrap().keyspace;
    keyspace.rotate_memtable_and_wait().unwrap();
    assert!(keyspace.table_count() > 0);
    pairs
}

#[test]
fn what_is_flushed_is_read_back_from_its_table() {
    let directory = tempfile::tempdir().unwrap();
    let pairs = flushed(directory.path());
    let engine = FjallEngine::open(directory.path()).unwrap();
    let reader = engine.reader().unwrap();
    let found: Result<Vec<_>, Fault> = reader.range(Range::ALL).unwrap().collect();
    assert_eq!(found.unwrap(), pairs);
    let keyspace = &engine.handles().unwrap().keyspace;
    assert_eq!(
        engine
            .handles()
            .unwrap()
            .db
            .snapshot()
            .len(keyspace)
            .unwrap(),
        pairs.len()
    );
}

#[test]
fn a_block_of_data_is_read_from_its_file_once_and_then_found_in_the_cache() {
    let directory = tempfile::tempdir().unwrap();
    let pairs = flushed(directory.path());
    let engine = FjallEngine::open(directory.path()).unwrap();
    let data = || {
        let lookups = engine.cache_lookups();
        let contents: Vec<_> = lookups.iter().map(|it| it.content).collect();
        assert_eq!(contents, ["data", "filter", "index"]);
        let CacheLookups { hits, misses, .. } = lookups[0];
        assert_eq!(hits, None);
        misses
    };
    let misses = data();
    let reader = engine.reader().unwrap();
    for _ in 0..3 {
        let (key, envelope) = &pairs[7];
        assert_eq!(reader.get(key).unwrap().as_ref(), Some(envelope));
        assert_eq!(data(), misses + 1);
    }
    let read_all = || assert_eq!(reader.range(Range::ALL).unwrap().count(), pairs.len());
    read_all();
    let misses_of_all = data();
    assert!(misses_of_all > misses + 1);
    read_all();
    assert_eq!(data(), misses_of_all);
}
