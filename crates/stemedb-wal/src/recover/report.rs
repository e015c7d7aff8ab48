//! What recovery tells of itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::directory::segment_path;

/// What recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The journal was created by this call.
    pub created: bool,
    /// The last segment had not been closed cleanly, and its groups were copied and synced anew.
    pub rewritten: bool,
    /// An unacknowledged tail was dropped, and kept in a file of its own.
    pub torn: Option<Torn>,
    /// Segments whose seal was completed.
    pub seals_finished: Vec<u64>,
    /// Names in the directory that are not the journal's; they are left alone.
    pub foreign: Vec<OsString>,
}

/// An unacknowledged tail that recovery dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Number of the segment that it was in.
    pub segment: u64,
    /// Offset at which it began, in bytes.
    pub offset: u64,
    /// How many bytes it had, zeros at its end left out.
    pub bytes: u64,
    /// The file that keeps it; `None` where it was nothing but zeros.
    pub kept: Option<PathBuf>,
}

impl RecoveryReport {
    /// Says what somebody should look at. A rewrite is what every unclean end is followed by.
    pub(super) fn log(&self, directory: &Path) {
        if let Some(torn) = &self.torn {
            tracing::warn!(
                file = %segment_path(directory, torn.segment).display(),
                offset = torn.offset,
                bytes = torn.bytes,
                kept = ?torn.kept,
                "a tail that was not acknowledged was dropped"
            );
        }
        if !self.foreign.is_empty() {
            tracing::warn!(
                directory = %directory.display(),
                names = ?self.foreign,
                "names that are not the journal's are left alone"
            );
        }
    }
}
