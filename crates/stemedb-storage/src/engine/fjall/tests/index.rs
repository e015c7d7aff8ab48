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
    thread,
    time::Duration,
};

use super::super::{FjallEngine, Handles, MERGE_TABLES_MIN};
use crate::{
    engine::{Bytes, Engine, Fault, Level, Range, Reader},
    guard,
};

/// Keys that there may be, of which every second one is never written.
const KEYS: u32 = 48_000;
/// Commits, and what each draws out of the keys that may be written: the index of its table has five parts and more.
const COMMITS: u32 = 8;
const WRITES: u32 = KEYS / 4;
/// More commits: more tables than wait in level 0 to be merged.
const COMMITS_MERGED: u32 = MERGE_TABLES_MIN as u32 + 4;
/// A key that each commit overwrites: its versions are side by side.
const NOTE: u32 = KEYS / 2;

const LOOKUPS: u32 = 400;
const RANGES: u32 = 20;
/// How long a merge in the background is waited for.
const MERGE_PAUSE: Duration = Duration::from_millis(10);
const MERGE_PAUSES_MAX: u32 = 6000;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;
/// Views, and what each shows.
type Views = Vec<(Arc<dyn Reader>, Map)>;

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

/// What a view shows, by keys that were drawn, by the note and by ranges.
fn expect(reader: &dyn Reader, map: &Map, numbers: &mut Numbers) {
    let drawn = (0..LOOKUPS).map(|_| numbers.below(KEYS));
    expect_keys(reader, map, drawn.chain([NOTE]));
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

fn expect_keys(reader: &dyn Reader, map: &Map, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let key = key(number);
        let found = reader.get(&key).unwrap();
        assert_eq!(
            found.as_deref(),
            map.get(&key).map(|value| &value[..]),
            "{number}"
        );
    }
}

/// Parts of indexes that were read from a file: each once, since there is room for all.
fn parts_read(engine: &FjallEngine) -> u64 {
    engine.cache_lookups()[2].misses
}

/// Engine, map and views of so many commits. While views stay a merge has to keep all versions of a key.
fn committed(path: &Path, commits: u32, numbers: &mut Numbers) -> (FjallEngine, Map, Views) {
    let engine = FjallEngine::open(path).unwrap().with_load_bytes_min(1);
    let mut map = Map::new();
    let mut views = Views::new();
    for round in 0..commits {
        commit(&engine, &mut map, numbers, round);
        views.push((engine.reader().unwrap(), map.clone()));
    }
    (engine, map, views)
}

#[test]
fn an_index_in_parts_leads_to_every_key_and_to_no_other_one() {
    let directory = tempfile::tempdir().unwrap();
    let numbers = &mut Numbers(7);
    let (engine, map, views) = committed(directory.path(), COMMITS, numbers);
    let keyspace = &engine.handles().unwrap().keyspace;
    assert!(keyspace.table_count() >= usize::try_from(COMMITS).unwrap());
    assert_eq!(parts_read(&engine), 0);
    for (view, map) in &views {
        expect(&**view, map, numbers);
    }
    assert!(parts_read(&engine) > u64::from(COMMITS) * 4);
    keyspace.major_compact().unwrap();
    assert!(keyspace.table_count() < 3);
    // Views go on to read the tables that they were taken with.
    for (view, map) in &views {
        expect(&**view, map, numbers);
    }
    drop(views);
    drop(engine);
    let engine = FjallEngine::open(directory.path()).unwrap();
    let reader = engine.reader().unwrap();
    expect(&*reader, &map, numbers);
    // Each key once: the table holds all versions, as the views had wanted, some of which begin in one part and end in the next.
    expect_keys(&*reader, &map, 0..KEYS);
}

#[test]
fn tables_that_were_merged_into_the_first_level_have_indexes_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let numbers = &mut Numbers(8);
    let (engine, map, views) = committed(directory.path(), COMMITS_MERGED, numbers);
    let Handles { keyspace, db } = engine.handles().unwrap();
    let mut pauses = 0..MERGE_PAUSES_MAX;
    while keyspace.l0_table_count() >= usize::from(MERGE_TABLES_MIN) || db.active_compactions() > 0
    {
        pauses.next().expect("level 0 is merged");
        thread::park_timeout(MERGE_PAUSE);
    }
    assert!(keyspace.table_count() > keyspace.l0_table_count());
    assert_eq!(parts_read(&engine), 0);
    // A view of now, which reads what came out of the merge.
    let reader = engine.reader().unwrap();
    expect(&*reader, &map, numbers);
    expect_keys(&*reader, &map, 0..KEYS);
    // A table in level 0 has eight parts; the merged one has those of twelve, since the views want all versions.
    let in_level_0 = u64::try_from(keyspace.l0_table_count()).unwrap();
    assert!(parts_read(&engine) > in_level_0 * 10 + 40);
    drop(views);
}

#[test]
fn a_table_that_was_flushed_keeps_its_index_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let engine = FjallEngine::open(directory.path()).unwrap();
    let mut map = Map::new();
    let numbers = &mut Numbers(9);
    commit(&engine, &mut map, numbers, 0);
    let keyspace = &engine.handles().unwrap().keyspace;
    keyspace.rotate_memtable_and_wait().unwrap();
    assert_eq!(keyspace.table_count(), 1);
    expect(&*engine.reader().unwrap(), &map, numbers);
    let index = engine.cache_lookups()[2];
    assert_eq!((index.hits, index.misses), (Some(0), 0));
    assert!(engine.cache_lookups()[0].misses > 0);
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
fn a_flipped_bit_in_what_leads_to_keys_is_told_and_leads_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut map = Map::new();
    let engine = FjallEngine::open(path).unwrap().with_load_bytes_min(1);
    commit(&engine, &mut map, &mut Numbers(7), 0);
    drop(engine);
    let table = tables(path).pop().unwrap();
    let bytes = fs::read(&table).unwrap();
    // Behind its blocks of data lie the parts of the index, then what leads to those, then the filter, then what describes it. The
    // shortest of the first three has some 400 bytes.
    let dense = bytes.len() - bytes.len() / 20;
    let places = (0..dense)
        .step_by(dense / 8)
        .chain((dense..bytes.len()).step_by(199));
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        fs::write(&table, &damaged).unwrap();
        assert!(!is_whole(path, &map), "{place} of {}", bytes.len());
    }
    fs::write(&table, &bytes).unwrap();
    assert!(is_whole(path, &map));
}
