//! What this crate asks of an engine. Each engine is named in one file below, and nowhere else.

use std::{
    error::Error,
    fmt::{self, Debug, Display, Formatter},
    ops::Bound,
    sync::Arc,
};

use crate::watchdog::Backlog;

pub(crate) mod fjall;
pub(crate) mod memory;
pub(crate) mod redb;
#[cfg(feature = "sled")]
pub(crate) mod sled;

/// Key and envelope.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Pairs in the order of their keys.
pub(crate) type Pairs = Box<dyn Iterator<Item = Result<Pair, Fault>> + Send>;

/// A range of keys.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) start: Bound<Vec<u8>>,
    pub(crate) end: Bound<Vec<u8>>,
}

impl Range {
    pub(crate) const ALL: Self = Self {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
    };
}

/// How far a commit must reach before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// It is atomic and visible.
    Visible,
    /// It is on the disk, and everything before it.
    Durable,
}

/// What a view of an engine shows while commits go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// What was there when the view was taken.
    Snapshot,
    /// What is there now: whoever reads must leave out what is above its own sequence.
    Live,
}

/// Why an engine did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is open elsewhere.
    Locked,
    /// The operating system refused.
    Io(std::io::Error),
    /// It found damage in its files.
    Corrupt(Box<dyn Error + Send + Sync>),
    /// Anything else.
    Failed(Box<dyn Error + Send + Sync>),
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

/// An ordered map from bytes to bytes with atomic commits. It may panic: only a guard calls it.
pub(crate) trait Engine: Debug + Send + Sync {
    /// The engine's name.
    fn name(&self) -> &'static str;

    /// Whether its views stand still.
    fn isolation(&self) -> Isolation;

    /// Writes all pairs or none.
    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault>;

    /// Brings everything committed to the disk.
    fn sync(&self) -> Result<(), Fault>;

    /// Whether the engine may have failed to bring something to the disk since it was opened.
    fn sync_failed(&self) -> bool;

    /// What is still to be done in the background, where the engine tells. It never waits, also while another call does.
    fn backlog(&self) -> Option<Backlog> {
        None
    }

    /// Takes a view of everything committed.
    fn reader(&self) -> Result<Arc<dyn Reader>, Fault>;
}

/// A view of an engine.
pub(crate) trait Reader: Debug + Send + Sync {
    /// Reads one envelope.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Reads the pairs in a range, which is not empty.
    fn range(&self, range: Range) -> Result<Pairs, Fault>;
}
