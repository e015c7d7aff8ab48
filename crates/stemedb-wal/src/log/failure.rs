//! Failed writes: which are final, and what is answered after one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Log;
use crate::AppendError;

/// What was tried when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteStep {
    /// Preparing the next segment, or zeros behind the last group: no group was touched.
    Prepare,
    /// Writing a group.
    Write,
    /// Syncing a file or a directory.
    Sync,
    /// Naming a segment.
    Rename,
    /// Cutting the zeros off.
    Cut,
}

impl WriteStep {
    fn operation(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Cut => "cut",
        }
    }
}

/// The failure that poisoned a log.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    step: WriteStep,
    path: PathBuf,
    source: Arc<io::Error>,
}

impl Log {
    /// Whether a failure has poisoned the log: only opening the journal again helps.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn check_healthy(&self) -> Result<(), AppendError> {
        match &self.failure {
            None => Ok(()),
            Some(failure) if is_full(&failure.source) => Err(self.no_space()),
            Some(failure) => Err(AppendError::Poisoned {
                operation: failure.step.operation(),
                path: failure.path.clone(),
                source: Arc::clone(&failure.source),
            }),
        }
    }

    /// Fails where what was written can no longer be made durable. A full disk that no group has met does not hinder that.
    pub(super) fn check_syncable(&self) -> Result<(), AppendError> {
        match &self.failure {
            Some(failure) if failure.step == WriteStep::Prepare && is_full(&failure.source) => {
                Ok(())
            }
            _ => self.check_healthy(),
        }
    }

    /// Poisons the log and gives the error of the request that met the failure.
    ///
    /// A full disk poisons as well: a smaller group that still fits must not overtake the one that was refused.
    pub(super) fn fail(
        &mut self,
        step: WriteStep,
        path: PathBuf,
        source: io::Error,
    ) -> AppendError {
        let full = is_full(&source);
        let source = Arc::new(source);
        let error = if full && matches!(step, WriteStep::Prepare | WriteStep::Write) {
            self.no_space()
        } else {
            AppendError::Unknown {
                operation: step.operation(),
                path: path.clone(),
                source: Arc::clone(&source),
            }
        };
        self.failure = Some(Failure { step, path, source });
        error
    }

    fn no_space(&self) -> AppendError {
        AppendError::NoSpace {
            path: self.locked.directory.clone(),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
