//! A journal made up of numbers: what record `n` is follows from `n` alone.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread::yield_now,
};

use stemedb_core::{RecordId, Sequence};
use stemedb_storage::{
    Batch, Cursor, Entry, HybridStore, KVStore, Key, Origin,
    engine::{FjallEngine, RedbEngine},
};
use tempfile::TempDir;

/// The journal from which all test batches come.
pub(crate) const JOURNAL: [u8; 16] = *b"a made-up ledger";

/// Records in the stores that are damaged.
pub(crate) const LAST: u64 = 60;

pub(crate) fn seq(number: u64) -> Sequence {
    Sequence::new(number).expect("sequences begin at 1")
}

pub(crate) fn id(number: u64) -> RecordId {
    let mut bytes = [0; 32];
    for (chunk, salt) in bytes.chunks_exact_mut(8).zip(1_u64..) {
        // Ids are hashes: spread them, so that key order is not arrival order.
        let mixed = number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(17)
            .wrapping_mul(salt);
        chunk.copy_from_slice(&mixed.to_be_bytes());
    }
    RecordId::from_bytes(bytes)
}

pub(crate) fn cursor(number: u64) -> Cursor {
    Cursor {
        journal: JOURNAL,
        sequence: seq(number),
        group: number * 2,
        group_hash: *id(number).as_bytes(),
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Assertion,
    Vote,
    Epoch,
    Quarantined,
    Duplicate,
}

/// Of ten records one is an epoch, one a duplicate, one goes to quarantine, two are votes.
pub(crate) fn kind(number: u64) -> Kind {
    match number % 10 {
        3 => Kind::Epoch,
        5 => Kind::Duplicate,
        7 => Kind::Quarantined,
        4 | 8 => Kind::Vote,
        _ => Kind::Assertion,
    }
}

pub(crate) fn subject(number: u64) -> String {
    ["Tesla", "Tesla_Inc", "Tes"][usize::try_from(number % 3).unwrap()].to_owned()
}

/// The content of a record: a few words, or long enough for fjall to compress it, to keep it apart from its key, or both.
pub(crate) fn content(number: u64) -> Vec<u8> {
    let words = format!("payload of record {number}");
    let noise = || {
        let chunks = (1..).flat_map(|salt| *id(number ^ (salt << 32)).as_bytes());
        words.bytes().chain(chunks)
    };
    match number % 10 {
        1 | 7 => noise().take(300).collect(),
        2 => words.repeat(40).into_bytes(),
        6 => noise().take(200).collect::<Vec<_>>().repeat(3),
        _ => words.into_bytes(),
    }
}

/// An entry before it is sealed.
pub(crate) struct Put {
    pub(crate) key: Key,
    pub(crate) sequence: Sequence,
    pub(crate) arrived_at_ms: u64,
    pub(crate) content: Vec<u8>,
}

impl Put {
    pub(crate) fn seal(&self) -> Entry {
        self.try_seal().unwrap()
    }

    pub(crate) fn try_seal(&self) -> stemedb_storage::Result<Entry> {
        let origin = Origin {
            sequence: self.sequence,
            arrived_at_ms: self.arrived_at_ms,
        };
        Entry::new(&self.key, origin, &self.content)
    }
}

pub(crate) fn put(key: Key, number: u64, content: Vec<u8>) -> Put {
    Put {
        key,
        sequence: seq(number),
        arrived_at_ms: 1_700_000_000_000 + number,
        content,
    }
}

/// The entries of a record.
pub(crate) fn puts(number: u64) -> Vec<Put> {
    let assertion = id(number - number % 10 + 1);
    match kind(number) {
        Kind::Assertion => vec![
            put(Key::Assertion(id(number)), number, content(number)),
            put(
                Key::Subject {
                    subject: subject(number),
                    predicate: "is".into(),
                    sequence: seq(number),
                },
                number,
                id(number).as_bytes().to_vec(),
            ),
        ],
        Kind::Vote => vec![
            put(
                Key::Vote {
                    assertion,
                    vote: id(number),
                },
                number,
                content(number),
            ),
            put(
                Key::VoteIndex(id(number)),
                number,
                assertion.as_bytes().to_vec(),
            ),
        ],
        Kind::Epoch => vec![put(Key::Epoch(id(number)), number, content(number))],
        Kind::Quarantined => vec![put(Key::Quarantine(seq(number)), number, content(number))],
        Kind::Duplicate => Vec::new(),
    }
}

/// The batch of the records `first..=last`.
pub(crate) fn batch(first: u64, last: u64) -> Batch {
    Batch {
        first: seq(first),
        cursor: cursor(last),
        entries: (first..=last)
            .flat_map(puts)
            .map(|put| put.seal())
            .collect(),
        duplicates: (first..=last)
            .filter(|n| kind(*n) == Kind::Duplicate)
            .map(seq)
            .collect(),
    }
}

/// Applies the journal up to `last` from the store's cursor, in batches of `size`.
pub(crate) fn replay(store: &dyn KVStore, last: u64, size: u64) {
    let mut first = store
        .cursor()
        .unwrap()
        .map_or(1, |cursor| cursor.sequence.get() + 1);
    while first <= last {
        let end = last.min(first + size - 1);
        store.apply(batch(first, end)).unwrap();
        first = end + 1;
    }
}

/// Replays and publishes.
pub(crate) fn catch_up(store: &dyn KVStore, last: u64) {
    replay(store, last, 7);
    store.publish().unwrap();
}

/// A directory for files that need not survive anything: in memory, where the system has such a place.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// The files below a directory, by their paths from there.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            files.push(path.strip_prefix(directory).unwrap().to_owned());
        }
    }
    files.sort();
    files
}

/// Waits until fjall has flushed what it found in its sealed journal.
pub(crate) fn await_flush(store: &Path) {
    let sealed = store.join("fjall/0.jnl");
    for _ in 0..100_000_000_u64 {
        if !sealed.exists() {
            return;
        }
        yield_now();
    }
    panic!("fjall did not flush");
}

/// A closed store whose first half lies in tables of fjall.
///
/// fjall flushes a memtable of 32 MB. It also flushes what it finds in a sealed journal at opening, and an empty `1.jnl` makes it take
/// `0.jnl` for sealed.
pub(crate) fn fjall_tables(last: u64) -> TempDir {
    let directory = scratch();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, last / 2);
    store.persist().unwrap();
    drop(store);
    fs::File::create(directory.path().join("fjall/1.jnl")).unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    await_flush(directory.path());
    catch_up(&store, last);
    store.persist().unwrap();
    drop(store);
    directory
}

/// A closed store whose first half came into tables and blobs by a load, each half of it in files of its own.
pub(crate) fn fjall_loaded(last: u64) -> TempDir {
    let directory = scratch();
    drop(HybridStore::open(directory.path()).unwrap());
    let stream = FjallEngine::open(&directory.path().join("fjall")).unwrap();
    let small = RedbEngine::open(&directory.path().join("redb")).unwrap();
    let stream = stream.with_load_bytes_min(1);
    let store = HybridStore::with_engines(Box::new(stream), Box::new(small)).unwrap();
    store.apply(batch(1, last / 4)).unwrap();
    store.apply(batch(last / 4 + 1, last / 2)).unwrap();
    store.persist().unwrap();
    drop(store);
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, last);
    store.persist().unwrap();
    drop(store);
    directory
}

/// A store whose records `1..=30` lie in a sealed journal of fjall and the rest in the active one.
///
/// fjall seals a journal after 64 MB. This makes the same of small files: an empty `1.jnl` makes the next
/// opening take `0.jnl` for sealed; what is then applied goes to `1.jnl`; and both are put beside tables
/// that hold nothing yet.
pub(crate) fn with_sealed_journal() -> TempDir {
    let early = scratch();
    let store = HybridStore::open(early.path()).unwrap();
    catch_up(&store, LAST / 2);
    store.persist().unwrap();
    drop(store);
    let late = scratch();
    crash_image(early.path(), late.path());
    fs::File::create(late.path().join("fjall/1.jnl")).unwrap();
    let store = HybridStore::open(late.path()).unwrap();
    assert_eq!(store.cursor().unwrap(), Some(cursor(LAST / 2)));
    catch_up(&store, LAST);
    store.persist().unwrap();
    drop(store);
    let active: PathBuf = "fjall/1.jnl".into();
    fs::copy(late.path().join(&active), early.path().join(&active)).unwrap();
    fs::copy(late.path().join("redb"), early.path().join("redb")).unwrap();
    early
}

/// Copies a directory as it lies there: what a killed process leaves behind.
pub(crate) fn crash_image(of: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(of).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            crash_image(&entry.path(), &to);
        } else {
            copy_sparse(&entry.path(), &to);
        }
    }
}

/// Copies a file without writing its zeros: engines make files far longer than what is in them.
fn copy_sparse(of: &Path, to: &Path) {
    let mut from = OpenOptions::new().read(true).open(of).unwrap();
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)
        .unwrap();
    let mut chunk = vec![0; 256 * 1024];
    let mut at = 0_u64;
    loop {
        let length = from.read(&mut chunk).unwrap();
        if length == 0 {
            break;
        }
        if chunk[..length].iter().any(|byte| *byte != 0) {
            to.seek(SeekFrom::Start(at)).unwrap();
            to.write_all(&chunk[..length]).unwrap();
        }
        at += u64::try_from(length).unwrap();
    }
    to.set_len(at).unwrap();
}

/// Every entry of the records `1..=last`, read back one by one and by scanning, and no other.
pub(crate) fn expect_exactly(store: &dyn KVStore, last: u64) {
    let expected: Vec<Put> = (1..=last).flat_map(puts).collect();
    let view = store.snapshot().unwrap();
    for put in &expected {
        let value = view
            .get(&put.key.encode())
            .unwrap()
            .unwrap_or_else(|| panic!("{} is missing", put.key));
        assert_eq!(
            (value.sequence, value.arrived_at_ms),
            (put.sequence, put.arrived_at_ms)
        );
        assert_eq!(value.content, put.content, "{}", put.key);
    }
    let mut keys: Vec<_> = expected.iter().map(|put| put.key.encode()).collect();
    keys.sort();
    let scanned: Vec<_> = store
        .scan_prefix(b"")
        .unwrap()
        .map(|entry| entry.unwrap().0)
        .collect();
    assert_eq!(scanned, keys);
    let tally = |wanted| u64::try_from((1..=last).filter(|n| kind(*n) == wanted).count()).unwrap();
    let counts = view.counts();
    assert_eq!(
        counts.assertions,
        tally(Kind::Assertion),
        "assertions of {last}"
    );
    assert_eq!(counts.votes, tally(Kind::Vote), "votes of {last}");
    assert_eq!(counts.epochs, tally(Kind::Epoch), "epochs of {last}");
    assert_eq!(
        counts.quarantined,
        tally(Kind::Quarantined),
        "quarantined of {last}"
    );
    assert_eq!(
        counts.duplicates,
        tally(Kind::Duplicate),
        "duplicates of {last}"
    );
}
