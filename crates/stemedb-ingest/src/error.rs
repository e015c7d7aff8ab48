//! Why ingestion cannot start or go on.

use std::sync::Arc;

/// Why the worker stopped. It is cloned to everybody who waits.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The journal cannot be read, or does not fit the store.
    #[error(transparent)]
    Journal(Arc<stemedb_wal::Error>),
    /// The store failed.
    #[error(transparent)]
    Store(Arc<stemedb_storage::Error>),
    /// A setting is out of its limits; nothing was applied.
    #[error("option {name}: {value} is outside {limits}")]
    Option {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        limits: &'static str,
    },
    /// The worker or its pool could not be started.
    #[error("cannot start the ingest worker")]
    Start(#[source] Arc<std::io::Error>),
    /// The worker panicked; what it had applied is sound, and opening the store again finds out what that is.
    #[error("the ingest worker panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// A record is not what was announced of it: whoever announced it has erred, or memory has. Nothing of its batch was applied.
    #[error("record {sequence} is not the new record that was announced")]
    Announced {
        /// Its sequence.
        sequence: u64,
    },
    /// The worker was stopped before it had applied that much.
    #[error("the ingest worker is stopped")]
    Stopped,
    /// The worker was not started.
    #[error("the ingest worker was not started")]
    NotStarted,
}

impl From<stemedb_wal::Error> for Error {
    fn from(error: stemedb_wal::Error) -> Self {
        Self::Journal(Arc::new(error))
    }
}

impl From<stemedb_storage::Error> for Error {
    fn from(error: stemedb_storage::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}
