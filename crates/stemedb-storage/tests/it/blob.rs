//! Values of fjall that lie apart from their keys, in files of blobs: damaged, missing, foreign, or left over.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use stemedb_storage::{Error, HybridStore, KVStore};
use tempfile::TempDir;

use crate::{
    residue::{keyspace, numbered, unfinished, with_leftovers},
    support::{LAST, crash_image, expect_exactly, fjall_loaded, fjall_tables, scratch},
    surgery::{examine, operate_on_files, patient},
};

/// The files of blobs of a keyspace, each under its number.
fn blobs(keyspace: &Path) -> Vec<(u64, PathBuf)> {
    numbered(&keyspace.join("blobs"))
}

/// What refuses to be opened, or answers each question right or with damage.
fn expect_no_wrong_answer(store: &Path) -> &'static str {
    match HybridStore::open(store) {
        Ok(store) => {
            store.publish().unwrap();
            examine(&store).unwrap()
        }
        Err(Error::NeedsRebuild { .. }) => "refused",
        Err(other) => panic!("{other:?}"),
    }
}

/// Blobs are what tables are: one that no version names is deleted unread, one that is named must be there.
#[test]
fn a_blob_that_no_version_names_is_not_read() {
    for store in [fjall_tables(LAST), fjall_loaded(LAST)] {
        let (last, blob) = blobs(&keyspace(store.path(), 1)).pop().unwrap();
        let whole = fs::read(&blob).unwrap();
        for (left, bytes) in unfinished(&whole) {
            let (image, blobs) = with_leftovers(store.path(), "blobs", last, &bytes);
            let opened = HybridStore::open(image.path());
            let opened = opened.unwrap_or_else(|error| panic!("{left} is left: {error:?}"));
            opened.publish().unwrap();
            expect_exactly(&opened, LAST);
            assert!(!blobs.join("4096").exists(), "{left} is kept");
            drop(opened);

            let named = blobs.join(last.to_string());
            fs::write(&named, &bytes).unwrap();
            let verdict = expect_no_wrong_answer(image.path());
            let is_whole = bytes == whole;
            assert_eq!(verdict == "whole", is_whole, "{left}: {verdict}");
            assert!(named.exists(), "{left}: it is deleted");
        }
    }
}

/// fjall opens a keyspace whose directory of blobs is gone, forgets all blobs, and gives their names to new ones.
#[test]
fn a_missing_blob_is_refused_each_time() {
    let store = fjall_loaded(LAST);
    let number = blobs(&keyspace(store.path(), 1)).len();
    assert!(number > 1, "{number}");
    for missing in 0..=number {
        let image = scratch();
        crash_image(store.path(), image.path());
        let keyspace = keyspace(image.path(), 1);
        match blobs(&keyspace).get(missing) {
            Some((_, blob)) => fs::remove_file(blob).unwrap(),
            None => fs::remove_dir_all(keyspace.join("blobs")).unwrap(),
        }
        for _ in 0..2 {
            assert_eq!(expect_no_wrong_answer(image.path()), "refused");
        }
        fs::create_dir_all(keyspace.join("blobs")).unwrap();
        assert_eq!(expect_no_wrong_answer(image.path()), "refused");
    }
}

/// Blobs of another store, or of an older copy of this one, under the names of its own.
#[test]
fn a_foreign_blob_gives_no_wrong_answer() {
    let (store, other) = (fjall_loaded(LAST), fjall_loaded(LAST - 8));
    let keyspace = |store: &TempDir| keyspace(store.path(), 1);
    let own = blobs(&keyspace(&store));
    let foreign = blobs(&keyspace(&other))
        .into_iter()
        .chain(own.iter().rev().cloned());
    let mut seen = BTreeSet::new();
    for (_, foreign) in foreign {
        for (number, _) in &own {
            let image = scratch();
            crash_image(store.path(), image.path());
            let named = keyspace(&image).join("blobs").join(number.to_string());
            fs::copy(&foreign, named).unwrap();
            seen.insert(expect_no_wrong_answer(image.path()));
        }
    }
    assert!(seen.contains("named") && seen.contains("whole"), "{seen:?}");
}

/// fjall panics at a directory among its blobs, and once more while it unwinds, which ends the process.
#[test]
fn what_is_no_file_among_the_blobs_is_refused() {
    let store = fjall_loaded(LAST);
    let blobs = keyspace(store.path(), 1).join("blobs");
    fs::create_dir(blobs.join("4096")).unwrap();
    assert_eq!(expect_no_wrong_answer(store.path()), "refused");
    fs::remove_dir_all(&blobs).unwrap();
    fs::write(&blobs, b"no directory").unwrap();
    assert_eq!(expect_no_wrong_answer(store.path()), "refused");
}

/// What a store notes on itself is overwritten by every batch: were it kept apart from its key, each batch would leave a stale blob.
#[test]
fn what_is_overwritten_does_not_lie_apart() {
    let directory = fjall_loaded(LAST);
    let store = HybridStore::open(directory.path()).unwrap();
    store.publish().unwrap();
    let entries = store.snapshot().unwrap().scan_raw().unwrap();
    let entries = entries.map(Result::unwrap);
    let notes: Vec<_> = entries
        .filter(|entry| entry.key.starts_with(b"M:"))
        .collect();
    assert!(notes.len() > 4, "{notes:?}");
    let longest = notes.iter().map(|entry| entry.envelope.len()).max();
    assert!(longest < Some(128), "{longest:?}");
}

/// Operates on the tables, blobs and versions of a store that has blobs.
fn operate_on_keyspace(store: &TempDir) {
    let blobs = blobs(&keyspace(store.path(), 1));
    let length = |(_, blob): &(u64, PathBuf)| blob.metadata().unwrap().len();
    assert!(blobs.iter().map(length).sum::<u64>() > 2_000, "{blobs:?}");
    let patient = patient("hybrid", store);
    for directory in ["tables", "blobs"] {
        let inside = format!("fjall/keyspaces/1/{directory}/");
        let tally = operate_on_files(&patient, |file| file.starts_with(&inside));
        assert!(tally.keys().any(|verdict| verdict != "whole"), "{tally:?}");
    }
    let versions = operate_on_files(&patient, |file| {
        file.starts_with("fjall/keyspaces/1/v") || file == "fjall/keyspaces/1/current"
    });
    assert!(versions.contains_key("refused"), "{versions:?}");
}

#[test]
fn no_byte_of_a_table_or_blob_that_was_flushed_changes_an_answer() {
    operate_on_keyspace(&fjall_tables(LAST));
}

#[test]
fn no_byte_of_a_table_or_blob_that_was_loaded_changes_an_answer() {
    operate_on_keyspace(&fjall_loaded(LAST));
}
