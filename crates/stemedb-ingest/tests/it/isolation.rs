//! Readers during a load: never half a batch, in one engine or over two.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stemedb_core::{Record, RecordId};
use stemedb_storage::{KVStore, Key, KeyKind, key};

use crate::support::{Kind, Place, claim, epoch, for_each_store, id, vote_on};

for_each_store! { readers_see_whole_groups }

/// What belongs together: an assertion in an epoch, the epoch, and a vote on the assertion.
fn group(number: u64) -> Vec<Record> {
    let period = epoch(&number.to_string());
    let Record::Assertion(assertion) = claim(number) else {
        unreachable!("a claim is an assertion")
    };
    let assertion = Record::from(assertion.with_epoch(id(&period)));
    let vote = vote_on(id(&assertion), 1.0);
    vec![vote, assertion, period]
}

/// Looks at one view: whatever is found by one key must be there under the others. Gives how much was looked at.
fn look(store: &dyn KVStore) -> u64 {
    let view = store.snapshot().unwrap();
    let mut seen = 0;
    let scan = view.scan(&key::all(KeyKind::Subject), Bound::Unbounded);
    for entry in scan.unwrap() {
        let (_, value) = entry.unwrap();
        let bytes: [u8; 32] = value.content.try_into().unwrap();
        let assertion = RecordId::from_bytes(bytes);
        let stored = view.get(&Key::Assertion(assertion).encode()).unwrap();
        let stored = stored.expect("an assertion that the index names");
        let record = stemedb_ingest::deserialize(&stored.content).unwrap();
        let Record::Assertion(record) = record else {
            panic!("no assertion under the key of one")
        };
        let period = Key::Epoch(record.epoch.unwrap()).encode();
        assert!(view.get(&period).unwrap().is_some(), "the epoch of a group");
        let mut votes = view
            .scan(&key::votes_of(assertion), Bound::Unbounded)
            .unwrap();
        assert!(votes.next().is_some(), "the vote of a group");
        seen += 1;
    }
    let counts = view.counts();
    let sequence = view.cursor().map_or(0, |cursor| cursor.sequence.get());
    assert_eq!([counts.assertions, counts.votes, counts.epochs], [seen; 3]);
    assert_eq!(sequence, 3 * seen);
    seen
}

fn readers_see_whole_groups(kind: Kind) {
    const GROUPS: u64 = 1500;
    let place = Place::new(kind);
    let pipeline = place.open();
    pipeline.ingest(&group(0));
    let is_loading = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let store = Arc::clone(&pipeline.store);
            let is_loading = Arc::clone(&is_loading);
            thread::spawn(move || {
                let mut pairs = 0;
                let mut sizes = std::collections::BTreeSet::new();
                while is_loading.load(Ordering::Acquire) {
                    let seen = look(store.as_ref());
                    pairs += seen;
                    sizes.insert(seen);
                }
                (pairs, sizes.len())
            })
        })
        .collect();
    for number in 1..GROUPS {
        pipeline.append(&group(number));
    }
    pipeline.settle();
    is_loading.store(false, Ordering::Release);
    for reader in readers {
        let (pairs, sizes) = reader.join().unwrap();
        assert!(sizes > 2, "the readers saw {sizes} states of the load");
        assert!(pairs > 0);
    }
    assert_eq!(look(pipeline.store.as_ref()), GROUPS);
    pipeline.stop();
}
