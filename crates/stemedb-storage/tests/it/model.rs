//! Random operations on every store, against a sorted map that does the same.

use std::{collections::BTreeMap, ops::Bound, path::Path, sync::Arc};

use proptest::prelude::*;
use stemedb_storage::{Error, HybridStore, KVStore, MemoryStore, Snapshot};

use crate::support::{batch, cursor, puts};

type Open = fn(&Path) -> Box<dyn KVStore>;

#[derive(Clone, Debug)]
enum Operation {
    /// Applies a batch that begins `back` records before the end and adds `more`.
    Apply {
        back: u64,
        more: u64,
    },
    /// Tries a batch that leaves `gap` records out.
    Skip {
        gap: u64,
    },
    Publish,
    Persist,
    /// Closes the store and opens it again; in memory, nothing.
    Reopen,
    /// Takes the published view and keeps it.
    Keep,
    Scan {
        prefix: usize,
        start: u64,
        excluded: bool,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        6 => (0..6_u64, 1..20_u64).prop_map(|(back, more)| Operation::Apply { back, more }),
        1 => (1..4_u64).prop_map(|gap| Operation::Skip { gap }),
        4 => Just(Operation::Publish),
        1 => Just(Operation::Persist),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Keep),
        4 => (0..8_usize, 1..200_u64, any::<bool>())
            .prop_map(|(prefix, start, excluded)| Operation::Scan { prefix, start, excluded }),
    ];
    prop::collection::vec(operation, 1..40)
}

type Map = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// What a store of the records `1..=last` shows.
fn model(last: u64) -> Map {
    (1..=last)
        .flat_map(puts)
        .map(|put| (put.key.encode(), (put.sequence.get(), put.content)))
        .collect()
}

fn shown(view: &dyn Snapshot, prefix: &[u8], start: Bound<&[u8]>) -> Map {
    let entries = view.scan(prefix, start).unwrap().map(Result::unwrap);
    entries
        .map(|(key, value)| (key, (value.sequence.get(), value.content)))
        .collect()
}

/// A store, and what is known of it.
struct Run<'a> {
    open: Open,
    path: &'a Path,
    is_durable: bool,
    store: Box<dyn KVStore>,
    applied: u64,
    published: Option<u64>,
    kept: Vec<(u64, Arc<dyn Snapshot>)>,
}

impl Run<'_> {
    fn step(&mut self, operation: &Operation) {
        match *operation {
            Operation::Apply { back, more } => {
                let first = self.applied.saturating_sub(back) + 1;
                self.applied += more;
                self.store.apply(batch(first, self.applied)).unwrap();
            }
            Operation::Skip { gap } => {
                let first = self.applied + 1 + gap;
                let refused = self.store.apply(batch(first, first));
                assert!(matches!(refused, Err(Error::Gap { .. })), "{refused:?}");
            }
            Operation::Publish => {
                self.store.publish().unwrap();
                self.published = Some(self.applied);
            }
            Operation::Persist => self.store.persist().unwrap(),
            Operation::Reopen => self.reopen(),
            Operation::Keep => {
                let view = self.store.snapshot().ok();
                self.kept.extend(self.published.zip(view));
            }
            Operation::Scan {
                prefix,
                start,
                excluded,
            } => self.scan(prefix, start, excluded),
        }
        let expected = (self.applied > 0).then(|| cursor(self.applied));
        assert_eq!(self.store.cursor().unwrap(), expected);
    }

    fn reopen(&mut self) {
        if !self.is_durable {
            return;
        }
        self.kept.clear();
        // Something must hold the place while the engines are released.
        self.store = Box::new(MemoryStore::new());
        self.store = (self.open)(self.path);
        self.published = None;
        // Closing in good order loses nothing, but an engine that had nothing to write may lag.
        let from = self
            .store
            .cursor()
            .unwrap()
            .map_or(1, |cursor| cursor.sequence.get() + 1);
        if from <= self.applied {
            self.store.apply(batch(from, self.applied)).unwrap();
        }
    }

    fn scan(&self, prefix: usize, start: u64, excluded: bool) {
        let Some(last) = self.published else {
            assert!(matches!(self.store.snapshot(), Err(Error::NotReconciled)));
            return;
        };
        let prefixes: [&[u8]; 8] = [b"", b"E:", b"H:", b"I:", b"Q:", b"S:", b"S:Tesla\0", b"V:"];
        let prefix = prefixes[prefix];
        let key = puts(start)
            .first()
            .map_or_else(Vec::new, |put| put.key.encode());
        let bound = if excluded {
            Bound::Excluded(&key[..])
        } else {
            Bound::Included(&key[..])
        };
        let expected: Map = model(last)
            .into_iter()
            .filter(|(found, _)| found.starts_with(prefix))
            .filter(|(found, _)| {
                if excluded {
                    *found > key
                } else {
                    *found >= key
                }
            })
            .collect();
        assert_eq!(
            shown(&*self.store.snapshot().unwrap(), prefix, bound),
            expected
        );
    }

    fn finish(mut self) {
        for (last, view) in self.kept.drain(..) {
            assert_eq!(
                shown(&*view, b"", Bound::Unbounded),
                model(last),
                "view of {last}"
            );
        }
        self.store.publish().unwrap();
        let view = self.store.snapshot().unwrap();
        assert_eq!(shown(&*view, b"", Bound::Unbounded), model(self.applied));
        for (key, (sequence, content)) in model(self.applied) {
            let value = view.get(&key).unwrap().unwrap();
            assert_eq!((value.sequence.get(), value.content), (sequence, content));
        }
        crate::support::expect_exactly(&*self.store, self.applied);
    }
}

fn run(open: Open, is_durable: bool, operations: &[Operation]) {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run {
        open,
        path: directory.path(),
        is_durable,
        store: open(directory.path()),
        applied: 0,
        published: None,
        kept: Vec::new(),
    };
    for operation in operations {
        run.step(operation);
    }
    run.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_store_behaves_like_the_model(operations in operations()) {
        run(|_| Box::new(MemoryStore::new()), false, &operations);
    }
}

proptest! {
    // Each case opens files and waits for the disk.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hybrid_store_behaves_like_the_model(operations in operations()) {
        run(|path| Box::new(HybridStore::open(path).unwrap()), true, &operations);
    }

    #[cfg(feature = "sled")]
    #[test]
    fn sled_store_behaves_like_the_model(operations in operations()) {
        run(|path| Box::new(stemedb_storage::SledStore::open(path).unwrap()), true, &operations);
    }
}
