//! How a database is opened.

use std::path::Path;
use std::time::Duration;

use crate::{Database, Result, known};

/// Which engines hold what can be looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// fjall for what grows with the stream, redb for what is small: the usual choice.
    #[default]
    Hybrid,
    /// sled alone: the weakest, without snapshots. It needs the cargo feature `sled`.
    Sled,
}

impl StoreKind {
    /// Its name, as in settings and statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Sled => "sled",
        }
    }
}

/// What an acknowledgement waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// For the fsync: the record survives a power loss.
    #[default]
    Sync,
    /// For the write, which is synced at least that often: the record survives the process, and a power loss may take what was
    /// acknowledged since the last fsync.
    Interval(Duration),
}

/// Whether opening may create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Create {
    /// There must be a database already.
    #[default]
    Never,
    /// A database is created where there is none; a directory that holds other files is refused.
    IfMissing,
}

/// Settings of a database; see [`Database::builder`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(crate) create: Create,
    pub(crate) store: StoreKind,
    pub(crate) durability: Durability,
    pub(crate) journal: stemedb_wal::Options,
    pub(crate) ingest: stemedb_ingest::Options,
    pub(crate) storage: stemedb_storage::Options,
    pub(crate) known: known::Options,
}

impl Builder {
    /// What [`stream_cache_bytes_max`](Self::stream_cache_bytes_max) is unless set otherwise.
    pub const STREAM_CACHE_BYTES_DEFAULT: u64 =
        stemedb_storage::Options::STREAM_CACHE_BYTES_DEFAULT;
    /// What [`small_cache_bytes_max`](Self::small_cache_bytes_max) is unless set otherwise.
    pub const SMALL_CACHE_BYTES_DEFAULT: u64 = stemedb_storage::Options::SMALL_CACHE_BYTES_DEFAULT;
    /// What [`known_ids_bytes_max`](Self::known_ids_bytes_max) is unless set otherwise.
    pub const KNOWN_IDS_BYTES_DEFAULT: u64 = known::Options::BYTES_DEFAULT;

    /// Whether opening may create. Default: never.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The engines of a database that is created; one that exists keeps its own. Default: hybrid.
    #[must_use]
    pub fn store(mut self, store: StoreKind) -> Self {
        self.store = store;
        self
    }

    /// What an acknowledgement waits for. Default: the fsync.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Largest size of a journal segment in bytes, 4 KiB to 64 MiB. Default: 64 MiB.
    #[must_use]
    pub fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.journal.segment_bytes_max = bytes;
        self
    }

    /// Bytes of groups that the store may be behind the journal before writers wait. Default: 256 MiB.
    #[must_use]
    pub fn behind_bytes_max(mut self, bytes: u64) -> Self {
        self.ingest.behind_bytes_max = bytes;
        self
    }

    /// Bytes of blocks of the stream's engine (fjall, or sled) that are kept in memory, 1 MiB to 1 TiB. Default: 64 MiB.
    ///
    /// A record that is read again is found there; indexes and filters are among the blocks, about 10 bytes for each record.
    #[must_use]
    pub fn stream_cache_bytes_max(mut self, bytes: u64) -> Self {
        self.storage.stream_cache_bytes_max = bytes;
        self
    }

    /// Bytes of pages of the engine for what is small (redb) that are kept in memory, 1 MiB to 1 TiB. Default: 32 MiB.
    #[must_use]
    pub fn small_cache_bytes_max(mut self, bytes: u64) -> Self {
        self.storage.small_cache_bytes_max = bytes;
        self
    }

    /// Bytes of a filter in memory of the ids that are known, by which a record that is new is told without a look into the store,
    /// 256 KiB to 1 TiB, or 0 for none. Default: 64 MiB, for about 40 million ids.
    ///
    /// It takes memory as it fills, and about 1.6 bytes for each id. Where a database held records when it was opened, it is of use once
    /// so many new ones came that reading the ids of the others pays: 65,536, or an eighth of them if that is more. With more ids than it
    /// has room for it is of no use until the database is opened again, with a larger bound; the store is asked then, as without it.
    #[must_use]
    pub fn known_ids_bytes_max(mut self, bytes: u64) -> Self {
        self.known.bytes_max = bytes;
        self
    }

    /// How long one call into an engine of the store may take before [`Database::health`] and the log tell of it. Default: 5 s.
    #[must_use]
    pub fn stall_warning_after(mut self, limit: Duration) -> Self {
        self.storage.stall.warn_after = limit;
        self
    }

    /// How long one call into an engine of the store may take without any progress before the store is declared failed: then
    /// whoever waits for it gets an error, and the journal goes on accepting up to [`behind_bytes_max`](Self::behind_bytes_max).
    /// Default: 60 s.
    #[must_use]
    pub fn stall_failure_after(mut self, limit: Duration) -> Self {
        self.storage.stall.fail_after = limit;
        self
    }

    /// Opens the database in a directory: recovers the journal, brings the store up to its end, and serves then.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](crate::ErrorKind::NotFound) where there is no database and none may be created, or where the directory holds
    ///   other files;
    /// - [`Unavailable`](crate::ErrorKind::Unavailable) where it is in use, the disk is full or refuses;
    /// - [`Corruption`](crate::ErrorKind::Corruption) where acknowledged records or the store are damaged;
    /// - [`Unsupported`](crate::ErrorKind::Unsupported) where a newer program wrote it;
    /// - [`Invalid`](crate::ErrorKind::Invalid) where a setting is out of its limits.
    ///
    /// Nothing is deleted to make it succeed.
    pub fn open(self, directory: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(self, directory.as_ref())
    }
}
