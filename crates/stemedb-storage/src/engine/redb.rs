//! redb, the B-tree engine that holds what is small and read by nearly every query.
//!
//! Visible commits are of redb's `None` kind: a killed process loses them, which the engine's own cursor
//! shows. Durable ones are `Immediate` with quick repair, so that opening after a crash walks nothing.

use std::{
    fmt::{self, Debug, Formatter},
    path::Path,
    sync::{Arc, Mutex, PoisonError, TryLockError},
};

use redb::{
    Builder, CommitError, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase,
    SetDurabilityError, StorageError, TableDefinition, TableError, TransactionError,
};

/// A file as redb asks for it.
pub use redb::StorageBackend;

use super::{
    Bytes, CacheLookups, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader, Told,
};
use crate::{guard, options::Options};

/// Name of this engine.
pub(crate) const NAME: &str = "redb";

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("small");

/// redb, the B-tree engine that holds what is small and read by nearly every query.
pub struct RedbEngine {
    /// Absent only while the engine is dropped.
    db: Option<Database>,
    told: Told,
    /// Held from the beginning of a commit to its end.
    committing: Mutex<()>,
}

impl RedbEngine {
    /// Opens the engine in the file `path`, which is created if it is not there.
    ///
    /// # Errors
    ///
    /// `Locked` if it is open elsewhere, `Corrupt` if the file is damaged, `Io` if the operating system refuses.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        Self::open_with(path, Options::default().small_cache_bytes_max)
    }

    /// Opens the engine as [`open`](Self::open) does, with so many bytes of pages in memory.
    pub(crate) fn open_with(path: &Path, cache_bytes_max: u64) -> Result<Self, Fault> {
        Self::prepared(builder(cache_bytes_max).create(path))
    }

    /// Opens the engine on a file that is reached in another way: an encrypted one, or one that is not on a disk.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), with what the file answers.
    pub fn on(file: impl StorageBackend) -> Result<Self, Fault> {
        let builder = builder(Options::default().small_cache_bytes_max);
        Self::prepared(builder.create_with_backend(file))
    }

    fn prepared(opened: Result<Database, DatabaseError>) -> Result<Self, Fault> {
        let mut db = opened.map_err(opening)?;
        // redb believes what it reads, and panics at some damage in the midst of a commit, once more while it unwinds, which ends the
        // process. Its file holds little, so that all of it is verified first; what a crash has left is mended on the way.
        db.check_integrity().map_err(opening)?;
        let engine = Self {
            db: Some(db),
            told: Told::default(),
            committing: Mutex::default(),
        };
        match engine.begin_read()?.open_table(TABLE) {
            Ok(_) => {}
            // A view of a table that does not exist yet is an error: this makes it exist.
            Err(TableError::TableDoesNotExist(_)) => engine.commit(Vec::new(), Level::Durable)?,
            Err(error) => return Err(table(error)),
        }
        // What verifying has read is told from the beginning, also during the first commit.
        engine.cache_lookups();
        Ok(engine)
    }

    fn db(&self) -> Result<&Database, Fault> {
        self.db
            .as_ref()
            .ok_or_else(|| Fault::Failed("closed".into()))
    }

    fn begin_read(&self) -> Result<redb::ReadTransaction, Fault> {
        self.db()?.begin_read().map_err(transaction)
    }
}

fn builder(cache_bytes_max: u64) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(usize::try_from(cache_bytes_max).unwrap_or(usize::MAX));
    builder
}

impl Engine for RedbEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn isolation(&self) -> Isolation {
        Isolation::Snapshot
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        // What a commit that has panicked left behind is redb's to know.
        let _committing = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut write = self.db()?.begin_write().map_err(transaction)?;
        match level {
            Level::Visible => write.set_durability(Durability::None).map_err(durability)?,
            Level::Durable => {
                write
                    .set_durability(Durability::Immediate)
                    .map_err(durability)?;
                write.set_quick_repair(true);
            }
        }
        {
            let mut open = write.open_table(TABLE).map_err(table)?;
            for (key, envelope) in writes {
                open.insert(&key[..], &envelope[..]).map_err(storage)?;
            }
        }
        write.commit().map_err(commit)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.commit(Vec::new(), Level::Durable)
    }

    fn sync_failed(&self) -> bool {
        // redb refuses to go on after a failed sync, and falls back to its last durable commit.
        false
    }

    /// Pages that commits read are among them, and those that are read when the file is verified at opening.
    fn cache_lookups(&self) -> Vec<CacheLookups> {
        // redb counts what it writes as found before it counts it at all, subtracts the one from the other, and would panic between.
        // During a commit what was told before is told again.
        let no_commit = match self.committing.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let (Some(db), Some(_no_commit)) = (&self.db, no_commit) {
            // All are of the first look, hits of the second: only who reads at this moment is taken for a miss.
            let (all, hits) = (db.cache_stats(), db.cache_stats().read_hits());
            let all = all.read_hits() + all.read_misses();
            self.told.raise(hits, all.saturating_sub(hits));
        }
        vec![CacheLookups {
            engine: NAME,
            content: "page",
            hits: Some(self.told.hits()),
            misses: self.told.misses(),
        }]
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        let read = self.begin_read()?;
        Ok(Arc::new(RedbReader(read.open_table(TABLE).map_err(table)?)))
    }
}

impl Drop for RedbEngine {
    fn drop(&mut self) {
        guard::release(NAME, self.db.take());
    }
}

impl Debug for RedbEngine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbEngine").finish_non_exhaustive()
    }
}

struct RedbReader(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl Reader for RedbReader {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let value = self.0.get(key).map_err(storage)?;
        Ok(value.map(|value| value.value().to_vec().into()))
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let start = range.start.as_ref().map(|key| &key[..]);
        let end = range.end.as_ref().map(|key| &key[..]);
        let pairs = self.0.range::<&[u8]>((start, end)).map_err(storage)?;
        Ok(Box::new(pairs.map(|pair| {
            let (key, value) = pair.map_err(storage)?;
            Ok((key.value().to_vec().into(), value.value().to_vec().into()))
        })))
    }
}

impl Debug for RedbReader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbReader").finish_non_exhaustive()
    }
}

fn opening(error: DatabaseError) -> Fault {
    match error {
        DatabaseError::DatabaseAlreadyOpen => Fault::Locked,
        DatabaseError::Storage(error) => storage(error),
        _ => Fault::Corrupt(Box::new(error)),
    }
}

fn storage(error: StorageError) -> Fault {
    match error {
        StorageError::Io(error) => Fault::from_io(error),
        // A read or write before this one failed, and redb has kept that to itself: no sign of damage.
        StorageError::PreviousIo => Fault::Io(std::io::Error::other(error)),
        StorageError::Corrupted(_) => Fault::Corrupt(Box::new(error)),
        _ => Fault::Failed(Box::new(error)),
    }
}

fn table(error: TableError) -> Fault {
    match error {
        TableError::Storage(error) => storage(error),
        _ => Fault::Corrupt(Box::new(error)),
    }
}

fn transaction(error: TransactionError) -> Fault {
    match error {
        TransactionError::Storage(error) => storage(error),
        _ => Fault::Failed(Box::new(error)),
    }
}

fn commit(error: CommitError) -> Fault {
    match error {
        CommitError::Storage(error) => storage(error),
        _ => Fault::Failed(Box::new(error)),
    }
}

fn durability(error: SetDurabilityError) -> Fault {
    Fault::Failed(Box::new(error))
}

#[cfg(test)]
mod tests;
