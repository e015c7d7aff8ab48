//! The write stall of fjall, which ends only when its background threads do something.

use std::{
    cell::Cell,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use fjall::{Database, KeyspaceCreateOptions};

use super::super::{
    FjallEngine, Handles, KEYSPACE, LOAD_BYTES_MIN, LOAD_TABLES_MAX, MERGE_POLLS_MAX, await_merge,
};
use crate::{
    engine::{Engine, Level},
    guard::{Fuse, Guarded},
    watchdog::StallLimits,
};

/// fjall in a directory without a thread that flushes or merges.
fn idle(directory: &Path, load_bytes_min: usize) -> FjallEngine {
    let db = Database::builder(directory)
        .worker_threads_unchecked(0)
        .open()
        .unwrap();
    let keyspace = db
        .keyspace(KEYSPACE, KeyspaceCreateOptions::default)
        .unwrap();
    FjallEngine {
        handles: Some(Handles { keyspace, db }),
        sync_failed: AtomicBool::new(false),
        told: Default::default(),
        load_bytes_min,
    }
}

/// How often a load pauses for a merge that ends after so many pauses, while this many tables wait.
fn pauses(tables: usize, merge_ends_after: u32) -> u32 {
    let pauses = Cell::new(0);
    await_merge(
        || tables,
        || pauses.get() < merge_ends_after,
        || pauses.set(pauses.get() + 1),
    );
    pauses.get()
}

#[test]
fn a_load_waits_for_a_merge_that_goes_on_where_many_tables_wait() {
    assert_eq!(pauses(LOAD_TABLES_MAX - 1, 5), 0);
    assert_eq!(pauses(LOAD_TABLES_MAX, 0), 0);
    assert_eq!(pauses(LOAD_TABLES_MAX, 5), 5);
    assert_eq!(pauses(LOAD_TABLES_MAX, u32::MAX), MERGE_POLLS_MAX);
}

#[test]
fn a_load_does_not_wait_where_nothing_merges() {
    let directory = tempfile::tempdir().unwrap();
    let engine = idle(directory.path(), 1);
    let loads = u8::try_from(LOAD_TABLES_MAX + 2).unwrap();
    for load in 0..loads {
        let pair = (vec![load].into(), b"envelope".to_vec().into());
        engine.commit(vec![pair], Level::Visible).unwrap();
    }
    let tables = engine.handles().unwrap().keyspace.l0_table_count();
    assert_eq!(tables, usize::from(loads));
}

#[test]
fn a_commit_that_nothing_in_the_background_lets_go_on_ends_the_store_and_says_why() {
    // fjall holds a writer up as long as four memtables wait to be flushed, whether or not anybody flushes: here nobody does, as
    // after the death of its threads.
    let directory = tempfile::tempdir().unwrap();
    let engine = idle(directory.path(), LOAD_BYTES_MIN);
    let keyspace = &engine.handles().unwrap().keyspace;
    for sealed in 0_u8..4 {
        keyspace.insert([sealed], b"value").unwrap();
        assert!(keyspace.rotate_memtable().unwrap());
    }
    let limits = StallLimits {
        warn_after: Duration::from_millis(20),
        fail_after: Duration::from_millis(100),
    };
    let fuse = Arc::new(Fuse::default());
    let engine = Guarded::watched(Box::new(engine), &fuse, limits).unwrap();
    let written = engine.commit(
        vec![(b"key".to_vec().into(), b"envelope".to_vec().into())],
        Level::Visible,
    );
    let Err(crate::Error::EngineFailed { source, .. }) = written else {
        panic!("{written:?}")
    };
    let text = source.to_string();
    assert!(
        text.starts_with(
            "commit of engine fjall has not returned for 0.1 s: write stall, 4 flushes pending"
        ),
        "{text}"
    );
    assert!(engine.sync().is_err());
    // The thread is stuck for as long as the process lives, and the drop does not wait for it.
    drop(engine);
}
