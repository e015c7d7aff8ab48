//! How the program ends: its exit codes, and the one line that says why.

use std::io;

use stemedb::ErrorKind;
pub(crate) use stemedb::error_chain as chain;

use crate::output;

/// What the program tells the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine,
    /// The command ran and found something: rejected lines, problems, an input that ends in damage.
    Found,
    /// It was called in a way that makes no sense.
    Usage,
    /// There is no such record, subject or database.
    NotFound,
    /// The database or the disk cannot serve now: locked, full, not writable.
    Unavailable,
    /// The database is damaged, or newer than this program.
    Corruption,
    /// The configuration cannot be used.
    Configuration,
}

impl Exit {
    /// The number of this exit.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Unavailable => 4,
            Self::Corruption => 5,
            Self::Configuration => 78,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody reads the answer any more, which is no error.
    ClosedPipe,
    /// One line says what is wrong and what to do.
    Said {
        /// What the shell is told.
        exit: Exit,
        /// The line, without `error: `.
        text: String,
    },
}

impl Failure {
    /// A failure that `text` explains.
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Said { exit, text }
    }

    /// A failure with its causes.
    pub(crate) fn caused(exit: Exit, what: &str, cause: &dyn std::error::Error) -> Self {
        Self::new(exit, format!("{what}: {}", chain(cause)))
    }

    /// A failure to read or write the file `name`.
    pub(crate) fn file(exit: Exit, name: &str, cause: &io::Error) -> Self {
        Self::caused(exit, name, cause)
    }

    /// A failure to write the answer.
    pub(crate) fn stdout(cause: &io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::file(Exit::Unavailable, "standard output", cause),
        }
    }

    /// The same failure with advice behind it.
    pub(crate) fn advise(self, advice: &str) -> Self {
        match self {
            Self::ClosedPipe => Self::ClosedPipe,
            Self::Said { exit, text } => Self::new(exit, format!("{text}; {advice}")),
        }
    }

    /// The line that says what is wrong.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::ClosedPipe => "",
            Self::Said { text, .. } => text,
        }
    }

    /// What the shell is told.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::ClosedPipe => Exit::Fine,
            Self::Said { exit, .. } => *exit,
        }
    }
}

impl From<stemedb::Error> for Failure {
    fn from(error: stemedb::Error) -> Self {
        let failure = Self::new(exit_for(error.kind()), chain(&error));
        match error.advice() {
            Some(advice) => failure.advise(advice),
            None => failure,
        }
    }
}

impl From<stemedb::Invalid> for Failure {
    fn from(invalid: stemedb::Invalid) -> Self {
        Self::new(Exit::Usage, chain(&invalid))
    }
}

/// The exit that stands for a kind of error of the library.
const fn exit_for(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Invalid => Exit::Usage,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::Closed => Exit::Unavailable,
        // A kind that is not known yet is no promise that the data is sound.
        ErrorKind::Corruption | ErrorKind::Unsupported | ErrorKind::Internal | _ => {
            Exit::Corruption
        }
    }
}

/// Says what went wrong to standard error, in one line.
pub(crate) fn say_failure(failure: &Failure) {
    if let Failure::Said { text, .. } = failure {
        output::say(format_args!("error: {text}"));
    }
}
