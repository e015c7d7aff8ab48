//! What every store promises: [`KVStore`], and [`Snapshot`] for reading.

use std::{
    fmt::{self, Debug, Display, Formatter},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use stemedb_core::Sequence;

use crate::{
    batch::Batch,
    cursor::{Counts, Cursor, EngineCursor},
    engine::CacheLookups,
    envelope::{self, Value},
    error::Result,
    held::HeldViews,
    key,
    watchdog::Stall,
};

/// Entries in the order of their keys, read as they are asked for.
///
/// An entry that is damaged comes as an error, and the scan goes on after it; where an engine itself
/// fails, its error is the last item.
pub type Scan = Box<dyn Iterator<Item = Result<(Vec<u8>, Value)>> + Send>;

/// Entries as they lie in the engines, nothing verified.
pub type RawScan = Box<dyn Iterator<Item = Result<RawEntry>> + Send>;

/// Which implementation a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// [`MemoryStore`](crate::MemoryStore).
    Memory,
    /// [`HybridStore`](crate::HybridStore).
    Hybrid,
    /// `SledStore`.
    Sled,
}

impl Display for StoreKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Hybrid => "hybrid",
            Self::Sled => "sled",
        })
    }
}

/// A store of entries that are derived from a journal.
///
/// One applier hands it [`Batch`]es in the order of the journal; any number of readers look at the view
/// that was published last. The contract, for every implementation:
///
/// - **Exactly once.** A batch is atomic in each engine and carries the cursor of the journal. An entry is
///   applied to an engine iff its sequence is above that engine's cursor, so applying a batch again, or
///   batches that overlap, changes nothing.
/// - **Nobody sees half a batch.** `get`, `scan_prefix` and `snapshot` answer from the published view,
///   which changes as a whole in [`publish`](Self::publish), and answer
///   [`NotReconciled`](crate::Error::NotReconciled) before the first.
/// - **Checked at every read.** A value whose checksum does not fit is
///   [`Corruption`](crate::Error::Corruption), never an answer.
/// - **A failure is final.** After an engine has failed or panicked every call answers
///   [`EngineFailed`](crate::Error::EngineFailed). Drop the store, open it again, and replay from its cursor.
/// - **No write waits for ever.** An engine that the store opened on a disk, and that makes no progress with a commit or a sync for
///   longer than its [`StallLimits`](crate::StallLimits) allow, has failed; the source of the error is a [`Stall`].
/// - A key is written once: nothing is overwritten or removed.
/// - [`KeyKind::Batch`](crate::KeyKind::Batch) and [`KeyKind::Meta`](crate::KeyKind::Meta) are the store's own: no
///   view shows them, except to [`Snapshot::scan_raw`].
pub trait KVStore: Debug + Send + Sync {
    /// Reads one entry of the published view.
    ///
    /// # Errors
    ///
    /// `NotReconciled`, `Corruption`, `EngineFailed`; `EmptyKey` and `KeyTooLong` for keys that cannot be.
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.snapshot()?.get(key)
    }

    /// Reads the entries of the published view whose keys begin with `prefix`; all, if it is empty.
    ///
    /// # Errors
    ///
    /// `NotReconciled`, `EngineFailed`, `KeyTooLong`.
    fn scan_prefix(&self, prefix: &[u8]) -> Result<Scan> {
        self.snapshot()?.scan(prefix, Bound::Unbounded)
    }

    /// Returns the published view, which stays as it is while batches are applied.
    ///
    /// A view that is kept pins old data in the engines, and, on disk, the engines' locks: drop it before
    /// the store is opened again.
    ///
    /// # Errors
    ///
    /// `NotReconciled`, `EngineFailed`.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>>;

    /// Returns a view of everything applied so far, published or not: for the one who applies.
    ///
    /// During a replay one engine may be ahead of the other, and then so is this view.
    ///
    /// # Errors
    ///
    /// `EngineFailed`.
    fn working_snapshot(&self) -> Result<Arc<dyn Snapshot>>;

    /// Applies a batch to each engine that has not applied it yet. It is not durable before [`persist`](Self::persist).
    ///
    /// # Errors
    ///
    /// - `Gap` if records between an engine's cursor and the batch would be skipped.
    /// - `ForeignJournal` if the batch comes from another journal than what is stored.
    /// - `InvalidBatch`, `MalformedKey`, `KeyTooLong` if the batch is at fault. In all these cases nothing was written.
    /// - `EngineFailed` if an engine failed; whether the batch was applied shows when the store is opened again.
    fn apply(&self, batch: Batch) -> Result<()>;

    /// Makes everything applied so far the published view.
    ///
    /// The caller does this only once it has replayed the journal to its durable end.
    ///
    /// # Errors
    ///
    /// `NotReconciled` while one engine is behind the other, `EngineFailed`.
    fn publish(&self) -> Result<()>;

    /// Makes everything applied so far the published view, and notes that the one before is out of date since `now`.
    ///
    /// The clock is the caller's: [`held_views`](Self::held_views) answers in its terms.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    fn publish_at(&self, now: Duration) -> Result<()> {
        let _ = now;
        self.publish()
    }

    /// Returns which views are held although a newer one was published: they pin old data.
    ///
    /// A store that does not know answers that there are none.
    fn held_views(&self) -> HeldViews {
        HeldViews::default()
    }

    /// Returns the cursor from which replay goes on: that of the engine which is furthest behind.
    ///
    /// # Errors
    ///
    /// `EngineFailed`.
    fn cursor(&self) -> Result<Option<Cursor>>;

    /// Returns what each engine has written as its cursor.
    ///
    /// # Errors
    ///
    /// `EngineFailed`.
    fn cursors(&self) -> Result<Vec<EngineCursor>>;

    /// Makes everything applied so far durable: a checkpoint.
    ///
    /// # Errors
    ///
    /// `EngineFailed`; then nothing can be said about what is on the disk.
    fn persist(&self) -> Result<()>;

    /// Returns which implementation this is.
    fn kind(&self) -> StoreKind;

    /// Returns the call into an engine that takes longer than it should right now; it answers at once, also then.
    ///
    /// A store without a watchdog answers `None`.
    fn stall(&self) -> Option<Stall> {
        None
    }

    /// Returns what was looked up in the caches of the engines since they were opened; it answers at once.
    ///
    /// A store that does not count answers nothing.
    fn cache_lookups(&self) -> Vec<CacheLookups> {
        Vec::new()
    }

    /// Returns the bytes that the store takes on the disk, or in memory if that is where it is.
    ///
    /// # Errors
    ///
    /// `Io` if the directory cannot be read.
    fn disk_bytes(&self) -> Result<u64>;
}

/// An unchanging view of a store.
pub trait Snapshot: Debug + Send + Sync {
    /// Reads one entry.
    ///
    /// # Errors
    ///
    /// `Corruption`, `EngineFailed`, `EmptyKey`, `KeyTooLong`.
    fn get(&self, key: &[u8]) -> Result<Option<Value>>;

    /// Reads from which record an entry comes; its content is verified as [`get`](Self::get) does it.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn sequence(&self, key: &[u8]) -> Result<Option<Sequence>> {
        Ok(self.get(key)?.map(|value| value.sequence))
    }

    /// Reads the entries whose keys begin with `prefix`, from `start` on.
    ///
    /// `Bound::Included(key)` begins at that key, `Bound::Excluded(key)` after it; the key need not exist,
    /// nor begin with the prefix. The scan borrows nothing, and keeps the view alive.
    ///
    /// # Errors
    ///
    /// `EngineFailed`, `KeyTooLong`.
    fn scan(&self, prefix: &[u8], start: Bound<&[u8]>) -> Result<Scan>;

    /// Reads everything in every engine, the store's own notes included, without verifying anything.
    ///
    /// For checkers and dumps of a store that nobody applies to: where an engine has no snapshots it may
    /// show more than this view does.
    ///
    /// # Errors
    ///
    /// `EngineFailed`.
    fn scan_raw(&self) -> Result<RawScan>;

    /// Returns how much is stored.
    fn counts(&self) -> Counts;

    /// Returns up to where the journal is applied, or `None` if nothing is.
    fn cursor(&self) -> Option<Cursor>;
}

/// An entry as it lies in an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// The engine that holds it.
    pub engine: &'static str,
    /// The bytes of its key.
    pub key: Vec<u8>,
    /// The bytes of its envelope.
    pub envelope: Vec<u8>,
}

impl RawEntry {
    /// Verifies the checksum.
    ///
    /// # Errors
    ///
    /// `Corruption` naming the key.
    pub fn verify(&self) -> Result<()> {
        envelope::verify(self.engine, &self.key, &self.envelope).map(|_| ())
    }

    /// Verifies the checksum and takes the value out of the envelope.
    ///
    /// # Errors
    ///
    /// `Corruption` naming the key; also for the store's own notes, which come from no record.
    pub fn open(self) -> Result<Value> {
        envelope::open(self.engine, &self.key, &self.envelope)
    }

    /// Returns the key in text form.
    #[must_use]
    pub fn key_text(&self) -> String {
        key::text(&self.key)
    }
}
