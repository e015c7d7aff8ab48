use std::{ops::Bound, sync::Arc, time::Duration};

use stemedb_core::{RecordId, Sequence};

use crate::{
    Batch, Cursor, Entry, HeldViews, KVStore, Key, MemoryStore, Origin,
    engine::{Engine, MemoryEngine},
    held::{NOTED_MIN, Replaced},
};

/// Publishes one record more.
fn publish(store: &MemoryStore, sequence: u64) {
    let at = Sequence::new(sequence).unwrap();
    let origin = Origin {
        sequence: at,
        arrived_at_ms: sequence,
    };
    let mut id = [0; 32];
    id[..8].copy_from_slice(&sequence.to_le_bytes());
    let key = Key::Assertion(RecordId::from_bytes(id));
    let cursor = Cursor {
        journal: [1; 16],
        sequence: at,
        group: sequence,
        group_hash: [2; 32],
    };
    let batch = Batch {
        first: at,
        cursor,
        entries: vec![Entry::new(&key, origin, b"content").unwrap()],
        duplicates: Vec::new(),
    };
    store.apply(batch).unwrap();
    store.publish_at(Duration::from_secs(sequence)).unwrap();
}

fn held(count: u64, oldest_since: u64) -> HeldViews {
    HeldViews {
        count,
        oldest_since: (count > 0).then(|| Duration::from_secs(oldest_since)),
    }
}

#[test]
fn a_view_that_is_held_is_out_of_date_since_a_newer_one_was_published() {
    let store = MemoryStore::new();
    publish(&store, 1);
    let first = store.snapshot().unwrap();
    // It is the newest: it pins nothing that is not needed anyway.
    assert_eq!(store.held_views(), held(0, 0));
    publish(&store, 2);
    assert_eq!(store.held_views(), held(1, 2));
    publish(&store, 3);
    let third = store.snapshot().unwrap();
    assert_eq!(store.held_views(), held(1, 2));
    // Publishing the same again makes nothing out of date.
    store.publish_at(Duration::from_secs(99)).unwrap();
    publish(&store, 4);
    assert_eq!(store.held_views(), held(2, 2));
    drop(first);
    assert_eq!(store.held_views(), held(1, 4));
    drop(third);
    assert_eq!(store.held_views(), held(0, 0));
}

#[test]
fn a_listing_holds_its_view_until_it_is_dropped() {
    let store = MemoryStore::new();
    publish(&store, 1);
    let mut scan = store
        .snapshot()
        .unwrap()
        .scan(b"", Bound::Unbounded)
        .unwrap();
    publish(&store, 2);
    assert_eq!(store.held_views(), held(1, 2));
    assert!(scan.next().unwrap().is_ok());
    assert_eq!(store.held_views(), held(1, 2));
    drop(scan);
    assert_eq!(store.held_views(), held(0, 0));
}

#[test]
fn what_is_noted_is_bounded_by_what_is_held() {
    let engine = MemoryEngine::default();
    let mut replaced = Replaced::default();
    let oldest = engine.reader().unwrap();
    replaced.note(Duration::from_secs(2), Arc::downgrade(&oldest));
    let mut last = Arc::clone(&oldest);
    for second in 3..200 {
        // Held when it is replaced, and released soon after.
        last = engine.reader().unwrap();
        replaced.note(Duration::from_secs(second), Arc::downgrade(&last));
    }
    assert!(replaced.noted.len() <= 2 * NOTED_MIN);
    assert_eq!(replaced.held(), held(2, 2));
    drop(last);
    assert_eq!(replaced.held(), held(1, 2));
    drop(oldest);
    assert_eq!(replaced.held(), held(0, 0));
}
