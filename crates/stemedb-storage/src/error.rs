//! What can go wrong in a store, and what the caller should do about it.

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
    sync::Arc,
};

use stemedb_core::Sequence;

use crate::key::KEY_BYTES_MAX;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an engine gave up, as it said itself.
pub type EngineError = Arc<dyn std::error::Error + Send + Sync>;

/// What a store answers when it cannot do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store is open elsewhere, in this process or in another one.
    #[error("store {} is in use", path.display())]
    Locked {
        /// Directory of the store.
        path: PathBuf,
    },
    /// A setting is out of its limits; nothing was opened.
    #[error("option {name}: {value} is outside {limits}")]
    Option {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        limits: &'static str,
    },
    /// Nothing is published yet: the store may be behind its journal.
    #[error("store has not caught up with its journal yet")]
    NotReconciled,
    /// The store cannot be trusted or opened; the journal can give an equal one.
    #[error("store must be rebuilt from the journal")]
    NeedsRebuild {
        /// Why.
        #[source]
        reason: Box<RebuildReason>,
    },
    /// An engine failed or panicked. The handle is of no more use: drop it, open again, replay.
    #[error("engine {engine} failed; the store must be opened again")]
    EngineFailed {
        /// The engine.
        engine: &'static str,
        /// What it said.
        #[source]
        source: EngineError,
    },
    /// A batch would skip records: the caller must begin at the store's cursor.
    #[error(
        "batch begins at sequence {first}, but engine {engine} expects {expected} or an earlier one"
    )]
    Gap {
        /// The engine that lacks records.
        engine: &'static str,
        /// The first sequence that it lacks.
        expected: u64,
        /// The first sequence of the batch.
        first: Sequence,
    },
    /// A batch comes from another journal than what is stored.
    #[error("batch comes from another journal than the content of engine {engine}")]
    ForeignJournal {
        /// The engine.
        engine: &'static str,
    },
    /// A batch contradicts itself.
    #[error("batch of sequences {first} to {last} {fault}")]
    InvalidBatch {
        /// First sequence that the batch covers.
        first: Sequence,
        /// Last sequence that the batch covers.
        last: Sequence,
        /// What is wrong with it.
        fault: BatchFault,
    },
    /// A key is empty.
    #[error("key is empty")]
    EmptyKey,
    /// A key is longer than [`KEY_BYTES_MAX`].
    #[error("key of {len} bytes is longer than {KEY_BYTES_MAX}")]
    KeyTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// Bytes that are no key of ours, or a name with a zero byte in it.
    #[error("malformed key {key}")]
    MalformedKey {
        /// The key in text form.
        key: String,
    },
    /// The store was written by a newer version of this program; it is left as it is.
    #[error("store has {what} version {found}, this program knows up to {supported}")]
    UnsupportedVersion {
        /// Which version.
        what: Versioned,
        /// Version of the store.
        found: u32,
        /// The newest version this program knows.
        supported: u32,
    },
    /// A stored value is damaged. Run `verify`; `rebuild` repairs it.
    #[error(transparent)]
    Corruption(#[from] Box<Corruption>),
    /// The directory holds something that is not this kind of store.
    #[error("{} is not empty and holds no {kind} store", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// The kind of store that was asked for.
        kind: crate::StoreKind,
    },
    /// The operating system refused a file operation.
    #[error("{}: input or output failed", path.display())]
    Io {
        /// Directory of the store, or the file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl From<Corruption> for Error {
    fn from(corruption: Corruption) -> Self {
        Self::Corruption(Box::new(corruption))
    }
}

impl From<RebuildReason> for Error {
    fn from(reason: RebuildReason) -> Self {
        Self::NeedsRebuild {
            reason: Box::new(reason),
        }
    }
}

/// Why a store must be rebuilt from the journal.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildReason {
    /// An engine does not open.
    #[error("engine {engine} cannot be opened")]
    Unopenable {
        /// The engine.
        engine: &'static str,
        /// What it said.
        #[source]
        source: EngineError,
    },
    /// The notes of an engine on itself are damaged.
    #[error("what an engine knows of itself is damaged")]
    Damaged(#[source] Corruption),
    /// An engine has entries but not the notes that go with them, or lost all it had.
    #[error("engine {engine} has lost its content")]
    ContentLost {
        /// The engine.
        engine: &'static str,
    },
    /// An engine holds another number of entries than it counted when they were written.
    #[error("engine {engine} counted {counted} entries, of which {found} are found")]
    Miscounted {
        /// The engine.
        engine: &'static str,
        /// How many it counted.
        counted: u64,
        /// How many are found.
        found: u64,
    },
    /// The chain of applied batches has a hole: an engine lost records in the middle.
    #[error("applied batches have a hole: the next begins at {found}, expected {expected}")]
    Hole {
        /// Where the next batch had to begin.
        expected: u64,
        /// Where it begins; the cursor's sequence plus one if the chain ends before the cursor.
        found: u64,
    },
    /// The stream engine lost what the last checkpoint had made durable.
    #[error(
        "engine {engine} has applied up to sequence {found}, but had {checkpoint} at the last checkpoint"
    )]
    BehindCheckpoint {
        /// The engine.
        engine: &'static str,
        /// The sequence of its cursor, 0 if it has none.
        found: u64,
        /// The sequence of its cursor at the last checkpoint.
        checkpoint: Sequence,
    },
    /// An engine failed to reach the disk before it was closed: its files may lack anything.
    #[error("engine {engine} had failed to write to the disk")]
    SyncFailed {
        /// The engine.
        engine: &'static str,
    },
    /// The engines were filled from different journals.
    #[error("the engines come from different journals")]
    JournalsDiffer,
}

/// What is wrong with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchFault {
    /// It ends before it begins.
    EndsBeforeItBegins,
    /// It holds a sequence outside the range it covers.
    Outside(Sequence),
    /// It holds a key that only the store itself may write.
    InternalKey,
}

impl Display for BatchFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsBeforeItBegins => f.write_str("ends before it begins"),
            Self::Outside(sequence) => write!(f, "holds sequence {sequence}"),
            Self::InternalKey => f.write_str("holds a key that only the store may write"),
        }
    }
}

/// What carries a version of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Versioned {
    /// Keys, envelopes and their meaning.
    StoreFormat,
    /// The rules by which records become entries.
    Apply,
}

impl Display for Versioned {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoreFormat => "format",
            Self::Apply => "apply",
        })
    }
}

/// A damaged value: where it is, and what is wrong with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("engine {engine}, key {}: {damage}", key.as_deref().unwrap_or("unknown"))]
pub struct Corruption {
    /// The engine that holds it.
    pub engine: &'static str,
    /// The key in text form, if it is known.
    pub key: Option<String>,
    /// What is wrong.
    pub damage: Damage,
}

/// What is wrong with a stored value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Damage {
    /// The envelope is shorter than its head.
    Length {
        /// Bytes that it must have at least.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// The checksum does not fit the bytes.
    Checksum {
        /// The checksum that is stored.
        expected: u64,
        /// The checksum of the bytes.
        found: u64,
    },
    /// A value that came from no record.
    SequenceZero,
    /// The checksum fits, but the content is not what the key promises.
    Content,
    /// The engine found damage in its own files.
    Engine(EngineError),
}

impl Display for Damage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(
                    f,
                    "too short, expected {expected} bytes or more, found {found}"
                )
            }
            Self::Checksum { expected, found } => {
                write!(
                    f,
                    "checksum mismatch, expected {expected:016x}, found {found:016x}"
                )
            }
            Self::SequenceZero => f.write_str("value without a sequence"),
            Self::Content => f.write_str("content is not what the key promises"),
            Self::Engine(error) => Display::fmt(error, f),
        }
    }
}
