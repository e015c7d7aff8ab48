//! Tools for a database that is not open: checking it, building its store anew, saving what can be read, looking at its bytes.
//!
//! Each takes the database's lock, so that none works on a database in use. None but [`rebuild`] changes a file of the database.

use std::path::Path;

use stemedb_wal::LockedDirectory;

use crate::database::lock_journal;
use crate::error::{Cause, Result};
use crate::marker::Marker;
use crate::{Builder, file};

mod dump;
mod rebuild;
mod salvage;
mod verify;

pub use dump::{DumpedGroup, DumpedRecord, JournalItem, StoreEntry, dump_journal, dump_store};
pub use rebuild::{RebuildReport, rebuild};
pub use salvage::{SalvageReport, salvage};
pub use verify::{Problem, VerifyOptions, VerifyReport, verify};

/// How far a long job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is, 0 where that is not known.
    pub total: u64,
}

/// A database that is locked, and not opened.
struct Locked {
    marker: Marker,
    directory: LockedDirectory,
}

impl Locked {
    fn take(directory: &Path) -> Result<Self> {
        let missing = || Cause::NoDatabase {
            path: directory.to_owned(),
        };
        let marker = Marker::read(directory)?.ok_or_else(missing)?;
        let directory = lock_journal(&Builder::default(), directory)?;
        Ok(Self { marker, directory })
    }
}

/// A directory for working files, removed when this is dropped.
struct WorkDirectory(std::path::PathBuf);

impl WorkDirectory {
    /// Makes one beside the files of the database, or where the system keeps temporary files if that is not possible.
    fn create(database: &Path, name: &str) -> Result<Self> {
        let beside = database.join(name);
        file::remove_directory(&beside)?;
        if file::create_directory(&beside).is_ok() {
            return Ok(Self(beside));
        }
        let elsewhere = std::env::temp_dir().join(format!("stemedb-{}-{name}", std::process::id()));
        file::remove_directory(&elsewhere)?;
        file::create_directory(&elsewhere)?;
        Ok(Self(elsewhere))
    }
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        if let Err(error) = file::remove_directory(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "working files were left behind");
        }
    }
}
