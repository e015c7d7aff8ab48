//! What crashes and full disks leave beside the tables of fjall, and versions of them that are older than the rest.

use std::{
    fs,
    path::{Path, PathBuf},
};

use stemedb_storage::{Error, HybridStore, KVStore, RebuildReason};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    support::{LAST, catch_up, crash_image, cursor, expect_exactly, fjall_tables, scratch},
    surgery::{Checkpoint, closed},
};

/// Length of the trailer of an archive, at the end of a table.
const TRAILER_BYTES: usize = 38;
/// Where the offset of the table of contents is in it.
const CONTENTS_OFFSET: usize = 22;

pub(crate) fn keyspace(store: &Path, number: u32) -> PathBuf {
    store.join(format!("fjall/keyspaces/{number}"))
}

/// The tables of a keyspace, each under its number.
fn tables(keyspace: &Path) -> Vec<(u64, PathBuf)> {
    numbered(&keyspace.join("tables"))
}

pub(crate) fn numbered(directory: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(directory).unwrap();
    let file = |entry: fs::DirEntry| {
        let number = entry.file_name().to_str().unwrap().parse().unwrap();
        (number, entry.path())
    };
    let mut files: Vec<_> = entries.map(|entry| file(entry.unwrap())).collect();
    files.sort();
    files
}

/// Where the table of contents of a whole table begins.
fn contents(table: &[u8]) -> usize {
    let trailer = &table[table.len() - TRAILER_BYTES..];
    assert!(trailer.starts_with(b"SFA!"), "not a table");
    let offset = &trailer[CONTENTS_OFFSET..CONTENTS_OFFSET + 8];
    let offset = u64::from_le_bytes(offset.try_into().unwrap());
    let offset = usize::try_from(offset).unwrap();
    assert!(table[offset..].starts_with(b"TOC!"), "no contents");
    offset
}

/// What may be left of a table that was not finished, or not brought to the disk whole.
pub(crate) fn unfinished(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let contents = contents(whole);
    let end = whole.len() - TRAILER_BYTES;
    let mut zeroed = whole.to_vec();
    zeroed[contents..end].fill(0);
    let mut zeroed_data = whole.to_vec();
    zeroed_data[..contents].fill(0);
    let mut counts_wrong = whole.to_vec();
    counts_wrong[contents + 4..contents + 8].fill(0xff);
    let mut leads_out = whole.to_vec();
    leads_out[end + CONTENTS_OFFSET..end + CONTENTS_OFFSET + 8].fill(0xff);
    let garbled = whole.iter().map(|byte| byte ^ 0x5a).collect();
    vec![
        ("nothing", Vec::new()),
        ("its first half", whole[..whole.len() / 2].to_vec()),
        ("all but the last byte", whole[..whole.len() - 1].to_vec()),
        ("its trailer alone", whole[end..].to_vec()),
        ("zeros", vec![0; whole.len()]),
        ("other bytes", garbled),
        ("zeros for its contents", zeroed),
        ("zeros for its data", zeroed_data),
        ("contents that count too many sections", counts_wrong),
        ("a trailer that leads out of the file", leads_out),
        ("all of it", whole.to_vec()),
    ]
}

/// A copy of a store, and that directory of its keyspace, with two more files of these bytes behind the last.
pub(crate) fn with_leftovers(
    store: &Path,
    directory: &str,
    last: u64,
    bytes: &[u8],
) -> (TempDir, PathBuf) {
    let image = scratch();
    crash_image(store, image.path());
    let directory = keyspace(image.path(), 1).join(directory);
    for name in [last + 1, 4096] {
        fs::write(directory.join(name.to_string()), bytes).unwrap();
    }
    (image, directory)
}

/// A full disk or a crash ends the writing of a table in the middle, and leaves a file that no version names. Refusing it, as a damaged
/// one of its own is refused, would take a rebuild after every full disk; and one that a version names must still be refused.
#[test]
fn a_table_that_no_version_names_is_not_read() {
    let store = fjall_tables(LAST);
    let (last, table) = tables(&keyspace(store.path(), 1)).pop().unwrap();
    let whole = fs::read(&table).unwrap();
    for (left, bytes) in unfinished(&whole) {
        let (image, tables) = with_leftovers(store.path(), "tables", last, &bytes);
        let opened = HybridStore::open(image.path());
        let opened = opened.unwrap_or_else(|error| panic!("{left} is left: {error:?}"));
        assert_eq!(opened.cursor().unwrap(), Some(cursor(LAST)), "{left}");
        opened.publish().unwrap();
        expect_exactly(&opened, LAST);
        drop(opened);

        let is_whole = bytes == whole;
        let named = tables.join(last.to_string());
        fs::write(&named, &bytes).unwrap();
        let refusal = HybridStore::open(image.path());
        let is_refused = matches!(refusal, Err(Error::NeedsRebuild { .. }));
        // fjall verifies its data when it is read.
        let is_later = left == "zeros for its data";
        assert!(is_refused != is_whole || is_later, "{left}: {refusal:?}");
        assert!(named.exists(), "{left}: it is deleted");
    }
}

/// The same for the file that names the tables, which is written before `current` speaks of it.
#[test]
fn a_version_that_is_not_the_current_one_is_not_read() {
    let store = fjall_tables(LAST);
    let keyspace = keyspace(store.path(), 1);
    let current = fs::read(keyspace.join("current")).unwrap();
    let number = u64::from_le_bytes(current[..8].try_into().unwrap());
    let whole = fs::read(keyspace.join(format!("v{number}"))).unwrap();
    for (left, bytes) in unfinished(&whole) {
        let image = scratch();
        crash_image(store.path(), image.path());
        let keyspace = self::keyspace(image.path(), 1);
        fs::write(keyspace.join(format!("v{}", number + 1)), &bytes).unwrap();
        fs::write(keyspace.join(".tmpAbCdEf"), &bytes).unwrap();
        let opened = HybridStore::open(image.path());
        let opened = opened.unwrap_or_else(|error| panic!("{left} is left: {error:?}"));
        opened.publish().unwrap();
        expect_exactly(&opened, LAST);
    }
}

/// fjall deletes a keyspace that its own keyspace of names does not name, and creates it again, empty. Nothing of that is an error to
/// it: the checkpoint that redb remembers shows that something is missing.
#[test]
fn a_keyspace_that_fjall_deletes_at_opening_is_missed() {
    let young = closed("hybrid", Checkpoint::Missing);
    let store = fjall_tables(LAST);
    // A first version, sound in itself: the one from before any keyspace had a name.
    let first = fs::read(keyspace(young.path(), 0).join("v0")).unwrap();
    let names = keyspace(store.path(), 0);
    let mut current = 0_u64.to_le_bytes().to_vec();
    current.extend(xxh3_128(&first).to_le_bytes());
    current.push(0);
    fs::write(names.join("v0"), &first).unwrap();
    fs::write(names.join("current"), &current).unwrap();
    // It does not become better by being opened again.
    for _ in 0..2 {
        let Err(Error::NeedsRebuild { reason }) = HybridStore::open(store.path()) else {
            panic!("it opened")
        };
        assert!(
            matches!(*reason, RebuildReason::BehindCheckpoint { .. }),
            "{reason}"
        );
    }
    assert!(!keyspace(store.path(), 1).exists(), "fjall kept it");
}

/// fjall takes a keyspace without a current version for one whose creation was interrupted, and deletes it. One that has tables is not:
/// it is refused before fjall sees it.
#[test]
fn a_keyspace_that_lost_its_current_version_is_refused_and_kept() {
    let store = fjall_tables(LAST);
    let keyspace = keyspace(store.path(), 1);
    fs::remove_file(keyspace.join("current")).unwrap();
    let before = tables(&keyspace);
    let refusal = HybridStore::open(store.path());
    let Err(Error::NeedsRebuild { reason }) = refusal else {
        panic!("{refusal:?}")
    };
    assert!(
        matches!(
            *reason,
            RebuildReason::Unopenable {
                engine: "fjall",
                ..
            }
        ),
        "{reason}"
    );
    assert_eq!(tables(&keyspace), before);

    // One without tables was just created.
    let young = closed("hybrid", Checkpoint::Missing);
    let keyspace = self::keyspace(young.path(), 1);
    fs::remove_file(keyspace.join("current")).unwrap();
    let store = HybridStore::open(young.path()).unwrap();
    assert_eq!(store.cursor().unwrap(), None);
    catch_up(&store, LAST);
    expect_exactly(&store, LAST);
}
