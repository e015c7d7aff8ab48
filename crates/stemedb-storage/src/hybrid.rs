//! The store on two engines: fjall for the stream, redb for what is small.

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
    engine::{
        CacheLookups, Engine, Fault,
        fjall::{self, FjallEngine},
        redb::{self, RedbEngine},
    },
    error::{Error, Result},
    guard::{self, Fuse, Guarded},
    held::HeldViews,
    options::Options,
    reconcile,
    store::{KVStore, Snapshot, StoreKind},
    watchdog::{Stall, StallLimits},
};

/// Directory of the stream engine inside the store's.
const STREAM: &str = "fjall";
/// File of the small engine inside the store's directory.
const SMALL: &str = "redb";

/// The store on two engines: fjall for the stream, redb for what is small.
///
/// Each engine has its own cursor in its own atomic batches, so a crash between the two leaves them at
/// different places, and replay from the lower one makes them equal again. At a checkpoint
/// ([`persist`](KVStore::persist)) fjall reaches the disk first; then redb, which notes up to where
/// fjall had.
///
/// Dropping a store releases it and makes nothing durable that `persist` has not: the next `open`
/// answers the cursor from which to replay. An engine whose threads do not end is left behind.
#[derive(Debug)]
pub struct HybridStore {
    /// Absent where the engines were given: where their files are, they know.
    path: Option<PathBuf>,
    applier: Applier,
}

impl HybridStore {
    /// Opens the store in the directory `path`, which is created if it is not there.
    ///
    /// # Errors
    ///
    /// - `Locked` if it is open elsewhere.
    /// - `NotAStore` if the directory has content, but not ours.
    /// - `UnsupportedVersion` if a newer program has written it.
    /// - `NeedsRebuild` if an engine does not open, has lost what a checkpoint had made durable, has a hole in
    ///   its batches, or had failed to write to the disk.
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
        let limits = options.stall;
        let path = path.as_ref().to_owned();
        directory::prepare(&path, StoreKind::Hybrid, &[STREAM, SMALL])?;
        let fuse = Arc::new(Fuse::default());
        // The small engine first: it answers at once if the store is open elsewhere.
        let small = open_engine(redb::NAME, &path, (&fuse, limits), || {
            RedbEngine::open_with(&path.join(SMALL), options.small_cache_bytes_max)
        })?;
        let stream = open_engine(fjall::NAME, &path, (&fuse, limits), || {
            FjallEngine::open_with(&path.join(STREAM), options.stream_cache_bytes_max)
        })?;
        let applier = reconcile::pair(stream, small, fuse)?;
        let path = Some(path);
        Ok(Self { path, applier })
    }

    /// Opens the store on two engines: one for what grows with the stream, one for what is small.
    ///
    /// They must be the ones that were given the last time, or both be empty. What a store asks of an engine stands
    /// at [`Engine`]. [`disk_bytes`](KVStore::disk_bytes) of such a store is 0. There is no watchdog on given engines: a call may take as
    /// long as they like.
    ///
    /// # Errors
    ///
    /// `UnsupportedVersion` and `NeedsRebuild` as [`open`](Self::open), and `EngineFailed`.
    pub fn with_engines(stream: Box<dyn Engine>, small: Box<dyn Engine>) -> Result<Self> {
        let fuse = Arc::new(Fuse::default());
        let stream = Guarded::new(stream, &fuse);
        let small = Guarded::new(small, &fuse);
        let applier = reconcile::pair(stream, small, fuse)?;
        Ok(Self {
            path: None,
            applier,
        })
    }
}

fn open_engine<E: Engine + 'static>(
    name: &'static str,
    path: &Path,
    (fuse, limits): (&Arc<Fuse>, StallLimits),
    open: impl FnOnce() -> Result<E, Fault>,
) -> Result<Guarded> {
    let engine = guard::open(name, path, open)?;
    Guarded::watched(Box::new(engine), fuse, limits).map_err(|source| Error::Io {
        path: path.to_owned(),
        source: Arc::new(source),
    })
}

impl KVStore for HybridStore {
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
        StoreKind::Hybrid
    }

    fn stall(&self) -> Option<Stall> {
        self.applier.stall()
    }

    fn cache_lookups(&self) -> Vec<CacheLookups> {
        self.applier.cache_lookups()
    }

    fn disk_bytes(&self) -> Result<u64> {
        self.path.as_deref().map_or(Ok(0), directory::bytes)
    }
}
