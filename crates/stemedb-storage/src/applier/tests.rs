//! Engines that fail on purpose, under an applier.

use std::{ops::Bound, sync::Arc};

use stemedb_core::{RecordId, Sequence};

use self::faulty::{Call, Faulty, Trouble};
use super::Applier;
use crate::{
    batch::Batch,
    cursor::Cursor,
    engine::{Engine, Level, Range, Reader},
    entry::{Entry, Origin},
    error::{Error, RebuildReason, Result},
    guard::{Fuse, Guarded},
    key::{self, Key},
    reconcile,
    store::Snapshot,
};

mod faulty;

/// Two engines, and the store that is open on them.
struct Store {
    stream: Faulty,
    small: Faulty,
    applier: Applier,
}

impl Store {
    fn new() -> Self {
        Self::on(Faulty::new(), Faulty::new()).unwrap()
    }

    fn on(stream: Faulty, small: Faulty) -> Result<Self> {
        let fuse = Arc::new(Fuse::default());
        let of_stream = Guarded::new(Box::new(stream.clone()), &fuse);
        let of_small = Guarded::new(Box::new(small.clone()), &fuse);
        let applier = reconcile::pair(of_stream, of_small, fuse)?;
        Ok(Self {
            stream,
            small,
            applier,
        })
    }

    /// Closes the store and opens it again on what its engines hold, with all trouble gone.
    fn reopen(self) -> Result<Self> {
        let fresh = |engine: Faulty| Faulty {
            inner: engine.inner,
            ..Faulty::new()
        };
        Self::on(fresh(self.stream), fresh(self.small))
    }

    fn apply(&self, first: u64, last: u64) -> Result<()> {
        self.applier.apply(batch(first, last))
    }

    fn written(&self) -> [u64; 2] {
        let cursors = self.applier.cursors().unwrap();
        [0, 1].map(|at: usize| super::reached(cursors[at].cursor.as_ref()))
    }

    fn expect_failed(&self) {
        let failed = |outcome: Result<()>| {
            assert!(
                matches!(
                    outcome,
                    Err(Error::EngineFailed {
                        engine: "faulty",
                        ..
                    })
                ),
                "{outcome:?}"
            );
        };
        failed(self.apply(9, 9));
        failed(self.applier.publish());
        failed(self.applier.persist());
        failed(self.applier.snapshot().map(|_| ()));
        failed(self.applier.working_snapshot().map(|_| ()));
        failed(self.applier.cursor().map(|_| ()));
        failed(self.applier.cursors().map(|_| ()));
    }

    fn expect_exactly(&self, last: u64) {
        self.applier.publish().unwrap();
        let view = self.applier.snapshot().unwrap();
        assert_eq!(super::reached(view.cursor().as_ref()), last);
        let counts = view.counts();
        let epochs = last / 3;
        assert_eq!((counts.quarantined, counts.epochs), (last - epochs, epochs));
        assert_eq!(count(&*view), last);
    }
}

fn count(view: &dyn Snapshot) -> u64 {
    let entries = view
        .scan(b"", Bound::Unbounded)
        .unwrap()
        .map(|entry| entry.unwrap());
    u64::try_from(entries.count()).unwrap()
}

fn seq(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

/// Every third record is an epoch, the others go to the stream.
fn batch(first: u64, last: u64) -> Batch {
    let put = |number: u64| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let epoch = Key::Epoch(RecordId::from_bytes(id));
        let key = if number.is_multiple_of(3) {
            epoch
        } else {
            Key::Quarantine(seq(number))
        };
        let origin = Origin {
            sequence: seq(number),
            arrived_at_ms: 0,
        };
        Entry::new(&key, origin, &[1]).unwrap()
    };
    Batch {
        first: seq(first),
        cursor: Cursor {
            journal: [1; 16],
            sequence: seq(last),
            group: last,
            group_hash: [2; 32],
        },
        entries: (first..=last).map(put).collect(),
        duplicates: Vec::new(),
    }
}

#[test]
fn a_panic_in_a_commit_is_final() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    store.stream.set(Trouble::Panics(Call::Commit));
    let error = store.apply(5, 6).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("told to panic in Commit"), "{source}");
    store.stream.set(Trouble::None);
    store.expect_failed();
    let store = store.reopen().unwrap();
    store.apply(5, 6).unwrap();
    store.expect_exactly(6);
}

#[test]
fn every_call_of_an_engine_is_guarded() {
    for call in [Call::Commit, Call::Sync, Call::Reader] {
        for trouble in [Trouble::Panics(call), Trouble::Fails(call)] {
            let store = Store::new();
            store.stream.set(trouble);
            let outcome = store.apply(1, 4).and_then(|()| store.applier.persist());
            assert!(
                matches!(outcome, Err(Error::EngineFailed { .. })),
                "{trouble:?}"
            );
            store.expect_failed();
        }
    }
}

#[test]
fn reads_of_an_old_view_are_guarded_and_end_with_the_store() {
    for call in [Call::Get, Call::Range, Call::Next] {
        for trouble in [Trouble::Panics(call), Trouble::Fails(call)] {
            let store = Store::new();
            store.apply(1, 4).unwrap();
            store.applier.publish().unwrap();
            let view = store.applier.snapshot().unwrap();
            store.stream.set(trouble);
            let key = Key::Quarantine(seq(1)).encode();
            let outcome = match call {
                Call::Get => view.get(&key).map(|_| ()),
                _ => view
                    .scan(b"Q:", Bound::Unbounded)
                    .unwrap()
                    .try_for_each(|entry| entry.map(|_| ())),
            };
            assert!(
                matches!(outcome, Err(Error::EngineFailed { .. })),
                "{trouble:?}: {outcome:?}"
            );
            store.stream.set(Trouble::None);
            store.expect_failed();
            assert!(matches!(view.get(&key), Err(Error::EngineFailed { .. })));
        }
    }
}

#[test]
fn a_failed_scan_ends_after_its_error() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    let view = store.applier.working_snapshot().unwrap();
    store.stream.set(Trouble::Fails(Call::Next));
    let mut scan = view.scan(b"Q:", Bound::Unbounded).unwrap();
    assert!(scan.next().unwrap().is_err());
    assert!(scan.next().is_none());
}

#[test]
fn damage_that_an_engine_finds_is_not_its_end() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    let view = store.applier.working_snapshot().unwrap();
    let key = Key::Quarantine(seq(1)).encode();
    store.stream.set(Trouble::ReadsDamage);
    assert!(matches!(view.get(&key), Err(Error::Corruption(_))));
    store.stream.set(Trouble::None);
    assert!(view.get(&key).unwrap().is_some());
}

#[test]
fn each_engine_applies_each_record_once() {
    // A crash between the two commits, with each engine in turn the one that is behind, and with a
    // write that happened although it was answered with an error.
    for (stream, small) in [
        (Trouble::Fails(Call::Commit), Trouble::None),
        (Trouble::FailsAfterCommit, Trouble::None),
        (Trouble::None, Trouble::Fails(Call::Commit)),
        (Trouble::None, Trouble::FailsAfterCommit),
    ] {
        let store = Store::new();
        store.apply(1, 4).unwrap();
        store.stream.set(stream);
        store.small.set(small);
        store.apply(5, 9).unwrap_err();
        let store = store.reopen().unwrap();
        let first = super::reached(store.applier.cursor().unwrap().as_ref()) + 1;
        for number in first..=12 {
            store.apply(number, number).unwrap();
        }
        store.expect_exactly(12);
    }
}

#[test]
fn engines_that_differ_are_not_published() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    store.small.set(Trouble::Fails(Call::Commit));
    store.apply(5, 9).unwrap_err();
    let store = store.reopen().unwrap();
    assert_eq!(store.written(), [9, 4]);
    assert!(matches!(store.applier.publish(), Err(Error::NotReconciled)));
    assert!(matches!(
        store.applier.snapshot(),
        Err(Error::NotReconciled)
    ));
    store.apply(5, 8).unwrap();
    assert!(matches!(store.applier.publish(), Err(Error::NotReconciled)));
    store.apply(9, 9).unwrap();
    store.expect_exactly(9);
}

#[test]
fn the_small_engine_lags_where_nothing_is_for_it_until_the_checkpoint() {
    let store = Store::new();
    store.apply(1, 3).unwrap();
    store.apply(4, 4).unwrap();
    store.apply(5, 5).unwrap();
    assert_eq!(store.written(), [5, 3]);
    assert_eq!(super::reached(store.applier.cursor().unwrap().as_ref()), 5);
    // That the cursor lags is no gap.
    store.apply(6, 7).unwrap();
    assert_eq!(store.written(), [7, 7]);
    store.apply(8, 8).unwrap();
    store.applier.persist().unwrap();
    assert_eq!(store.written(), [8, 8]);
}

#[test]
fn after_a_crash_replay_begins_at_the_lagging_engine() {
    let store = Store::new();
    store.apply(1, 3).unwrap();
    store.apply(4, 5).unwrap();
    let store = store.reopen().unwrap();
    assert_eq!(super::reached(store.applier.cursor().unwrap().as_ref()), 3);
    assert!(matches!(
        store.apply(5, 5),
        Err(Error::Gap { expected: 4, .. })
    ));
    store.apply(4, 5).unwrap();
    store.expect_exactly(5);
}

#[test]
fn the_small_engine_may_be_ahead() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    let early = copy(&store.stream);
    store.apply(5, 9).unwrap();
    let store = Store::on(early, store.small).unwrap();
    assert_eq!(store.written(), [4, 9]);
    store.apply(5, 7).unwrap();
    store.apply(8, 12).unwrap();
    store.expect_exactly(12);
}

#[test]
fn a_failed_sync_is_remembered_and_calls_for_a_rebuild() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    store.stream.set(Trouble::Fails(Call::Sync));
    store.applier.persist().unwrap_err();
    store.expect_failed();
    match store.reopen().map(|_| ()).unwrap_err() {
        Error::NeedsRebuild { reason } => {
            assert!(
                matches!(*reason, RebuildReason::SyncFailed { engine: "faulty" }),
                "{reason}"
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn no_checkpoint_is_made_after_a_failed_sync() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    store.stream.set(Trouble::Fails(Call::Sync));
    store.applier.persist().unwrap_err();
    let keys = Reader::range(&store.small.inner, Range::ALL).unwrap();
    let keys: Vec<_> = keys.map(|pair| key::text(&pair.unwrap().0)).collect();
    assert!(
        keys.contains(&"M:sync_failed".to_owned()) && !keys.contains(&"M:checkpoint".to_owned())
    );
}

#[test]
fn a_stream_behind_the_checkpoint_calls_for_a_rebuild() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    let early = copy(&store.stream);
    store.apply(5, 6).unwrap();
    store.applier.persist().unwrap();
    let error = Store::on(early, store.small).map(|_| ()).unwrap_err();
    let Error::NeedsRebuild { reason } = error else {
        panic!("{error}")
    };
    let text = reason.to_string();
    assert!(text.contains("up to sequence 4, but had 6"), "{text}");
}

#[test]
fn a_refused_batch_leaves_both_engines_as_they_were() {
    let store = Store::new();
    store.apply(1, 4).unwrap();
    assert!(matches!(
        store.apply(6, 9),
        Err(Error::Gap { expected: 5, .. })
    ));
    let mut foreign = batch(5, 6);
    foreign.cursor.journal = [7; 16];
    assert!(matches!(
        store.applier.apply(foreign),
        Err(Error::ForeignJournal { .. })
    ));
    let mut outside = batch(5, 6);
    outside.entries.extend(batch(7, 7).entries);
    assert!(matches!(
        store.applier.apply(outside),
        Err(Error::InvalidBatch { .. })
    ));
    assert_eq!(store.written(), [4, 4]);
    store.expect_exactly(4);
}

fn copy(engine: &Faulty) -> Faulty {
    let copy = Faulty::new();
    let pairs = engine
        .inner
        .range(Range::ALL)
        .unwrap()
        .map(|pair| pair.unwrap())
        .collect();
    copy.inner.commit(pairs, Level::Visible).unwrap();
    copy
}
