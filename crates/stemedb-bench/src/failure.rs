//! Why a benchmark could not be run.

use std::error::Error;

/// What most things here answer.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

type Cause = Box<dyn Error + Send + Sync>;

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub(crate) struct Failure {
    doing: String,
    source: Option<Cause>,
}

impl Failure {
    /// A failure that has no other cause.
    pub(crate) fn new(doing: impl Into<String>) -> Self {
        Self {
            doing: doing.into(),
            source: None,
        }
    }
}

/// Says of an error what was being done.
pub(crate) trait Doing<T> {
    /// Says what was being done.
    fn doing(self, doing: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Cause>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|error| Failure {
            doing: doing.into(),
            source: Some(error.into()),
        })
    }
}

impl<T> Doing<T> for Option<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T> {
        self.ok_or_else(|| Failure::new(doing))
    }
}

/// What a thread gave that has been waited for.
pub(crate) fn joined<T>(joined: std::thread::Result<T>) -> Result<T> {
    match joined {
        Ok(given) => Ok(given),
        // What it said when it panicked, it has printed.
        Err(_) => Err(Failure::new("use what a thread gives: it has panicked")),
    }
}
