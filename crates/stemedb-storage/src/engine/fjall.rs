//! fjall, the log-structured engine that holds what grows with the stream.
//!
//! One keyspace, so that data and cursor are flushed together. Commits reach the operating system
//! (`db.batch()` sees to that; `WriteBatch::with_capacity` does not), so a killed process loses none;
//! the disk they reach in [`sync`](Engine::sync), and where fjall itself seals a journal or flushes a
//! memtable. Reads go through snapshots alone: a bare `get` of the keyspace sees half a batch.

use std::{
    fmt::{self, Debug, Formatter},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fjall::{
    Database, Error as FjallError, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode,
    Readable, Snapshot,
};

use super::{Bytes, Engine, Explained, Fault, Isolation, Level, Pair, Pairs, Range, Reader};
use crate::{guard, options::Options, watchdog::Backlog};

/// A value of this engine, shared with its caches.
pub(super) use fjall::Slice;

mod preflight;

/// Name of this engine.
pub(crate) const NAME: &str = "fjall";

/// The one keyspace.
const KEYSPACE: &str = "stream";

/// A memtable of this size is flushed; up to four wait for that, so five are in memory at worst.
const MEMTABLE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// fjall, the log-structured engine that holds what grows with the stream.
pub struct FjallEngine {
    /// Absent only while the engine is dropped.
    handles: Option<Handles>,
    sync_failed: AtomicBool,
}

/// The keyspace is dropped before the database, which waits for its threads.
struct Handles {
    keyspace: Keyspace,
    db: Database,
}

impl FjallEngine {
    /// Opens the engine in the directory `path`, which is created if it is not there.
    ///
    /// # Errors
    ///
    /// `Locked` if it is open elsewhere, `Corrupt` if its files are damaged, `Io` if the operating system refuses.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        Self::open_with(path, Options::default().stream_cache_bytes_max)
    }

    /// Opens the engine as [`open`](Self::open) does, with so many bytes of blocks in memory.
    pub(crate) fn open_with(path: &Path, cache_bytes_max: u64) -> Result<Self, Fault> {
        preflight::check(path)?;
        let db = Database::builder(path)
            .cache_size(cache_bytes_max)
            .open()
            .map_err(fault)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
        let keyspace = db.keyspace(KEYSPACE, options).map_err(fault)?;
        Ok(Self {
            handles: Some(Handles { keyspace, db }),
            sync_failed: AtomicBool::new(false),
        })
    }

    fn handles(&self) -> Result<&Handles, Fault> {
        self.handles
            .as_ref()
            .ok_or_else(|| Fault::Failed("closed".into()))
    }

    /// Notes whether an error may mean that something written before is not on the disk: a failed sync,
    /// or fjall's own poison, which its background threads set when theirs failed.
    fn note_sync<T>(&self, outcome: Result<T, FjallError>) -> Result<T, Fault> {
        outcome.map_err(|error| {
            if matches!(error, FjallError::Poisoned) {
                self.sync_failed.store(true, Ordering::Release);
            }
            fault(error)
        })
    }
}

impl Engine for FjallEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn isolation(&self) -> Isolation {
        Isolation::Snapshot
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        let Handles { db, keyspace } = self.handles()?;
        let mut batch = db.batch();
        for (key, envelope) in writes {
            batch.insert(keyspace, key, envelope);
        }
        self.note_sync(batch.commit())?;
        match level {
            Level::Visible => Ok(()),
            Level::Durable => self.sync(),
        }
    }

    fn sync(&self) -> Result<(), Fault> {
        let synced = self.handles()?.db.persist(PersistMode::SyncData);
        if synced.is_err() {
            self.sync_failed.store(true, Ordering::Release);
        }
        self.note_sync(synced)
    }

    fn sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }

    fn backlog(&self) -> Option<Backlog> {
        let db = &self.handles.as_ref()?.db;
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Some(Backlog {
            pending_flushes: count(db.outstanding_flushes()),
            unflushed_bytes: db.write_buffer_size(),
            running_compactions: count(db.active_compactions()),
            finished_compactions: count(db.compactions_completed()),
        })
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        let Handles { db, keyspace } = self.handles()?;
        Ok(Arc::new(FjallReader {
            snapshot: db.snapshot(),
            keyspace: keyspace.clone(),
        }))
    }
}

impl Drop for FjallEngine {
    fn drop(&mut self) {
        guard::release(NAME, self.handles.take());
    }
}

impl Debug for FjallEngine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallEngine").finish_non_exhaustive()
    }
}

struct FjallReader {
    snapshot: Snapshot,
    keyspace: Keyspace,
}

impl Reader for FjallReader {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let value = self.snapshot.get(&self.keyspace, key).map_err(fault)?;
        Ok(value.map(Bytes::from))
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let iter = self
            .snapshot
            .range(&self.keyspace, (range.start, range.end));
        Ok(Box::new(iter.map(|guard| {
            let (key, value) = guard.into_inner().map_err(fault)?;
            Ok((key.into(), value.into()))
        })))
    }
}

impl Debug for FjallReader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallReader").finish_non_exhaustive()
    }
}

fn fault(error: FjallError) -> Fault {
    match error {
        FjallError::Locked => Fault::Locked,
        FjallError::Io(error) | FjallError::Storage(LsmError::Io(error)) => Fault::from_io(error),
        FjallError::Storage(_) => corrupt("its tables are damaged", error),
        FjallError::JournalRecovery(_) => corrupt("its journal cannot be recovered", error),
        FjallError::InvalidVersion(_) => corrupt("its files have another version", error),
        FjallError::Decompress(_)
        | FjallError::InvalidTrailer
        | FjallError::InvalidTag(_)
        | FjallError::Unrecoverable => corrupt("its files are damaged", error),
        FjallError::Poisoned => Fault::Failed(Box::new(explained("it had failed before", error))),
        _ => Fault::Failed(Box::new(error)),
    }
}

fn corrupt(sentence: &'static str, error: FjallError) -> Fault {
    Fault::Corrupt(Box::new(explained(sentence, error)))
}

fn explained(sentence: &'static str, error: FjallError) -> Explained {
    let source = Box::new(error);
    Explained { sentence, source }
}

#[cfg(test)]
mod tests;
