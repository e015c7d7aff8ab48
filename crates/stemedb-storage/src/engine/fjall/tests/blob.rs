//! Values that lie apart from their keys: nothing moves or removes them, and what says where they are is not believed blindly.
#![expect(
    clippy::disallowed_methods,
    reason = "the tests look at files from outside, and damage them"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use super::super::{BLOB_BYTES_MIN, BLOBS, FjallEngine, KEYSPACE, MEMTABLE_BYTES_MAX};
use crate::{
    engine::{Engine, Fault, Level, Pair, Range},
    envelope,
};

/// A note that is overwritten by each commit.
const NOTE: &[u8] = b"M:note";

/// A pair whose value is apart once it is in a table.
fn pair(number: u64) -> Pair {
    let key = number
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_be_bytes()
        .to_vec();
    let noise = (0..60_u64).flat_map(|salt| {
        let mixed = (number + 1).wrapping_mul(salt + 0x5851_f42d_4c95_7f2d);
        mixed.rotate_left(29).to_le_bytes()
    });
    let content: Vec<u8> = noise.collect();
    let envelope = envelope::seal(&key, number + 1, 0, &content);
    assert!(envelope.len() > usize::try_from(BLOB_BYTES_MIN).unwrap());
    (key.into(), envelope.into())
}

fn commit(engine: &FjallEngine, numbers: std::ops::Range<u64>) {
    let end = numbers.end.to_le_bytes().to_vec();
    let note = (NOTE.to_vec().into(), end.into());
    let mut writes: Vec<_> = numbers.map(pair).chain([note]).collect();
    writes.sort();
    engine.commit(writes, Level::Visible).unwrap();
}

fn expect_all(engine: &FjallEngine, end: u64) {
    let mut expected: BTreeMap<_, _> = (0..end).map(pair).collect();
    expected.insert(NOTE.to_vec().into(), end.to_le_bytes().to_vec().into());
    let reader = engine.reader().unwrap();
    for (key, value) in &expected {
        assert_eq!(reader.get(key).unwrap().unwrap()[..], value[..]);
    }
    let found: Result<Vec<_>, Fault> = reader.range(Range::ALL).unwrap().collect();
    let found = found.unwrap().into_iter();
    assert!(found.eq(expected));
}

fn keyspace(path: &Path) -> PathBuf {
    path.join("keyspaces/1")
}

/// The files of a directory, with their bytes.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = fs::read_dir(directory) else {
        return BTreeMap::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn flush(engine: &FjallEngine) {
    let keyspace = &engine.handles().unwrap().keyspace;
    keyspace.rotate_memtable_and_wait().unwrap();
}

fn merge(engine: &FjallEngine) {
    engine.handles().unwrap().keyspace.major_compact().unwrap();
}

/// Blobs of two loads and of a flush.
fn filled(path: &Path) -> FjallEngine {
    let engine = FjallEngine::open(path).unwrap().with_load_bytes_min(4_000);
    commit(&engine, 0..20);
    commit(&engine, 20..60);
    commit(&engine, 60..63);
    flush(&engine);
    engine
}

#[test]
fn merges_leave_blobs_as_they_are_and_nothing_in_them_becomes_stale() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path());
    let blobs = keyspace(directory.path()).join(BLOBS);
    let mut before = files(&blobs);
    assert_eq!(before.len(), 3, "two loads and a flush");
    merge(&engine);
    assert_eq!(files(&blobs), before);
    let mut end = 63;
    for more in [1, 40, 2, 30, 1] {
        commit(&engine, end..end + more);
        end += more;
        flush(&engine);
        merge(&engine);
        let after = files(&blobs);
        assert!(
            before
                .iter()
                .all(|(path, bytes)| after.get(path) == Some(bytes))
        );
        before = after;
    }
    let keyspace = &engine.handles().unwrap().keyspace;
    assert_eq!(keyspace.fragmented_blob_bytes(), 0);
    assert_eq!(keyspace.blob_file_count(), before.len());
    assert_eq!(keyspace.table_count(), 1);
    expect_all(&engine, end);
    drop(engine);
    let engine = FjallEngine::open(directory.path()).unwrap();
    expect_all(&engine, end);
    assert_eq!(files(&blobs), before);
}

/// Which bytes of a table say what blobs it refers to, by its table of contents.
fn links(table: &[u8]) -> std::ops::Range<usize> {
    const NAME: &[u8] = b"linked_blob_files";
    let name = table
        .windows(NAME.len())
        .position(|bytes| bytes == NAME)
        .unwrap();
    let number = |at: usize| {
        let number = u64::from_le_bytes(table[at..at + 8].try_into().unwrap());
        usize::try_from(number).unwrap()
    };
    let (offset, length) = (number(name - 18), number(name - 10));
    offset..offset + length
}

/// fjall believes these bytes, which have no checksum, when it merges the table: it allocated for as many links as they said, which
/// ended the process, or panicked at a link to nothing.
#[test]
fn no_byte_of_the_links_of_a_table_does_harm_when_it_is_merged() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path()));
    let tables = files(&keyspace(directory.path()).join("tables"));
    let (mut refused, mut merged) = (0, 0);
    for (table, whole) in &tables {
        for at in links(whole) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(table, &bytes).unwrap();
            match FjallEngine::open(directory.path()) {
                Err(Fault::Corrupt(_)) => refused += 1,
                Err(other) => panic!("{other}"),
                Ok(engine) => {
                    drop(engine);
                    let image = tempfile::tempdir().unwrap();
                    copy(directory.path(), image.path());
                    let engine = FjallEngine::open(image.path()).unwrap();
                    merge(&engine);
                    expect_all(&engine, 63);
                    merged += 1;
                }
            }
        }
        fs::write(table, whole).unwrap();
    }
    println!("{refused} are refused, {merged} do not matter");
    assert!(
        refused >= 3 * 12,
        "how many there are, and which: {refused}"
    );
    expect_all(&FjallEngine::open(directory.path()).unwrap(), 63);
}

/// A keyspace keeps the way it was created with: one from before values lay apart keeps them in its tables.
#[test]
fn a_keyspace_whose_values_lie_in_its_tables_goes_on_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::builder(directory.path()).open().unwrap();
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
    let old = db.keyspace(KEYSPACE, options).unwrap();
    for (number, is_flushed) in [(0, true), (1, false)] {
        let (key, value) = pair(number);
        old.insert(&key[..], &value[..]).unwrap();
        old.insert(NOTE, (number + 1).to_le_bytes()).unwrap();
        if is_flushed {
            old.rotate_memtable_and_wait().unwrap();
        }
    }
    db.persist(PersistMode::SyncAll).unwrap();
    drop((old, db));

    let mut end = 2;
    for (more, load_bytes_min) in [(3, usize::MAX), (40, 1), (2, usize::MAX), (50, 1)] {
        let engine = FjallEngine::open(directory.path()).unwrap();
        let engine = engine.with_load_bytes_min(load_bytes_min);
        expect_all(&engine, end);
        commit(&engine, end..end + more);
        end += more;
        engine.sync().unwrap();
        expect_all(&engine, end);
        flush(&engine);
        merge(&engine);
        expect_all(&engine, end);
        assert!(!engine.handles().unwrap().keyspace.is_kv_separated());
    }
    assert!(files(&keyspace(directory.path()).join(BLOBS)).is_empty());
}
