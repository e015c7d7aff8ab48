//! Indexes in parts: whatever is asked of them, they lead to the same as a map in memory.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests look at files from outside, and damage them"
)]

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::super::FjallEngine;
use crate::{
    engine::{Bytes, Engine, Fault, Level, Range, Reader},
    guard,
};

/// Keys that there may be, of which every second one is never written.
const KEYS: u32 = 48_000;
/// Commits, and what each draws out of the keys that may be written: the index of its table has five parts and more.
const COMMITS: u32 = 8;
const WRITES: u32 = KEYS / 4;
/// A key that each commit overwrites: its versions are side by side.
const NOTE: u32 = KEYS / 2;

const LOOKUPS: u32 = 400;
const RANGES: u32 = 20;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Numbers without an order, the same ones in each run: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap();
        high % end
    }

    fn bound(&mut self) -> Bound<Vec<u8>> {
        let key = key(self.below(KEYS));
        match self.below(8) {
            0 => Bound::Unbounded,
            1..=4 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    }

    /// A range that is not empty by its bounds, though there may be nothing in it.
    fn range(&mut self) -> Range {
        loop {
            let (start, end) = (self.bound(), self.bound());
            let is_sound = match (&start, &end) {
                (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
                (
                    Bound::Included(start) | Bound::Excluded(start),
                    Bound::Included(end) | Bound::Excluded(end),
                ) => start < end,
            };
            if is_sound {
                return Range { start, end };
            }
        }
    }
}

fn key(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[b'k'; 40]].concat()
}

fn commit(engine: &FjallEngine, map: &mut Map, numbers: &mut Numbers, round: u32) {
    let value = |number: u32| [&round.to_be_bytes()[..], &number.to_be_bytes(), &[7; 90]].concat();
    let mut writes = Map::from([(key(NOTE), value(NOTE))]);
    for _ in 0..WRITES {
        let number = numbers.below(KEYS / 2) * 2;
        writes.insert(key(number), value(number));
    }
    map.extend(writes.clone());
    let pairs = writes
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()));
    engine.commit(pairs.collect(), Level::Visible).unwrap();
}

fn expect(reader: &dyn Reader, map: &Map, numbers: &mut Numbers) {
    for _ in 0..LOOKUPS {
        let key = key(numbers.below(KEYS));
        let found = reader.get(&key).unwrap();
        assert_eq!(found.as_deref(), map.get(&key).map(|value| &value[..]));
    }
    let ranges = (0..RANGES).map(|_| numbers.range());
    for range in ranges.collect::<Vec<_>>().into_iter().chain([Range::ALL]) {
        let wanted = map.range((range.start.clone(), range.end.clone()));
        let found: Result<Vec<(Bytes, Bytes)>, Fault> =
            reader.range(range.clone()).unwrap().collect();
        let found = found.unwrap();
        let found = found.iter().map(|(key, value)| (&key[..], &value[..]));
        let wanted = wanted.map(|(key, value)| (&key[..], &value[..]));
        assert!(found.eq(wanted), "{range:?}");
    }
}

/// Parts of indexes that were read from a file: each once, since there is room for all.
fn parts_read(engine: &FjallEngine) -> u64 {
    engine.cache_lookups()[2].misses
}

#[test]
fn an_index_in_parts_leads_to_every_key_and_to_no_other_one() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        FjallEngine::open(directory.path())
            .unwrap()
            .with_load_bytes_min(1)
    };
    let engine = open();
    let numbers = &mut Numbers(7);
    let mut map = Map::new();
    // Views that stay: a merge has to keep all versions of a key for them.
    let mut views: Vec<(Arc<dyn Reader>, Map)> = Vec::new();
    for round in 0..COMMITS {
        commit(&engine, &mut map, numbers, round);
        views.push((engine.reader().unwrap(), map.clone()));
    }
    let keyspace = &engine.handles().unwrap().keyspace;
    assert!(keyspace.table_count() >= usize::try_from(COMMITS).unwrap());
    assert_eq!(parts_read(&engine), 0);
    for (view, map) in &views {
        expect(&**view, map, numbers);
    }
    assert!(parts_read(&engine) > u64::from(COMMITS) * 4);
    keyspace.major_compact().unwrap();
    assert!(keyspace.table_count() < 3);
    for (view, map) in &views {
        expect(&**view, map, numbers);
    }
    drop(views);
    drop(engine);
    let engine = open();
    expect(&*engine.reader().unwrap(), &map, numbers);
}

/// Tables of the keyspace, the largest last.
fn tables(path: &Path) -> Vec<PathBuf> {
    let keyspaces = fs::read_dir(path.join("keyspaces")).unwrap();
    let directories = keyspaces.map(|keyspace| keyspace.unwrap().path().join("tables"));
    let files = directories.flat_map(|tables| fs::read_dir(tables).unwrap());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort_by_key(|file| fs::metadata(file).unwrap().len());
    files
}

/// Whether all can be read of a store that may be damaged; otherwise it says so, and until then nothing but what was written.
fn is_whole(path: &Path, map: &Map) -> bool {
    let read = || {
        let engine = FjallEngine::open(path)?;
        let reader = engine.reader()?;
        // By the filter, which reading all does not ask.
        let (key, value) = map.first_key_value().unwrap();
        assert_eq!(reader.get(key)?.as_deref(), Some(&value[..]));
        let mut wanted = map.iter();
        for pair in reader.range(Range::ALL)? {
            let (key, value) = pair?;
            assert_eq!(wanted.next(), Some((&key.to_vec(), &value.to_vec())));
        }
        assert_eq!(wanted.next(), None);
        Ok(())
    };
    match guard::catch(read) {
        Ok(()) => true,
        Err(Fault::Corrupt(_)) => false,
        Err(fault) => panic!("{fault:?}"),
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_table_is_told_and_leads_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut map = Map::new();
    let engine = FjallEngine::open(path).unwrap().with_load_bytes_min(1);
    commit(&engine, &mut map, &mut Numbers(7), 0);
    drop(engine);
    let table = tables(path).pop().unwrap();
    let bytes = fs::read(&table).unwrap();
    // Behind its blocks of data lie the parts of the index, then what leads to those, then the filter, then what describes it.
    let dense = bytes.len() - bytes.len() / 20;
    let places = (0..dense)
        .step_by(dense / 8)
        .chain((dense..bytes.len()).step_by(601));
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        fs::write(&table, &damaged).unwrap();
        assert!(!is_whole(path, &map), "{place} of {}", bytes.len());
    }
    fs::write(&table, &bytes).unwrap();
    assert!(is_whole(path, &map));
}
