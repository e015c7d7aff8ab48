//! An open database.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use stemedb_core::{Assertion, Epoch, Record, Sequence, Vote};
use stemedb_ingest::Ingestor;
use stemedb_storage::KVStore;
use stemedb_wal::{Journal, JournalWatch, Trust, Writer};
use tokio::sync::Mutex;

use crate::changes::Changes;
use crate::error::Cause;
use crate::export::Export;
use crate::flight::InFlight;
use crate::known::{Known, Scan};
use crate::observe::Tally;
use crate::{
    Builder, Durability, Error, Health, JournalHead, Observations, Prepared, Receipt, Result,
    SnapshotReport, Stats, Submission, SyncStats, View, observe, snapshot, stats,
};

mod open;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use open::{
    JOURNAL_DIRECTORY, STORE_DIRECTORY, check_journal, lock_journal, open_store,
};

/// A database: its journal, its store, and the worker that applies the one to the other.
///
/// It is shared by reference between any number of threads. Dropping it closes it; [`close`](Self::close) does the same and says how
/// it went.
pub struct Database {
    inner: Arc<Inner>,
    was_created: bool,
}

// Ordering: the fields are dropped in this order: the scan lets go of the store, the worker lets go of journal and store, then the
// journal covers its last group and releases the lock.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) directory: PathBuf,
    pub(crate) durability: Durability,
    /// Threads that share the look-ups of one submission.
    pub(crate) threads: usize,
    /// Absent where nothing was stored when the database was opened.
    pub(crate) scan: Option<Scan>,
    pub(crate) known: Arc<Known>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) ingestor: Ingestor,
    pub(crate) store: Arc<dyn KVStore>,
    pub(crate) writer: Writer,
    /// For records whose signatures were verified here.
    pub(crate) trusted_writer: Writer,
    pub(crate) watch: JournalWatch,
    /// Held for its lock and its log thread.
    pub(crate) journal: Arc<Mutex<Journal>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("directory", &self.inner.directory)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database in a directory; there must be one.
    ///
    /// # Errors
    ///
    /// As [`Builder::open`].
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(directory)
    }

    /// Settings, to open a database with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Whether this call of `open` created the database.
    #[must_use]
    pub fn was_created(&self) -> bool {
        self.was_created
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The database's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Stores an assertion; it is durable when this returns, as [`Builder::durability`] says.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn assert(&self, assertion: Assertion) -> Result<Receipt> {
        self.add(assertion)
    }

    /// Stores a vote; it is durable when this returns, as [`Builder::durability`] says.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn vote(&self, vote: Vote) -> Result<Receipt> {
        self.add(vote)
    }

    /// Stores an epoch; it is durable when this returns, as [`Builder::durability`] says.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn define_epoch(&self, epoch: Epoch) -> Result<Receipt> {
        self.add(epoch)
    }

    /// Stores a record of any type; it is durable when this returns, as [`Builder::durability`] says. One that is stored already is
    /// answered with its first sequence.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) where the record is over its limits or its signature is not right,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the disk is full, [`Closed`](crate::ErrorKind::Closed) where a write or an
    /// fsync failed: then the outcome is unknown, and shows when the database is opened again.
    pub fn add(&self, record: impl Into<Record>) -> Result<Receipt> {
        let prepared = Prepared::new(&record.into())?;
        let receipts = self.submit(vec![prepared]).wait();
        receipts
            .into_iter()
            .next()
            .unwrap_or(Err(Cause::Closed.into()))
    }

    /// Hands in records that were prepared, many at a time; the receipts come from the [`Submission`].
    ///
    /// This returns before they are durable, so that several submissions can share an fsync. It waits only while too much is in
    /// flight: more than 2^18 records that cannot be read yet (2^20 where they are synced at intervals), or more bytes than the journal's
    /// queue takes, or a store that is further behind than [`Builder::behind_bytes_max`]. A submission may be durable in part: each record has its own outcome.
    pub fn submit(&self, records: Vec<Prepared>) -> Submission {
        let count = records.len();
        let submitted = self.inner.submit(records, Trust::Verified);
        submitted.unwrap_or_else(|error| Submission::failed(&error, count))
    }

    /// Stores records in order, as fast as the disk allows; what is refused comes out as an error in its place.
    ///
    /// There is a receipt for each record, so that its use of memory grows with their number: hand in a long stream in parts, or use
    /// [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// Each record has its own; see [`add`](Self::add).
    pub fn ingest(&self, records: impl IntoIterator<Item = Record>) -> Vec<Result<Receipt>> {
        const CHUNK_RECORDS: usize = 1024;
        let mut receipts = Vec::new();
        let mut records = records.into_iter().peekable();
        let mut before: Option<Pending> = None;
        while records.peek().is_some() {
            let chunk = records.by_ref().take(CHUNK_RECORDS).map(Ok::<_, Error>);
            let pending = self.submit_prepared(Prepared::all(chunk));
            receipts.extend(before.replace(pending).into_iter().flat_map(Pending::wait));
        }
        receipts.extend(before.into_iter().flat_map(Pending::wait));
        receipts
    }

    fn submit_prepared(&self, prepared: Vec<Result<Prepared>>) -> Pending {
        let mut sound = Vec::with_capacity(prepared.len());
        let mut refused = Vec::with_capacity(prepared.len());
        for one in prepared {
            refused.push(one.map(|one| sound.push(one)).err());
        }
        let submission = self.submit(sound);
        Pending {
            refused,
            submission,
        }
    }

    /// Waits until the record with this sequence can be read.
    pub fn wait_applied(&self, sequence: Sequence) -> Applied {
        Applied(self.inner.ingestor.wait_applied(sequence.get()))
    }

    /// A consistent view of everything that is applied now.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) where the store has failed.
    pub fn view(&self) -> Result<View> {
        Ok(View::new(self.inner.store.snapshot()?))
    }

    /// The stored records in the order of their sequences, up to what is applied now.
    ///
    /// It streams the journal, and holds no view for long, so that it may take as long as it likes.
    ///
    /// # Errors
    ///
    /// As [`view`](Self::view).
    pub fn export(&self) -> Result<Export> {
        Export::new(&self.inner)
    }

    /// The stored records behind a sequence, or all, in batches that end where they have reached what is applied, and go on later.
    ///
    /// ```
    /// # use stemedb::{Agent, Assertion, ChangesLimit, Create, Database, Object, Predicate, Subject};
    /// # let directory = tempfile::tempdir()?;
    /// # let database = Database::builder().create(Create::IfMissing).open(directory.path().join("data"))?;
    /// # let claim = Assertion::new(Subject::new("s")?, Predicate::new("p")?, Object::text("o"), Agent::new("a")?);
    /// let receipt = database.assert(claim)?;
    /// let mut changes = database.changes(None);
    /// database.wait_applied(receipt.sequence).wait()?;
    /// let batch = changes.next_batch(ChangesLimit::default())?;
    /// assert_eq!(batch.records.len(), 1);
    /// assert!(batch.is_last());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn changes(&self, after: Option<Sequence>) -> Changes {
        Changes::new(&self.inner, after)
    }

    /// Counts, sequences and bytes.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) where the store has failed, [`Unavailable`](crate::ErrorKind::Unavailable) where its
    /// files cannot be looked at.
    pub fn stats(&self) -> Result<Stats> {
        stats::of(&self.inner)
    }

    /// The end of the journal.
    ///
    /// ```
    /// # use stemedb::{Agent, Assertion, Create, Database, Object, Predicate, Subject};
    /// # let directory = tempfile::tempdir()?;
    /// # let database = Database::builder().create(Create::IfMissing).open(directory.path().join("data"))?;
    /// # let claim = Assertion::new(Subject::new("s")?, Predicate::new("p")?, Object::text("o"), Agent::new("a")?);
    /// assert_eq!(database.head().hash, None);
    /// let receipt = database.assert(claim)?;
    /// let head = database.head();
    /// assert_eq!(head.sequence, receipt.sequence.get());
    /// assert_eq!(head.hash, database.stats()?.journal.head_hash);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It looks at no file, waits for none, and is told also where the store has failed.
    #[must_use]
    pub fn head(&self) -> JournalHead {
        stats::head(&self.inner)
    }

    /// What the database has counted since it was opened, and where it stands: for metrics, and cheap enough to be asked every second.
    ///
    /// It looks at no file, and waits for none.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) where the store has failed.
    pub fn observe(&self) -> Result<Observations> {
        observe::of(&self.inner)
    }

    /// The fsyncs that appending has waited for since the database was opened, and for how long one has been going on now.
    ///
    /// It looks at no file, and waits for none.
    #[must_use]
    pub fn syncs(&self) -> SyncStats {
        self.inner.watch.sync_stats()
    }

    /// Whether the database works: whether it accepts, applies and shows records.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::of(&self.inner)
    }

    /// Makes a database of its own in `destination`, which must not exist or be empty, out of what is durable now; writing goes on meanwhile.
    ///
    /// It holds every record that was acknowledged before this call (under [`Durability::Interval`] those that were synced), in order, and
    /// perhaps some that came later. The sealed segments of the journal are linked rather than copied where the file system can, so that
    /// it takes little time and space on the same one; neither database ever writes to a file that both have.
    /// The store is not copied: opening the snapshot, or [`rebuild`](crate::maintenance::rebuild), builds it from the journal.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) where the destination holds anything, [`Unavailable`](crate::ErrorKind::Unavailable) where
    /// it cannot be written, [`Corruption`](crate::ErrorKind::Corruption) where the journal is damaged in what must be copied.
    /// What is in the destination then is refused by whoever opens it.
    pub fn snapshot(&self, destination: impl AsRef<Path>) -> Result<SnapshotReport> {
        snapshot::snapshot(&self.inner, destination.as_ref())
    }

    /// Appends the bytes of a quarantined record again, if they would be applied now and are not stored. The entry stays.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) where nothing is in quarantine under this sequence, [`Invalid`](crate::ErrorKind::Invalid)
    /// where it still cannot be applied; and as [`add`](Self::add).
    pub fn retry_quarantined(&self, sequence: Sequence) -> Result<Receipt> {
        let entry = self.view()?.quarantined(sequence)?;
        let entry = entry.ok_or(Cause::NotQuarantined(sequence))?;
        let reason = |reason: String| Cause::StillQuarantined { sequence, reason };
        let record = stemedb_ingest::deserialize(&entry.payload)
            .map_err(|error| reason(error.to_string()))?;
        let mut prepared = Prepared::new(&record).map_err(|error| reason(error.to_string()))?;
        prepared.payload = entry.payload;
        // The worker verifies these bytes for itself: it has refused them before.
        let submitted = self.inner.submit(vec![prepared], Trust::Unverified);
        let receipts = submitted?.wait();
        receipts
            .into_iter()
            .next()
            .unwrap_or(Err(Cause::Closed.into()))
    }

    /// Closes the database: what is durable is applied, a checkpoint is made, the journal's last group is covered, the lock released.
    ///
    /// # Errors
    ///
    /// What failed on the way; nothing that was acknowledged is lost by it.
    pub fn close(self) -> Result<()> {
        let inner = Arc::into_inner(self.inner).ok_or(Cause::Closed)?;
        let Inner {
            scan,
            ingestor,
            store,
            writer,
            trusted_writer,
            watch,
            journal,
            ..
        } = inner;
        // It holds the store, which must be closed before the journal's lock is released.
        drop(scan);
        // What is durable is applied, so that the next open has nothing to replay.
        let applied = ingestor.wait_applied(watch.durable_sequence()).wait();
        let stopped = ingestor.stop();
        drop((store, writer, trusted_writer, watch));
        let closed = Arc::into_inner(journal).map(|journal| journal.into_inner().close());
        applied?;
        stopped?;
        closed.transpose()?;
        Ok(())
    }
}

/// Records of which some were refused before they were submitted.
#[derive(Debug)]
struct Pending {
    refused: Vec<Option<Error>>,
    submission: Submission,
}

impl Pending {
    fn wait(self) -> Vec<Result<Receipt>> {
        let mut receipts = self.submission.wait().into_iter();
        let next = |refused: Option<Error>| match refused {
            Some(error) => Err(error),
            None => receipts.next().unwrap_or(Err(Cause::Closed.into())),
        };
        self.refused.into_iter().map(next).collect()
    }
}

/// The wait for a sequence to become readable: `.await` it, or block on [`wait`](Self::wait).
#[derive(Debug)]
#[must_use = "nothing waits unless this is awaited"]
pub struct Applied(stemedb_ingest::Applied);

impl Applied {
    /// Blocks until the sequence can be read.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) and others, where the worker has ended.
    pub fn wait(self) -> Result<()> {
        Ok(self.0.wait()?)
    }
}

impl IntoFuture for Applied {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.0.await?) })
    }
}
