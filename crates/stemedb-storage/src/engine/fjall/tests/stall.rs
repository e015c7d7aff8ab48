//! The write stall of fjall, which ends only when its background threads do something.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use fjall::{Database, KeyspaceCreateOptions};

use super::super::{FjallEngine, Handles, KEYSPACE, LOAD_BYTES_MIN};
use crate::{
    engine::Level,
    guard::{Fuse, Guarded},
    watchdog::StallLimits,
};

#[test]
fn a_commit_that_nothing_in_the_background_lets_go_on_ends_the_store_and_says_why() {
    // fjall holds a writer up as long as four memtables wait to be flushed, whether or not anybody flushes: here nobody does, as
    // after the death of its threads.
    let directory = tempfile::tempdir().unwrap();
    let db = Database::builder(directory.path())
        .worker_threads_unchecked(0)
        .open()
        .unwrap();
    let keyspace = db
        .keyspace(KEYSPACE, KeyspaceCreateOptions::default)
        .unwrap();
    for sealed in 0_u8..4 {
        keyspace.insert([sealed], b"value").unwrap();
        assert!(keyspace.rotate_memtable().unwrap());
    }
    let engine = FjallEngine {
        handles: Some(Handles { keyspace, db }),
        sync_failed: AtomicBool::new(false),
        load_bytes_min: LOAD_BYTES_MIN,
    };
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
