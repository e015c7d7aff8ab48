//! A store in memory, for tests and for embedding without a disk.

use std::{sync::Arc, time::Duration};

use crate::{
    applier::{Applier, Opened},
    batch::Batch,
    cursor::{Cursor, EngineCursor},
    engine::memory::MemoryEngine,
    error::Result,
    guard::{Fuse, Guarded},
    held::HeldViews,
    meta::Notes,
    store::{KVStore, Snapshot, StoreKind},
};

/// A store in memory. Nothing of it outlives it: [`persist`](KVStore::persist) has nothing to do.
#[derive(Debug)]
pub struct MemoryStore {
    engine: MemoryEngine,
    applier: Applier,
}

impl MemoryStore {
    /// Creates an empty store.
    ///
    /// # Panics
    ///
    /// Never: taking a view of an empty map does not fail.
    #[must_use]
    pub fn new() -> Self {
        let engine = MemoryEngine::default();
        let fuse = Arc::new(Fuse::default());
        let guarded = Guarded::new(Box::new(engine.clone()), &fuse);
        let opened = Opened {
            engine: guarded,
            notes: Notes::default(),
        };
        #[expect(
            clippy::expect_used,
            reason = "a view of a map in memory is a pointer to it"
        )]
        let applier = Applier::new(opened, None, fuse).expect("taking a view of a map cannot fail");
        Self { engine, applier }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl KVStore for MemoryStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        Ok(self.applier.snapshot()?)
    }

    fn working_snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        Ok(self.applier.working_snapshot()?)
    }

    fn apply(&self, batch: Batch) -> Result<()> {
        self.applier.apply(batch)
    }

    fn publish(&self) -> Result<()> {
        self.applier.publish()
    }

    fn publish_at(&self, now: Duration) -> Result<()> {
        self.applier.publish_at(now)
    }

    fn held_views(&self) -> HeldViews {
        self.applier.held_views()
    }

    fn cursor(&self) -> Result<Option<Cursor>> {
        self.applier.cursor()
    }

    fn cursors(&self) -> Result<Vec<EngineCursor>> {
        self.applier.cursors()
    }

    fn persist(&self) -> Result<()> {
        self.applier.persist()
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn disk_bytes(&self) -> Result<u64> {
        Ok(self.engine.bytes())
    }
}
