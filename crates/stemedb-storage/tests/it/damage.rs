//! Flipped and missing bytes in the files of closed stores.
//!
//! Whatever is done to them, a store must never give a wrong answer: it refuses to open and calls for a
//! rebuild, or replay makes it whole, or a read says that a value is damaged. An entry that is
//! gone without a word must be missed by a scrub: a raw scan that verifies and counts.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests damage files behind the store's back"
)]

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use stemedb_storage::{Error, HybridStore, KVStore, Key, RebuildReason};

use crate::support::{catch_up, content, crash_image, cursor, expect_exactly, id, puts};

type Open = fn(&Path) -> Result<Box<dyn KVStore>, Error>;

/// Records in the stores that are damaged.
const LAST: u64 = 60;
/// Bytes that are flipped in each file, spread over what is not zero in it; `STEMEDB_FLIPS` sets another number.
const FLIPS: usize = 100;

fn flips() -> usize {
    std::env::var("STEMEDB_FLIPS").map_or(FLIPS, |flips| flips.parse().expect("a number"))
}

fn hybrid(path: &Path) -> Result<Box<dyn KVStore>, Error> {
    Ok(Box::new(HybridStore::open(path)?))
}

#[cfg(feature = "sled")]
fn sled(path: &Path) -> Result<Box<dyn KVStore>, Error> {
    Ok(Box::new(stemedb_storage::SledStore::open(path)?))
}

/// A closed store of `LAST` records, with or without a checkpoint at its end.
fn closed(open: Open, checkpoint: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    catch_up(&*store, LAST);
    if checkpoint {
        store.persist().unwrap();
    }
    drop(store);
    directory
}

/// How a damaged store behaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It refused to open and called for a rebuild.
    Refused,
    /// It opened and stopped when it was replayed or read.
    Stopped,
    /// It opened, and reads or the scrub named what is damaged.
    Named,
    /// Replay made it whole, or it never lacked anything.
    Whole,
}

fn examine(open: Open, path: &Path) -> Outcome {
    let store = match open(path) {
        Ok(store) => store,
        Err(Error::NeedsRebuild { .. }) => return Outcome::Refused,
        Err(other) => panic!("{other}"),
    };
    match replayed(&*store) {
        Ok(()) => {}
        Err(Error::EngineFailed { .. } | Error::Corruption(_)) => return Outcome::Stopped,
        Err(other) => panic!("{other}"),
    }
    let view = store.snapshot().unwrap();
    let (mut expected, mut missing, mut named) = (0_u64, 0_u64, 0_u64);
    for put in (1..=LAST).flat_map(puts) {
        expected += 1;
        match view.get(&put.key.encode()) {
            Ok(Some(value)) => {
                assert_eq!(value.content, put.content, "{}: a wrong answer", put.key);
                assert_eq!(
                    (value.sequence, value.arrived_at_ms),
                    (put.sequence, put.arrived_at_ms)
                );
            }
            Ok(None) => missing += 1,
            Err(Error::Corruption(_)) => named += 1,
            Err(Error::EngineFailed { .. }) => return Outcome::Stopped,
            Err(other) => panic!("{}: {other}", put.key),
        }
    }
    let scrub = scrub(&*store, expected);
    assert!(
        missing == 0 || !scrub,
        "{missing} entries are gone and nobody can tell"
    );
    if missing + named > 0 {
        Outcome::Named
    } else {
        Outcome::Whole
    }
}

fn replayed(store: &dyn KVStore) -> Result<(), Error> {
    let from = store
        .cursor()?
        .map_or(1, |cursor| cursor.sequence.get() + 1);
    for number in from..=LAST {
        store.apply(crate::support::batch(number, number))?;
    }
    store.publish()
}

/// Whether every envelope verifies and the number of entries is right.
fn scrub(store: &dyn KVStore, expected: u64) -> bool {
    let Ok(entries) = store.snapshot().and_then(|view| view.scan_raw()) else {
        return false;
    };
    let mut found = 0;
    for entry in entries {
        match entry {
            Ok(entry) if entry.verify().is_err() => return false,
            Ok(entry) => {
                found += u64::from(!entry.key.starts_with(b"B:") && !entry.key.starts_with(b"M:"));
            }
            Err(_) => return false,
        }
    }
    found == expected
}

/// Flips one byte after the other in `file` of a copy of the store, and tallies what happened.
fn flip_all(open: Open, store: &Path, file: &str) -> BTreeMap<Outcome, usize> {
    let bytes = fs::read(store.join(file)).unwrap();
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let mut tally = BTreeMap::new();
    for at in written.iter().step_by((written.len() / flips()).max(1)) {
        let image = tempfile::tempdir().unwrap();
        crash_image(store, image.path());
        overwrite(&image.path().join(file), *at, bytes[*at] ^ 0x10);
        let outcome = examine(open, image.path());
        *tally.entry(outcome).or_insert(0) += 1;
    }
    println!("{file}: {tally:?}");
    tally
}

fn overwrite(path: &Path, at: usize, byte: u8) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(u64::try_from(at).unwrap()))
        .unwrap();
    file.write_all(&[byte]).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes)
        .unwrap();
}

#[test]
fn a_flip_in_the_journal_of_fjall_is_found_by_the_checkpoint() {
    let store = closed(hybrid, true);
    let tally = flip_all(hybrid, store.path(), "fjall/0.jnl");
    assert!(tally.contains_key(&Outcome::Refused));
    assert!(!tally.contains_key(&Outcome::Named), "{tally:?}");
    // What the checkpoint promised cannot come back by replay: it refuses, or nothing was lost.
    assert!(!tally.contains_key(&Outcome::Stopped), "{tally:?}");
}

#[test]
fn a_flip_in_the_journal_of_fjall_before_a_checkpoint_is_replayed() {
    let store = closed(hybrid, false);
    let tally = flip_all(hybrid, store.path(), "fjall/0.jnl");
    assert!(tally.contains_key(&Outcome::Whole));
    assert!(!tally.contains_key(&Outcome::Named), "{tally:?}");
}

#[test]
fn a_flip_in_redb_is_never_a_wrong_answer() {
    let store = closed(hybrid, true);
    let tally = flip_all(hybrid, store.path(), "redb");
    assert!(
        tally.contains_key(&Outcome::Refused) || tally.contains_key(&Outcome::Named),
        "{tally:?}"
    );
}

#[test]
fn a_flipped_value_in_redb_is_named_at_open() {
    let store = closed(hybrid, true);
    let path = store.path().join("redb");
    let wanted = content(13);
    let bytes = fs::read(&path).unwrap();
    // Old copies of the page may lie in the file too.
    let copies = bytes
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == wanted);
    for (at, _) in copies {
        overwrite(&path, at + 3, b'?');
    }
    let key = Key::Epoch(id(13));
    let Err(Error::NeedsRebuild { reason }) = HybridStore::open(store.path()) else {
        panic!("it was opened")
    };
    let RebuildReason::Damaged(corruption) = *reason else {
        panic!("{reason}")
    };
    assert_eq!(corruption.key, Some(key.to_string()));
    let text = corruption.to_string();
    assert!(
        text.starts_with("engine redb, key E:") && text.contains("checksum mismatch"),
        "{text}"
    );
}

#[test]
fn a_key_that_a_flip_in_redb_hides_is_missed_at_open() {
    let store = closed(hybrid, true);
    let path = store.path().join("redb");
    let wanted = Key::Epoch(id(13)).encode();
    let bytes = fs::read(&path).unwrap();
    let copies = bytes
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == wanted);
    for (at, _) in copies {
        overwrite(&path, at + 2, bytes[at + 2] ^ 1);
    }
    assert!(matches!(
        HybridStore::open(store.path()),
        Err(Error::NeedsRebuild { .. })
    ));
}

#[cfg(feature = "sled")]
#[test]
fn a_flip_in_sled_is_never_a_wrong_answer() {
    let store = closed(sled, true);
    let tally = flip_all(sled, store.path(), "sled/db");
    assert!(tally.contains_key(&Outcome::Whole), "{tally:?}");
}

#[test]
fn a_journal_of_fjall_cut_to_nothing_is_found() {
    let store = closed(hybrid, true);
    let path = store.path().join("fjall/0.jnl");
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(0)
        .unwrap();
    let Err(Error::NeedsRebuild { reason }) = hybrid(store.path()) else {
        panic!("it opened")
    };
    assert!(
        matches!(*reason, RebuildReason::BehindCheckpoint { found: 0, .. }),
        "{reason}"
    );
}

/// A store whose records `1..=30` lie in a sealed journal of fjall and the rest in the active one.
///
/// fjall seals a journal after 64 MB. This makes the same of small files: an empty `1.jnl` makes the next
/// opening take `0.jnl` for sealed; what is then applied goes to `1.jnl`; and both are put beside tables
/// that hold nothing yet.
fn with_sealed_journal() -> tempfile::TempDir {
    let early = tempfile::tempdir().unwrap();
    let store = HybridStore::open(early.path()).unwrap();
    catch_up(&store, LAST / 2);
    store.persist().unwrap();
    drop(store);
    let late = tempfile::tempdir().unwrap();
    crash_image(early.path(), late.path());
    fs::write(late.path().join("fjall/1.jnl"), b"").unwrap();
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

/// Length of what is written in a journal of fjall, without the zeros behind it.
fn written(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let length = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    u64::try_from(length).unwrap()
}

#[test]
fn a_store_with_a_sealed_journal_is_whole() {
    let store = HybridStore::open(with_sealed_journal().path()).unwrap();
    assert_eq!(store.cursor().unwrap(), Some(cursor(LAST)));
    store.publish().unwrap();
    expect_exactly(&store, LAST);
}

#[test]
fn a_hole_in_a_sealed_journal_below_a_later_cursor_is_found() {
    // fjall drops the incomplete end of the sealed journal without a word and goes on with the next one,
    // so its cursor says 60 while records before 31 are gone. The chain of batches shows it.
    let image = with_sealed_journal();
    let sealed = image.path().join("fjall/0.jnl");
    let length = written(&sealed);
    let file = OpenOptions::new().write(true).open(&sealed).unwrap();
    file.set_len(length).unwrap();
    cut(&sealed, 1);
    let Err(Error::NeedsRebuild { reason }) = hybrid(image.path()) else {
        panic!("it opened")
    };
    assert!(
        matches!(
            *reason,
            RebuildReason::Hole {
                expected: 29,
                found: 31
            }
        ),
        "{reason}"
    );
}

#[test]
fn a_flip_in_a_sealed_journal_is_never_a_wrong_answer() {
    let image = with_sealed_journal();
    let tally = flip_all(hybrid, image.path(), "fjall/0.jnl");
    assert!(tally.contains_key(&Outcome::Refused), "{tally:?}");
    assert!(!tally.contains_key(&Outcome::Named), "{tally:?}");
}
