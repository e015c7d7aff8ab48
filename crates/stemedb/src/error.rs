//! The error of the facade: opaque, with few kinds that say what to do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stemedb_core::{Invalid, Sequence};
use stemedb_ingest::{SerializeError, Undecodable};
use stemedb_storage::EngineError;
use stemedb_wal::AppendError;

/// Advice where the operating system refused something that it may grant another time.
const TRY_AGAIN: &str = "mend the cause, and run the same again";

/// An error and its causes on one line, joined by `: `; a cause with which the text before it ends is not said twice.
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let shown = cause.to_string();
        if !text.ends_with(&shown) {
            text.push_str(": ");
            text.push_str(&shown);
        }
        next = cause.source();
    }
    text
}

/// The result of most calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the request: it can never succeed as it is.
    Invalid,
    /// There is no such thing; look for another.
    NotFound,
    /// Try again at once: something else was faster.
    Conflict,
    /// Try again later: locked, full, not permitted, or the disk failed.
    Unavailable,
    /// Stop, and run `stemedb verify`: bytes are not what was written.
    Corruption,
    /// Use a newer program: the files were written by one.
    Unsupported,
    /// Open the database again: this handle accepts nothing more.
    Closed,
    /// Nothing: whoever asked has given it up, as [`View::until`](crate::View::until) says.
    GivenUp,
    /// Report it: this should not happen.
    Internal,
}

/// Why a call failed.
///
/// Its text is one line; [`source`](std::error::Error::source) goes on with the causes, and [`advice`](Error::advice) with the next step.
#[derive(Clone, Debug)]
pub struct Error(Arc<Cause>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("{0}")]
    Invalid(Invalid),
    #[error(
        "the line is longer than {} bytes",
        stemedb_core::limits::LINE_BYTES_MAX
    )]
    LineTooLong,
    #[error("the record cannot be stored")]
    Serialize(#[source] SerializeError),
    #[error("no database in {}", path.display())]
    NoDatabase { path: PathBuf },
    #[error("{} holds other files and no database", path.display())]
    NotADatabase { path: PathBuf },
    #[error("{} holds a backup and no database", path.display())]
    IsBackup { path: PathBuf },
    #[error("{}: what is said of the segments there is malformed", place.display())]
    Segments { place: PathBuf },
    #[error("{}: the backup does not say which store the database had", path.display())]
    Note {
        path: PathBuf,
        #[source]
        unknown: crate::UnknownStore,
    },
    #[error("head {found:?}")]
    Head {
        found: String,
        #[source]
        source: stemedb_wal::NotHex,
    },
    #[error("the backup in {} is damaged", path.display())]
    DamagedBackup {
        path: PathBuf,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    #[error("{}: not written by this program: {line}", path.display())]
    Marker { path: PathBuf, line: String },
    #[error("{}: database format {found} is newer than this program, which knows {supported}", path.display())]
    MarkerVersion {
        path: PathBuf,
        found: String,
        supported: u32,
    },
    #[error("{}: the journal is {found}, the database was created with {expected}", path.display())]
    MarkerJournal {
        path: PathBuf,
        found: String,
        expected: String,
    },
    #[error("{}: the journal of this database is missing", path.display())]
    JournalMissing { path: PathBuf },
    #[cfg(not(feature = "sled"))]
    #[error("this program was built without the {kind} store")]
    StoreKind { kind: &'static str },
    #[error("cannot {operation} {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("sequence {wanted} is not applied yet; the last is {applied}")]
    NotYetApplied { wanted: Sequence, applied: u64 },
    #[error("the cursor is not one that this listing gave out")]
    PageCursor,
    #[error("sequence {0} is not in quarantine")]
    NotQuarantined(Sequence),
    #[error("the record of sequence {sequence} still cannot be applied: {reason}")]
    StillQuarantined { sequence: Sequence, reason: String },
    #[error("what is stored under {key} is no record of ours")]
    Stored {
        key: String,
        #[source]
        source: Undecodable,
    },
    #[error("what is stored under {key} is malformed")]
    Malformed { key: String },
    #[error("the store has lost the record of sequence {sequence}, which the journal holds")]
    Lost { sequence: Sequence },
    #[error("the creation of the database in {} was interrupted", path.display())]
    Unfinished { path: PathBuf },
    #[error("what was written to {} is not complete", path.display())]
    Incomplete { path: PathBuf, source: Error },
    #[error(transparent)]
    Append(AppendError),
    #[error(transparent)]
    Journal(Arc<stemedb_wal::Error>),
    #[error(transparent)]
    Store(Arc<stemedb_storage::Error>),
    #[error(transparent)]
    Ingest(stemedb_ingest::Error),
    #[error("the database is closed")]
    Closed,
    #[error("the read was given up")]
    GivenUp,
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0.as_ref() {
            Cause::Invalid(_)
            | Cause::LineTooLong
            | Cause::NotYetApplied { .. }
            | Cause::PageCursor
            | Cause::Head { .. }
            | Cause::StillQuarantined { .. } => ErrorKind::Invalid,
            #[cfg(not(feature = "sled"))]
            Cause::StoreKind { .. } => ErrorKind::Invalid,
            Cause::NoDatabase { .. }
            | Cause::NotADatabase { .. }
            | Cause::IsBackup { .. }
            | Cause::Unfinished { .. }
            | Cause::NotQuarantined(_) => ErrorKind::NotFound,
            Cause::Marker { .. }
            | Cause::MarkerJournal { .. }
            | Cause::JournalMissing { .. }
            | Cause::Segments { .. }
            | Cause::Note { .. }
            | Cause::DamagedBackup { .. }
            | Cause::Stored { .. }
            | Cause::Malformed { .. }
            | Cause::Lost { .. } => ErrorKind::Corruption,
            Cause::MarkerVersion { .. } => ErrorKind::Unsupported,
            Cause::Io { .. } => ErrorKind::Unavailable,
            Cause::Incomplete { source, .. } => source.kind(),
            Cause::Serialize(_) => ErrorKind::Internal,
            Cause::Append(error) => append_kind(error),
            Cause::Journal(error) => journal_kind(error),
            Cause::Store(error) => store_kind(error),
            Cause::Ingest(error) => ingest_kind(error),
            Cause::Closed => ErrorKind::Closed,
            Cause::GivenUp => ErrorKind::GivenUp,
        }
    }

    /// The next step, as the words behind "; " of a sentence, where there is one to name.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        if let Cause::Incomplete { source, .. } = self.0.as_ref() {
            return Some(if source.is_no_space() {
                "make room on the disk, remove that directory or name another, and run the same again"
            } else {
                "mend the cause, remove that directory or name another, and run the same again"
            });
        }
        if self.is_full() {
            return Some("make room on the disk, and open the database again");
        }
        if self.is_journal_full() {
            return Some("make room, open the database again, and run the same again");
        }
        match self.0.as_ref() {
            Cause::NoDatabase { .. } => {
                Some("create one with `stemedb init`, or name another directory")
            }
            Cause::Append(AppendError::Unknown { .. } | AppendError::Poisoned { .. }) => {
                Some("run the same again: what was stored is known again as a duplicate")
            }
            Cause::Io { .. } => Some(TRY_AGAIN),
            Cause::Append(AppendError::Backpressure { .. }) => Some("open the database again"),
            Cause::Marker { .. } => Some("write it anew with `stemedb rebuild`"),
            Cause::Unfinished { .. } => Some("complete it with `stemedb init`"),
            Cause::Lost { .. } | Cause::Stored { .. } | Cause::Malformed { .. } => {
                Some("run `stemedb verify`, and build the store anew with `stemedb rebuild`")
            }
            Cause::Ingest(stemedb_ingest::Error::Announced { .. }) => Some(
                "open the database again: the journal has every record, and each is checked anew",
            ),
            Cause::DamagedBackup { .. } => Some(
                "restore from another one; the database that it is of mends it with `stemedb backup`",
            ),
            Cause::IsBackup { .. } => Some("build a database from it with `stemedb restore`"),
            Cause::NotADatabase { .. } => Some("name another directory, or an empty one"),
            Cause::MarkerVersion { .. } => Some("use a newer program"),
            Cause::MarkerJournal { .. } | Cause::JournalMissing { .. } => {
                Some("put the database's own journal back")
            }
            Cause::Journal(error) | Cause::Ingest(stemedb_ingest::Error::Journal(error)) => {
                journal_advice(error)
            }
            Cause::Store(error) | Cause::Ingest(stemedb_ingest::Error::Store(error)) => {
                store_advice(error)
            }
            _ => None,
        }
    }

    /// Whether the disk was full, whoever met that.
    fn is_full(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self.0.as_ref());
        while let Some(error) = cause {
            let kind = system_error(error).map(std::io::Error::kind);
            if matches!(
                kind,
                Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            ) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// Whether a journal had no room.
    fn is_journal_full(&self) -> bool {
        use stemedb_wal::Error as E;
        match self.0.as_ref() {
            Cause::Append(error) => matches!(error, AppendError::NoSpace { .. }),
            Cause::Journal(error) => matches!(**error, E::Append(AppendError::NoSpace { .. })),
            _ => false,
        }
    }

    /// Whether the disk was full, or a quota used up: make room, open the database again, and run the same again.
    ///
    /// A record that an append refused for want of room is not stored. Where a store had none, what is stored can be read again once
    /// there is room and the database was opened again.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        match self.0.as_ref() {
            Cause::Incomplete { source, .. } => source.is_no_space(),
            _ => self.is_full() || self.is_journal_full(),
        }
    }

    /// Whether somebody else has the database open.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let is_journal = match self.0.as_ref() {
            Cause::Journal(error) => matches!(**error, stemedb_wal::Error::Locked { .. }),
            _ => false,
        };
        is_journal || self.is_store_in_use()
    }

    /// Whether somebody has an engine of the store open.
    pub(crate) fn is_store_in_use(&self) -> bool {
        let Cause::Store(error) = self.0.as_ref() else {
            return false;
        };
        matches!(**error, stemedb_storage::Error::Locked { .. })
    }

    /// The reason for which a record was refused, if that is what this is.
    #[must_use]
    pub fn invalid(&self) -> Option<&Invalid> {
        match self.0.as_ref() {
            Cause::Invalid(invalid) => Some(invalid),
            _ => None,
        }
    }
}

/// The error of whoever makes a new database in `destination`: what is in it by then is not complete.
pub(crate) fn incomplete(destination: &Path, source: Error) -> Error {
    let path = destination.to_owned();
    match crate::file::names(destination) {
        Ok(Some(names)) if !names.is_empty() => Cause::Incomplete { path, source }.into(),
        _ => source,
    }
}

/// What the operating system said, if `error` is just that: some keep it behind a pointer, which is an error of its own.
fn system_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let shared = || {
        error
            .downcast_ref::<Arc<std::io::Error>>()
            .map(AsRef::as_ref)
    };
    let of_engine = || error.downcast_ref::<EngineError>()?.downcast_ref();
    error.downcast_ref().or_else(shared).or_else(of_engine)
}

fn journal_advice(error: &stemedb_wal::Error) -> Option<&'static str> {
    use stemedb_wal::Error as E;
    match error {
        E::Locked { .. } => Some("stop it, or wait until it is done"),
        E::Io { .. } => Some(TRY_AGAIN),
        E::Corruption(_) | E::Gap { .. } => {
            Some("copy what can be read with `stemedb journal salvage DEST`")
        }
        E::NoBackup { .. } => Some("name a directory that `stemedb backup` has filled"),
        E::Manifest { .. } => {
            Some("keep that directory as it is, and make a backup in another one")
        }
        E::ForeignBackup { .. } | E::OtherHistory { .. } | E::BackupAhead { .. } => Some(
            "keep that backup, which holds what this database does not, and name another directory",
        ),
        E::OtherHead { .. } => Some("name the backup that has it, or leave out the head"),
        E::StoreAheadOfJournal { .. } | E::ForeignStore { .. } => Some(
            "put the right journal back, or build the store from this one with `stemedb rebuild`",
        ),
        _ => None,
    }
}

fn store_advice(error: &stemedb_storage::Error) -> Option<&'static str> {
    use stemedb_storage::Error as E;
    match error {
        E::Locked { .. } => Some("stop whoever uses it"),
        E::Io { .. } => Some(TRY_AGAIN),
        E::NeedsRebuild { .. } | E::Corruption(_) | E::NotAStore { .. } => {
            Some("build the store anew from the journal with `stemedb rebuild`")
        }
        E::EngineFailed { source, .. } if source.is::<stemedb_storage::Stall>() => Some(
            "restart the process, since a thread of the engine is stuck in it, and open the database again: the journal has everything",
        ),
        E::EngineFailed { .. } => {
            Some("open the database again; if that fails, run `stemedb rebuild`")
        }
        _ => None,
    }
}

fn append_kind(error: &AppendError) -> ErrorKind {
    match error {
        AppendError::TooLarge { .. } | AppendError::Empty => ErrorKind::Invalid,
        AppendError::NoSpace { .. } | AppendError::Backpressure { .. } => ErrorKind::Unavailable,
        AppendError::Unknown { .. } | AppendError::Poisoned { .. } | AppendError::Closed => {
            ErrorKind::Closed
        }
        _ => ErrorKind::Internal,
    }
}

fn journal_kind(error: &stemedb_wal::Error) -> ErrorKind {
    use stemedb_wal::Error as E;
    match error {
        E::Locked { .. } | E::Io { .. } => ErrorKind::Unavailable,
        E::NotFound { .. } | E::NoSegment { .. } | E::NoBackup { .. } => ErrorKind::NotFound,
        E::Corruption(_)
        | E::Gap { .. }
        | E::StoreAheadOfJournal { .. }
        | E::ForeignStore { .. }
        | E::Manifest { .. } => ErrorKind::Corruption,
        E::UnsupportedVersion { .. } => ErrorKind::Unsupported,
        E::Option { .. }
        | E::NotEmpty { .. }
        | E::ForeignBackup { .. }
        | E::OtherHistory { .. }
        | E::BackupAhead { .. }
        | E::OtherHead { .. } => ErrorKind::Invalid,
        E::Append(error) => append_kind(error),
        E::Closed => ErrorKind::Closed,
        _ => ErrorKind::Internal,
    }
}

fn store_kind(error: &stemedb_storage::Error) -> ErrorKind {
    use stemedb_storage::Error as E;
    match error {
        E::Locked { .. } | E::Io { .. } => ErrorKind::Unavailable,
        E::NotReconciled => ErrorKind::Conflict,
        E::NeedsRebuild { .. } | E::Corruption(_) | E::NotAStore { .. } => ErrorKind::Corruption,
        E::UnsupportedVersion { .. } => ErrorKind::Unsupported,
        E::EngineFailed { .. } => ErrorKind::Closed,
        E::Option { .. } => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

fn ingest_kind(error: &stemedb_ingest::Error) -> ErrorKind {
    use stemedb_ingest::Error as E;
    match error {
        E::Journal(error) => journal_kind(error),
        E::Store(error) => store_kind(error),
        E::Start(_) => ErrorKind::Unavailable,
        E::Option { .. } => ErrorKind::Invalid,
        E::Stopped | E::NotStarted => ErrorKind::Closed,
        _ => ErrorKind::Internal,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.0.as_ref())
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Cause::Invalid(invalid).into()
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        Cause::Append(error).into()
    }
}

impl From<stemedb_wal::Error> for Error {
    fn from(error: stemedb_wal::Error) -> Self {
        Cause::Journal(Arc::new(error)).into()
    }
}

impl From<stemedb_storage::Error> for Error {
    fn from(error: stemedb_storage::Error) -> Self {
        Cause::Store(Arc::new(error)).into()
    }
}

impl From<stemedb_ingest::Error> for Error {
    fn from(error: stemedb_ingest::Error) -> Self {
        Cause::Ingest(error).into()
    }
}
