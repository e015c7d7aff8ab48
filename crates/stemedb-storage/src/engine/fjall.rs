//! fjall, the log-structured engine that holds what grows with the stream.
//!
//! One keyspace, so that data and cursor are flushed together. Commits reach the operating system
//! (`db.batch()` sees to that; `WriteBatch::with_capacity` does not), so a killed process loses none;
//! the disk they reach in [`sync`](Engine::sync), and where fjall itself seals a journal or flushes a
//! memtable. Reads go through snapshots alone: a bare `get` of the keyspace sees half a batch.
//!
//! A large commit takes another way: it is written as tables, past fjall's journal and memtable, and one
//! version edit names them all ([`FjallEngine::load`]).
//!
//! Large values lie apart, in files of blobs, and the tables say where: merging tables rewrites keys and index entries, but no
//! record. Nothing ever moves or removes a blob. A keyspace keeps the way it was created with, so that one from before keeps its
//! values in its tables.

use std::{
    borrow::Cow,
    fmt::{self, Debug, Formatter},
    fs::OpenOptions,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use fjall::{
    CompressionType, Database, DatabaseBuilder, Error as FjallError, Keyspace,
    KeyspaceCreateOptions, KvSeparationOptions, LsmError, PersistMode, Readable, Snapshot,
    compaction::{
        Leveled,
        filter::{
            CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict,
        },
    },
    config::PartitioningPolicy,
};

use self::packed::Packer;
use super::{
    Bytes, CacheLookups, Engine, Explained, Fault, Isolation, Level, Pair, Pairs, Range, Reader,
    Told,
};
use crate::{guard, options::Options, watchdog::Backlog};

/// A value of this engine, shared with its caches.
pub(super) use fjall::Slice;

mod packed;
mod preflight;
mod turns;

/// Name of this engine.
pub(crate) const NAME: &str = "fjall";

/// The one keyspace.
const KEYSPACE: &str = "stream";

/// Directory of a keyspace in which its blobs lie.
const BLOBS: &str = "blobs";

/// A value of so many bytes, as it is kept, lies apart from its key.
///
/// More than an engine notes on itself: those notes are overwritten, and a blob is never removed.
const BLOB_BYTES_MIN: u32 = 128;

/// A memtable of this size is flushed; up to four wait for that, so five are in memory at worst.
const MEMTABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Threads of fjall at least, and at most.
///
/// With two, the one that flushes takes orders to merge off the queue and puts them back, over and over, as long as the other merges: a
/// sixth of the CPU time of a load on two cores. A third one takes them, and finds that there is nothing to do.
const THREADS_MIN: usize = 3;
const THREADS_MAX: usize = 4;

/// Bytes of a commit from which on it is written as tables: fewer would make tables that soon have to be merged again.
const LOAD_BYTES_MIN: usize = 12 * 1024 * 1024;

/// So many tables that were loaded or flushed are merged at a time, with all of the first level that they overlap; each load makes one of
/// these, over all keys, so that fewer at a time would write that level anew more often.
const MERGE_TABLES_MIN: u8 = 12;

/// Bytes of a table that a merge makes. The first level holds up to [`MERGE_TABLES_MIN`] of them, each level behind it ten times as many.
/// What is merged into the first level writes all of it anew, so that it is to be small beside what comes in.
const TABLE_BYTES: u64 = 24 * 1024 * 1024;

/// With so many tables that wait to be merged a load waits for a merge that is going on: fjall holds back who writes into the memtable, but
/// no load.
///
/// It waits for no merge that has not begun: fjall looks for something to merge only when something is loaded or flushed.
const LOAD_TABLES_MAX: usize = 20;

/// How long a load that waits sleeps between two looks for the end of a merge, and how often it looks: 2 s in all, less than what the
/// watchdog remarks on. A merge that takes longer, or never ends, holds no load back for more.
const MERGE_POLL: Duration = Duration::from_millis(2);
const MERGE_POLLS_MAX: u32 = 1000;

/// fjall, the log-structured engine that holds what grows with the stream.
pub struct FjallEngine {
    /// Absent only while the engine is dropped.
    handles: Option<Handles>,
    sync_failed: AtomicBool,
    load_bytes_min: usize,
    /// Of blocks of data, of filters and of indexes.
    told: [Told; 3],
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
        let builder = Database::builder(path)
            .cache_size(cache_bytes_max)
            .worker_threads(threads());
        // It returns at once where nobody waits for the processor.
        let builder = turns::take_turns(builder, thread::yield_now);
        let db = builder.open().map_err(fault)?;
        let keyspace = db.keyspace(KEYSPACE, options).map_err(fault)?;
        Ok(Self {
            handles: Some(Handles { keyspace, db }),
            sync_failed: AtomicBool::new(false),
            load_bytes_min: LOAD_BYTES_MIN,
            told: Default::default(),
        })
    }

    /// Has commits of so many bytes and more written as tables, which is for large ones: 12 MiB unless set otherwise.
    #[must_use]
    pub const fn with_load_bytes_min(mut self, load_bytes_min: usize) -> Self {
        self.load_bytes_min = load_bytes_min;
        self
    }

    /// Brings the names of the blobs to the disk.
    ///
    /// fjall syncs each file of blobs, but not their directory, as it does with tables. File systems that keep a journal bring a new
    /// file's name to the disk with the file; where one does not, a missing blob is found at opening and asks for a rebuild.
    fn sync_blob_names(&self, keyspace: &Keyspace) -> Result<(), Fault> {
        if !keyspace.is_kv_separated() {
            return Ok(());
        }
        let synced = sync_directory(&keyspace.path().join(BLOBS));
        if synced.is_err() {
            self.sync_failed.store(true, Ordering::Release);
        }
        synced.map_err(Fault::from_io)
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

impl FjallEngine {
    /// Whether a commit is written as tables.
    fn is_load(&self, writes: &[Pair]) -> bool {
        let mut bytes = 0;
        writes.iter().any(|(key, envelope)| {
            bytes += key.len() + envelope.len();
            bytes >= self.load_bytes_min
        })
    }

    /// Commits pairs in the order of their keys as tables: no journal, no memtable, and nothing to flush afterwards.
    fn load(&self, handles: &Handles, writes: &[Pair]) -> Result<(), Fault> {
        let Handles { db, keyspace } = handles;
        // An ingestion does not ask whether something had failed in the background, as every other write does.
        self.note_sync(db.persist(PersistMode::Buffer))?;
        let mut ingestion = self.note_sync(keyspace.start_ingestion())?;
        let mut packer = Packer::default();
        for (key, envelope) in writes {
            self.note_sync(ingestion.write(&key[..], packer.pack(envelope)))?;
        }
        // Durability: a blob has its name since its first value was written, so all names are there.
        self.sync_blob_names(keyspace)?;
        // Durability: fjall does this under the lock of its journal, so that no other write comes in between.
        // 1. It flushes the memtable: what was committed before is in tables that have reached the disk, under lower
        //    sequence numbers. Without that a flush that came later would put older values above newer ones (the
        //    cursor is overwritten), and replay of its journal, which leaves out what is older than the tables, would lose it.
        // 2. The new blobs reach the disk, then the new tables, all under the next sequence number.
        // 3. A new version that names both reaches the disk under a name of its own, then the file `current`, which names
        //    that version, is replaced by rename. A crash before finds files that nothing names, and deletes them; so a
        //    load is there as a whole or not at all.
        let loaded = ingestion.finish();
        if loaded.is_err() {
            self.sync_failed.store(true, Ordering::Release);
        }
        self.note_sync(loaded)
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
        let handles = self.handles()?;
        let Handles { db, keyspace } = handles;
        // Of other orders fjall makes slower memtables, and of a load a panic, before any of it is visible.
        debug_assert!(
            writes.is_sorted_by(|(one, _), (other, _)| one < other),
            "pairs come in the order of their keys, each key once"
        );
        if level == Level::Visible && self.is_load(&writes) {
            await_merge(
                || keyspace.l0_table_count(),
                || db.active_compactions() > 0,
                || thread::park_timeout(MERGE_POLL),
            );
            return self.load(handles, &writes);
        }
        let mut batch = db.batch();
        let mut packer = Packer::default();
        for (key, envelope) in &writes {
            batch.insert(keyspace, &key[..], packer.pack(envelope));
        }
        self.note_sync(batch.commit())?;
        match level {
            Level::Visible => Ok(()),
            Level::Durable => self.sync(),
        }
    }

    fn sync(&self) -> Result<(), Fault> {
        let Handles { db, keyspace } = self.handles()?;
        let synced = db.persist(PersistMode::SyncData);
        if synced.is_err() {
            self.sync_failed.store(true, Ordering::Release);
        }
        self.note_sync(synced)?;
        self.sync_blob_names(keyspace)
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

    /// Blocks of data that a range finds in the cache are not counted, though those that it does not find are; nor are values that lie
    /// apart, what merging reads, and what stays in memory beside the cache.
    fn cache_lookups(&self) -> Vec<CacheLookups> {
        let Some(Handles { keyspace, .. }) = &self.handles else {
            return Vec::new();
        };
        let seen = keyspace.metrics();
        // All are read first: what others look up in between is missing in the misses, and is told the next time.
        let of = |content, told: &Told, all: usize, hits: usize| {
            told.raise(hits as u64, all.saturating_sub(hits) as u64);
            CacheLookups {
                engine: NAME,
                content,
                hits: Some(told.hits()),
                misses: told.misses(),
            }
        };
        let [data, filters, indexes] = &self.told;
        vec![
            CacheLookups {
                hits: None,
                ..of(
                    "data",
                    data,
                    seen.data_block_load_count(),
                    seen.data_block_load_cached_count(),
                )
            },
            of(
                "filter",
                filters,
                seen.filter_block_load_count(),
                seen.filter_block_load_cached_count(),
            ),
            of(
                "index",
                indexes,
                seen.index_block_load_count(),
                seen.index_block_load_cached_count(),
            ),
        ]
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
        value.map(unpacked).transpose()
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let iter = self
            .snapshot
            .range(&self.keyspace, (range.start, range.end));
        Ok(Box::new(iter.map(|guard| {
            let (key, value) = guard.into_inner().map_err(fault)?;
            Ok((key.into(), unpacked(value)?))
        })))
    }
}

impl Debug for FjallReader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallReader").finish_non_exhaustive()
    }
}

fn options() -> KeyspaceCreateOptions {
    let apart = KvSeparationOptions::default()
        .separation_threshold(BLOB_BYTES_MIN)
        // Values are packed before fjall sees them.
        .compression(CompressionType::None)
        // No blob is moved, however many of its neighbours are stale.
        .age_cutoff(0.0);
    let leveled = Leveled::default()
        .with_l0_threshold(MERGE_TABLES_MIN)
        .with_table_target_size(TABLE_BYTES);
    // Tables that were flushed are asked for every key, so that their indexes stay in memory. Those of the others, half a MB for each
    // table, are in parts, of which the cache holds what is asked for.
    let indexes_in_parts = PartitioningPolicy::new([false, true]);
    KeyspaceCreateOptions::default()
        .index_block_partitioning_policy(indexes_in_parts)
        .compaction_strategy(Arc::new(leveled))
        .max_memtable_size(MEMTABLE_BYTES_MAX)
        .with_kv_separation(Some(apart))
}

/// Waits while too many tables wait to be merged and a merge goes on, but not for ever.
fn await_merge(tables: impl Fn() -> usize, is_merging: impl Fn() -> bool, mut pause: impl FnMut()) {
    for _ in 0..MERGE_POLLS_MAX {
        if tables() < LOAD_TABLES_MAX || !is_merging() {
            return;
        }
        pause();
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).open(path)?.sync_all()
}

/// The value that fjall kept as these bytes, which it lends where they are the value itself.
fn unpacked(kept: Slice) -> Result<Bytes, Fault> {
    match packed::unpack(&kept) {
        Ok(Cow::Borrowed(_)) => Ok(kept.into()),
        Ok(Cow::Owned(value)) => Ok(value.into()),
        Err(damaged) => Err(Fault::Corrupt(Box::new(damaged))),
    }
}

fn threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.clamp(THREADS_MIN, THREADS_MAX)
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
