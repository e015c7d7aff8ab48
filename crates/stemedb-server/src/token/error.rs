//! What can be wrong with tokens and their file.

use std::io;
use std::path::PathBuf;

/// Why tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file, or what is needed to replace it, cannot be read or written.
    #[error("{}: cannot {operation}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// What the file holds makes no sense.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no token with this id.
    #[error("there is no token {0}")]
    UnknownId(String),
    /// There is no such scope.
    #[error("scope \"{0}\": known are read, write and admin")]
    UnknownScope(String),
    /// A token has to allow something.
    #[error("a token needs at least one scope: read, write or admin")]
    NoScope,
    /// The name is empty, too long, or would steer a terminal.
    #[error("name: use 1 to {max} printable characters")]
    Name {
        /// How many characters it may have.
        max: usize,
    },
    /// There are too many tokens.
    #[error("there are {max} tokens already")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random(#[source] getrandom::Error),
}
