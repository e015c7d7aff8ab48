//! Why a run ended badly.

use std::io;
use std::path::Path;

pub(crate) use stemedb::error_chain as chain;

/// Why a run ended badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A promise is broken: this is what the run looks for.
    #[error("violated: {0}")]
    Violated(String),
    /// The run could not do its work.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that is needed did not do its work.
    #[error("{program} failed: {said}")]
    Program {
        /// Its name.
        program: String,
        /// What it said.
        said: String,
    },
    /// What is handed in makes no sense.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// The exit code: 1 is a broken promise, 2 a run that says nothing about promises.
    pub(crate) const fn exit(&self) -> u8 {
        match self {
            Self::Violated(_) => 1,
            Self::Io { .. } | Self::Program { .. } | Self::Usage(_) => 2,
        }
    }

    /// A promise is broken.
    pub(crate) fn violated(what: impl Into<String>) -> Self {
        Self::Violated(what.into())
    }
}

/// Says of an I/O error what was being done.
pub(crate) trait Doing<T> {
    /// Says what was being done to a path.
    fn doing(self, what: &str, path: &Path) -> Result<T, Failure>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str, path: &Path) -> Result<T, Failure> {
        self.map_err(|source| Failure::Io {
            doing: format!("{what} {}", path.display()),
            source,
        })
    }
}
