//! The store on sled alone: cargo feature `sled`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    applier::Applier,
    batch::Batch,
    cursor::{Cursor, EngineCursor},
    directory,
    engine::sled::{NAME, SledEngine},
    error::{Error, Result},
    guard::{self, Fuse, Guarded},
    held::HeldViews,
    options::Options,
    reconcile,
    store::{KVStore, Snapshot, StoreKind},
    watchdog::Stall,
};

/// Directory of the engine inside the store's.
const WHOLE: &str = "sled";

/// The store on sled alone: the weakest backend.
///
/// sled 0.34 finds damage in its files at open only, and then silently drops what comes after it; the
/// store's cursor and its chain of batches show that, and replay brings it back. It has no snapshots:
/// a view leaves out entries that are above its sequence.
#[derive(Debug)]
pub struct SledStore {
    path: PathBuf,
    applier: Applier,
}

impl SledStore {
    /// Opens the store in the directory `path`, which is created if it is not there.
    ///
    /// # Errors
    ///
    /// - `Locked` if it is open elsewhere.
    /// - `NotAStore` if the directory has content, but not ours.
    /// - `UnsupportedVersion` if a newer program has written it.
    /// - `NeedsRebuild` if sled does not open, or has a hole in its batches.
    /// - `Io` if the operating system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Opens the store as [`open`](Self::open) does, with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and `Option` if a setting is out of its limits.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        options.check()?;
        let path = path.as_ref().to_owned();
        directory::prepare(&path, StoreKind::Sled, &[WHOLE])?;
        let fuse = Arc::new(Fuse::default());
        let engine = guard::open(NAME, &path, || {
            SledEngine::open(&path.join(WHOLE), options.stream_cache_bytes_max)
        })?;
        let guarded = Guarded::watched(Box::new(engine), &fuse, options.stall);
        let guarded = guarded.map_err(|source| Error::Io {
            path: path.clone(),
            source: Arc::new(source),
        })?;
        let applier = reconcile::single(guarded, fuse)?;
        Ok(Self { path, applier })
    }
}

impl KVStore for SledStore {
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
        StoreKind::Sled
    }

    fn stall(&self) -> Option<Stall> {
        self.applier.stall()
    }

    fn disk_bytes(&self) -> Result<u64> {
        directory::bytes(&self.path)
    }
}
