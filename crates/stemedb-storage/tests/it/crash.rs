//! What a killed process leaves behind, and a directory that somebody has been at.

use std::{fs, path::Path};

use stemedb_storage::{Error, HybridStore, KVStore, RebuildReason};

use crate::support::{batch, catch_up, crash_image, cursor, expect_exactly, replay};

fn reason(opened: Result<HybridStore, Error>) -> RebuildReason {
    match opened.map(|_| ()).unwrap_err() {
        Error::NeedsRebuild { reason } => *reason,
        other => panic!("{other}"),
    }
}

/// Cursor of each engine, fjall's first.
fn cursors(store: &dyn KVStore) -> [u64; 2] {
    let cursors = store.cursors().unwrap();
    [0, 1].map(|at: usize| cursors[at].cursor.map_or(0, |cursor| cursor.sequence.get()))
}

/// The store as it would lie on the disk had the process been killed at this moment.
fn killed(open: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    crash_image(open, image.path());
    image
}

#[test]
fn a_kill_loses_what_redb_had_not_made_durable_and_replay_brings_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, 20);
    store.persist().unwrap();
    catch_up(&store, 55);
    let image = killed(directory.path());
    let store = HybridStore::open(image.path()).unwrap();
    assert_eq!(cursors(&store), [55, 20], "each engine has its own cursor");
    assert!(matches!(store.publish(), Err(Error::NotReconciled)));
    assert!(matches!(
        store.apply(batch(56, 60)),
        Err(Error::Gap { engine: "redb", .. })
    ));
    replay(&store, 60, 9);
    store.publish().unwrap();
    expect_exactly(&store, 60);
}

#[test]
fn a_kill_at_any_batch_reconciles() {
    let directory = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    for last in 1..=24 {
        store.apply(batch(last, last)).unwrap();
        if last % 7 == 0 {
            store.persist().unwrap();
        }
        let image = killed(directory.path());
        let again = HybridStore::open(image.path()).unwrap();
        assert_eq!(
            cursors(&again)[0],
            last,
            "a committed batch survives a kill"
        );
        assert_eq!(cursors(&again)[1], last - last % 7);
        catch_up(&again, 30);
        expect_exactly(&again, 30);
    }
}

#[test]
fn a_kill_before_the_first_batch_leaves_an_empty_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    let image = killed(directory.path());
    drop(store);
    for path in [image.path(), directory.path()] {
        let store = HybridStore::open(path).unwrap();
        assert_eq!(store.cursor().unwrap(), None);
        catch_up(&store, 10);
        expect_exactly(&store, 10);
    }
}

#[test]
fn an_interrupted_creation_is_completed() {
    // redb's file comes first; fjall's directory may be missing, or there without its version marker.
    let directory = tempfile::tempdir().unwrap();
    drop(HybridStore::open(directory.path()).unwrap());
    fs::remove_dir_all(directory.path().join("fjall")).unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, 10);
    expect_exactly(&store, 10);
}

#[test]
fn a_second_opener_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, 5);
    match HybridStore::open(directory.path()).map(|_| ()).unwrap_err() {
        Error::Locked { path } => assert_eq!(path, directory.path()),
        other => panic!("{other}"),
    }
    expect_exactly(&store, 5);
    drop(store);
    HybridStore::open(directory.path()).unwrap();
}

#[cfg(feature = "sled")]
#[test]
fn a_second_opener_of_sled_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = stemedb_storage::SledStore::open(directory.path()).unwrap();
    let second = stemedb_storage::SledStore::open(directory.path());
    assert!(matches!(second, Err(Error::Locked { .. })));
    drop(store);
    stemedb_storage::SledStore::open(directory.path()).unwrap();
}

#[cfg(feature = "sled")]
#[test]
fn a_kill_of_sled_reconciles() {
    let directory = tempfile::tempdir().unwrap();
    let store = stemedb_storage::SledStore::open(directory.path()).unwrap();
    catch_up(&store, 40);
    store.persist().unwrap();
    catch_up(&store, 80);
    let image = killed(directory.path());
    let store = stemedb_storage::SledStore::open(image.path()).unwrap();
    let found = store.cursor().unwrap().unwrap().sequence.get();
    assert!((40..=80).contains(&found), "{found}");
    catch_up(&store, 90);
    expect_exactly(&store, 90);
}

#[test]
fn a_deleted_engine_calls_for_a_rebuild_each_time() {
    for (engine, is_directory) in [("fjall", true), ("redb", false)] {
        let directory = tempfile::tempdir().unwrap();
        let store = HybridStore::open(directory.path()).unwrap();
        catch_up(&store, 20);
        store.persist().unwrap();
        drop(store);
        let path = directory.path().join(engine);
        if is_directory {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        for _ in 0..2 {
            match reason(HybridStore::open(directory.path())) {
                RebuildReason::BehindCheckpoint { found: 0, .. } => assert_eq!(engine, "fjall"),
                RebuildReason::ContentLost { engine: lost } => assert_eq!(lost, engine),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn an_older_copy_of_fjall_is_behind_the_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, 20);
    store.persist().unwrap();
    crash_image(&directory.path().join("fjall"), &old.path().join("fjall"));
    catch_up(&store, 30);
    store.persist().unwrap();
    drop(store);
    fs::copy(directory.path().join("redb"), old.path().join("redb")).unwrap();
    let reason = reason(HybridStore::open(old.path()));
    let RebuildReason::BehindCheckpoint {
        found: 20,
        checkpoint,
        ..
    } = reason
    else {
        panic!("{reason}")
    };
    assert_eq!(checkpoint.get(), 30);
}

#[test]
fn an_older_copy_of_redb_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, 20);
    store.persist().unwrap();
    fs::copy(directory.path().join("redb"), old.path().join("redb")).unwrap();
    catch_up(&store, 34);
    store.persist().unwrap();
    drop(store);
    crash_image(&directory.path().join("fjall"), &old.path().join("fjall"));
    let store = HybridStore::open(old.path()).unwrap();
    assert_eq!(cursors(&store), [34, 20]);
    assert_eq!(store.cursor().unwrap(), Some(cursor(20)));
    catch_up(&store, 34);
    expect_exactly(&store, 34);
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("letters")).unwrap();
    let opened = HybridStore::open(directory.path()).map(|_| ());
    assert!(matches!(opened, Err(Error::NotAStore { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(
        HybridStore::open(file.path()),
        Err(Error::Io { .. })
    ));
}
