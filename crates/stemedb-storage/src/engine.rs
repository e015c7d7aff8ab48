//! Engines: what a store stands on, and what it asks of them.
//!
//! An engine is an ordered map from bytes to bytes with atomic commits. A store knows nothing more of it,
//! so another one can stand in its place: [`HybridStore::with_engines`](crate::HybridStore::with_engines)
//! takes any two. What a store adds above them (cursors, checksums, views, the guard against panics) is the
//! same for all.
//!
//! ```text
//!   HybridStore::open ----------> FjallEngine, RedbEngine      in a directory
//!   HybridStore::with_engines --> Box<dyn Engine> x 2          wherever theirs is
//! ```
//!
//! Each engine is named in one file below, and nowhere else.
//!
//! # Example
//!
//! ```
//! use stemedb_storage::{HybridStore, KVStore, engine::{MemoryEngine, RedbEngine}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let small = RedbEngine::on(redb::backends::InMemoryBackend::new())?;
//! let store = HybridStore::with_engines(Box::new(MemoryEngine::default()), Box::new(small))?;
//! assert_eq!(store.cursor()?, None);
//! # Ok(())
//! # }
//! ```

use std::{
    error::Error,
    fmt::{self, Debug, Display, Formatter},
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::watchdog::Backlog;

mod bytes;
pub(crate) mod fjall;
pub(crate) mod memory;
pub(crate) mod redb;
#[cfg(feature = "sled")]
pub(crate) mod sled;

pub use self::{
    bytes::Bytes,
    fjall::FjallEngine,
    memory::MemoryEngine,
    redb::{RedbEngine, StorageBackend},
};

/// Key and envelope.
pub type Pair = (Bytes, Bytes);

/// What is found, in the order of the keys.
pub type Pairs = Box<dyn Iterator<Item = Result<Pair, Fault>> + Send>;

/// A range of keys.
#[derive(Clone, Debug)]
pub struct Range {
    /// Where it begins.
    pub start: Bound<Vec<u8>>,
    /// Where it ends.
    pub end: Bound<Vec<u8>>,
}

impl Range {
    /// Every key.
    pub const ALL: Self = Self {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
    };
}

/// How far a commit must reach before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is atomic and visible.
    Visible,
    /// It is on the disk, and everything before it.
    Durable,
}

/// What a view of an engine shows while commits go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// What was there when the view was taken.
    Snapshot,
    /// What is there now: whoever reads must leave out what is above its own sequence.
    Live,
}

/// What was looked up in a cache of an engine. Counts only grow, and begin anew when the engine is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheLookups {
    /// The engine.
    pub engine: &'static str,
    /// What the engine keeps there: blocks of one kind, or pages.
    pub content: &'static str,
    /// What was in the cache; `None` where the engine counts only a part of it.
    pub hits: Option<u64>,
    /// What was read from a file, or told by the system from its own memory.
    pub misses: u64,
}

/// What was told of a cache before.
///
/// Engines tell how much was looked up and how much of that was found, one after the other, while others look up: what is told of the
/// difference must not go down. An engine sees to it that it is not too high, which would stay.
#[derive(Debug, Default)]
struct Told {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Told {
    fn raise(&self, hits: u64, misses: u64) {
        // Ordering: each is a count of its own.
        self.hits.fetch_max(hits, Ordering::Relaxed);
        self.misses.fetch_max(misses, Ordering::Relaxed);
    }

    fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}

/// Why an engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is open elsewhere.
    #[error("engine is open elsewhere")]
    Locked,
    /// The operating system refused.
    #[error("the operating system refused")]
    Io(#[source] std::io::Error),
    /// It found damage in its files.
    #[error("engine found damage")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("engine failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl Fault {
    /// An I/O error at opening: files that are missing, cut, or in the way are damage, the rest is the system's refusal.
    pub(crate) fn from_io(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::AlreadyExists
            | Kind::InvalidData
            // A place before the beginning of a file that should be longer.
            | Kind::InvalidInput
            | Kind::IsADirectory
            | Kind::NotADirectory
            | Kind::NotFound
            | Kind::UnexpectedEof => Self::Corrupt(Box::new(error)),
            _ => Self::Io(error),
        }
    }
}

/// What an engine says in words for its own developers, behind a sentence for whoever reads it here.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) sentence: &'static str,
    pub(crate) source: Box<dyn Error + Send + Sync>,
}

impl Display for Explained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// An ordered map from bytes to bytes with atomic commits.
///
/// A store calls it through a guard, which turns a panic into an error, and calls it no more after a write,
/// a sync or the taking of a view has failed, but for one last commit that records such a failure.
///
/// # Errors
///
/// Every call that can fail gives a [`Fault`]. What a failed commit has written is unknown: all of it or none.
pub trait Engine: Debug + Send + Sync {
    /// The engine's name.
    fn name(&self) -> &'static str;

    /// Whether its views stand still.
    fn isolation(&self) -> Isolation;

    /// Writes all pairs or none; they come in the ascending order of their keys, each key once.
    ///
    /// What was committed as [`Level::Visible`] may be lost by a crash, but only together with everything that was
    /// committed after it.
    ///
    /// # Errors
    ///
    /// A [`Fault`], after which it is unknown whether the pairs are written.
    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault>;

    /// Brings everything committed to the disk.
    ///
    /// # Errors
    ///
    /// A [`Fault`], after which everything committed since the last sync may be lost.
    fn sync(&self) -> Result<(), Fault>;

    /// Whether the engine may have failed to bring something to the disk since it was opened.
    fn sync_failed(&self) -> bool;

    /// What is still to be done in the background, where the engine tells. It never waits, also while another call does.
    fn backlog(&self) -> Option<Backlog> {
        None
    }

    /// What was looked up in its caches, where the engine counts it. It never waits, as [`backlog`](Self::backlog).
    fn cache_lookups(&self) -> Vec<CacheLookups> {
        Vec::new()
    }

    /// Takes a view of everything committed.
    ///
    /// # Errors
    ///
    /// A [`Fault`].
    fn reader(&self) -> Result<Arc<dyn Reader>, Fault>;
}

/// A view of an engine.
///
/// # Errors
///
/// [`Fault::Corrupt`] concerns what was read; any other [`Fault`] ends the store.
pub trait Reader: Debug + Send + Sync {
    /// Reads one envelope.
    ///
    /// # Errors
    ///
    /// A [`Fault`].
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault>;

    /// Reads the pairs in a range, which is not empty.
    ///
    /// # Errors
    ///
    /// A [`Fault`].
    fn range(&self, range: Range) -> Result<Pairs, Fault>;
}
