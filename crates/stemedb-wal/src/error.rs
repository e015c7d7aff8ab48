//! What can go wrong, by operation.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{GroupHash, JournalId};

/// Bytes that were written once and are not what they were.
///
/// It is never used for a torn tail, which is no error but a part of [`RecoveryReport`](crate::RecoveryReport).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// The group that should be there, where that is known.
    pub group: Option<u64>,
    /// First sequence that is affected, where that is known.
    pub sequence: Option<u64>,
    /// What was found.
    pub fault: Fault,
}

/// What is wrong with bytes that should be a segment header or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The segment header's checksum does not match.
    SegmentHeader,
    /// The segment header is sound, and of another segment or in contradiction with its neighbour.
    SegmentIdentity,
    /// There is no group header.
    NoGroup,
    /// The file ends within the group.
    Short,
    /// A length or count of the header is out of its limits.
    Length,
    /// The hash does not match header and payload.
    Hash,
    /// The group is sound, and does not continue the chain.
    Chain,
    /// The hash matches, and the records within are not framed as this version frames them.
    Framing,
    /// Bytes that are not zero follow the last group.
    Trailing,
    /// The segment is longer than any segment can be.
    Oversize,
    /// The disk cannot read it.
    Unreadable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SegmentHeader => "checksum mismatch in the segment header",
            Self::SegmentIdentity => "segment header of another segment",
            Self::NoGroup => "no group header",
            Self::Short => "file ends within a group",
            Self::Length => "length out of limits in the group header",
            Self::Hash => "checksum mismatch in a group",
            Self::Chain => "group does not continue the hash chain",
            Self::Framing => "records are framed in an unknown way",
            Self::Trailing => "bytes behind the last group",
            Self::Oversize => "file longer than any segment",
            Self::Unreadable => "the disk cannot read it",
        })
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} offset {}: {}",
            self.path.display(),
            self.offset,
            self.fault
        )?;
        if let Some(group) = self.group {
            write!(f, ", group {group}")?;
        }
        if let Some(sequence) = self.sequence {
            write!(f, ", records from sequence {sequence} on are affected")?;
        }
        Ok(())
    }
}

impl std::error::Error for Corruption {}

/// Why a journal cannot be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process, or another handle of this one, has the journal open.
    #[error("journal {} is in use{}", path.display(), Holder(*pid))]
    Locked {
        /// The journal's directory.
        path: PathBuf,
        /// Process id that the holder wrote down, as information only.
        pid: Option<u32>,
    },
    /// There is no journal, and none was to be created.
    #[error("no journal in {}", path.display())]
    NotFound {
        /// The directory that was looked at.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {operation} {}{}", path.display(), At(*offset))]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Where in the file, in bytes, where that is known.
        offset: Option<u64>,
        /// What the operating system said.
        source: io::Error,
    },
    /// Acknowledged bytes are damaged.
    #[error("the journal is damaged where records were acknowledged")]
    Corruption(#[from] Corruption),
    /// Segments are missing.
    #[error("{}: segments {from} to {to} are missing", path.display())]
    Gap {
        /// The journal's directory.
        path: PathBuf,
        /// Number of the first missing segment.
        from: u64,
        /// Number of the last missing segment.
        to: u64,
    },
    /// Written by a newer version.
    #[error("{} has format version {found}, this program reads up to {supported}; use a newer one", path.display())]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// Version found in it.
        found: u32,
        /// Highest version that this crate reads.
        supported: u32,
    },
    /// A store has applied records that the journal does not hold.
    #[error(
        "the store has applied sequence {store} (group {group}), the journal ends at sequence {journal}; records are missing from the journal"
    )]
    StoreAheadOfJournal {
        /// Last sequence that the store has applied.
        store: u64,
        /// The group that the store's cursor names.
        group: u64,
        /// Last sequence in the journal.
        journal: u64,
    },
    /// A store was built from another journal, or from another history of this one.
    #[error(
        "the store was built from another history: its cursor names group {group} as {store}, the journal has {journal}"
    )]
    ForeignStore {
        /// The group that the store's cursor names.
        group: u64,
        /// Identity on the store's side: journal id or group hash.
        store: String,
        /// Identity on the journal's side.
        journal: String,
    },
    /// An option is out of its limits.
    #[error("option {name}: {value} is outside {limits}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        limits: &'static str,
    },
    /// A new journal was to be written into a directory that holds something.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The journal has no such segment.
    #[error("there is no segment {number}, the last is {last}")]
    NoSegment {
        /// Number that was asked for.
        number: u64,
        /// Number of the last segment.
        last: u64,
    },
    /// There is no backup that was ever complete.
    #[error("no backup in {}", path.display())]
    NoBackup {
        /// The directory that was looked at.
        path: PathBuf,
    },
    /// The file that says what a backup holds says something else.
    #[error("{}: not written by this program: {line}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// The line that is wrong.
        line: String,
    },
    /// A backup of another journal.
    #[error("{} holds a backup of journal {found}, this is journal {expected}", path.display())]
    ForeignBackup {
        /// The backup's directory.
        path: PathBuf,
        /// The journal in the backup.
        found: JournalId,
        /// The journal that was to be backed up.
        expected: JournalId,
    },
    /// A backup that ends in a group which the journal does not hold: one of them was restored, or went on, from an older state.
    #[error("{} holds a backup of another history of this journal: it ends in segment {segment} with {hash}, which this one does not hold", path.display())]
    OtherHistory {
        /// The backup's directory.
        path: PathBuf,
        /// Number of the segment in which the backup ends.
        segment: u64,
        /// Hash of the group with which it ends.
        hash: GroupHash,
    },
    /// A backup of more than the journal holds.
    #[error("{} holds a backup up to sequence {backup}, this journal ends at sequence {journal}", path.display())]
    BackupAhead {
        /// The backup's directory.
        path: PathBuf,
        /// Last sequence in the backup.
        backup: u64,
        /// Last sequence in the journal.
        journal: u64,
    },
    /// A backup has another head than the one that was asked for.
    #[error("the head of the backup in {} is {found}, not {expected}", path.display())]
    OtherHead {
        /// The backup's directory.
        path: PathBuf,
        /// Head of the backup; zeros where it holds no records.
        found: GroupHash,
        /// Head that was asked for.
        expected: GroupHash,
    },
    /// A new journal could not be written.
    #[error("the new journal cannot be written")]
    Append(#[from] AppendError),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |offset| write!(f, " at offset {offset}"))
    }
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |pid| write!(f, " by process {pid}"))
    }
}

impl Error {
    pub(crate) fn foreign_id(group: u64, store: JournalId, journal: JournalId) -> Self {
        Self::ForeignStore {
            group,
            store: format!("journal {store}"),
            journal: format!("journal {journal}"),
        }
    }

    pub(crate) fn foreign_hash(group: u64, store: GroupHash, journal: GroupHash) -> Self {
        Self::ForeignStore {
            group,
            store: format!("hash {store}"),
            journal: format!("hash {journal}"),
        }
    }
}

/// Why records were not acknowledged.
///
/// It is cloned to every append that shared the group.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The request held no records, so that there is no sequence to answer with; nothing was written.
    #[error("no records were given")]
    Empty,
    /// A record, or the records of one request, are longer than a group can hold; nothing was written.
    #[error("{bytes} bytes are over the limit of {bytes_max}")]
    TooLarge {
        /// Bytes that were given.
        bytes: usize,
        /// Most bytes that are possible.
        bytes_max: usize,
    },
    /// The disk is full; nothing of the request was kept. Appends work again after space was made and the journal reopened.
    #[error("no space left for the journal in {}", path.display())]
    NoSpace {
        /// The journal's directory.
        path: PathBuf,
    },
    /// A write or an fsync failed: whether the records are on the disk is unknown, and nothing more is accepted.
    #[error("outcome unknown, the journal is poisoned: cannot {operation} {}; open it again to see what was kept", path.display())]
    Unknown {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// An earlier write or fsync failed; nothing of this request was written.
    #[error("the journal is poisoned by an earlier failure: cannot {operation} {}; open it again", path.display())]
    Poisoned {
        /// What failed then.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said then.
        source: Arc<io::Error>,
    },
    /// The consumer of the journal has failed and is too far behind; nothing was written.
    #[error(
        "the journal's consumer has stopped and is {behind_bytes} bytes behind, the limit is {limit_bytes}"
    )]
    Backpressure {
        /// Bytes that wait to be consumed.
        behind_bytes: u64,
        /// The limit that was configured.
        limit_bytes: u64,
    },
    /// Sequence or group numbers are used up.
    #[error("the journal's {what} numbers are used up")]
    Exhausted {
        /// Which numbers.
        what: &'static str,
    },
    /// The journal was closed before the request was taken; nothing was written.
    #[error("the journal is closed")]
    Closed,
}

/// Adds operation and path to an I/O error.
pub(crate) trait IoContext<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            operation,
            path: path.to_owned(),
            offset: None,
            source,
        })
    }
}

impl<T> IoContext<T> for Result<T, (u64, io::Error)> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|(offset, source)| Error::Io {
            operation,
            path: path.to_owned(),
            offset: Some(offset),
            source,
        })
    }
}
