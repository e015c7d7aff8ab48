//! Tools for a database that is not open: checking it, building its store anew, saving what can be read, looking at its bytes.
//!
//! Each takes the database's lock, so that none works on a database in use. None but [`rebuild`] changes a file of the database.

use std::path::Path;

use stemedb_wal::LockedDirectory;

use crate::database::{JOURNAL_DIRECTORY, STORE_DIRECTORY, lock_journal};
use crate::error::{Cause, Result};
use crate::marker::Marker;
use crate::{Builder, ErrorKind, StoreKind, file};

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

pub(crate) const REBUILD_DIRECTORY: &str = "db.rebuild";
pub(crate) const VERIFY_DIRECTORY: &str = "verify.tmp";
pub(crate) const DUMP_DIRECTORY: &str = "dump.tmp";

/// A database that is locked, and not opened.
struct Locked {
    /// What the marker says, or what is wrong with it.
    marker: Result<Marker, String>,
    /// The kind of store, by the marker or by what lies in `db/`.
    store: StoreKind,
    /// The journal's directory; `None` where that is missing, so that nobody can have the database open.
    directory: Option<LockedDirectory>,
}

impl Locked {
    fn take(directory: &Path) -> Result<Self> {
        let marker = match Marker::read(directory) {
            Ok(Some(marker)) => Ok(marker),
            Ok(None) if directory.join(JOURNAL_DIRECTORY).is_dir() => {
                Err("the marker of the database is missing".to_owned())
            }
            Ok(None) => {
                let path = directory.to_owned();
                return Err(Cause::NoDatabase { path }.into());
            }
            Err(error) if error.kind() == ErrorKind::Corruption => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        let store = match &marker {
            Ok(marker) => marker.store,
            Err(_) if directory.join(STORE_DIRECTORY).join("sled").exists() => StoreKind::Sled,
            Err(_) => StoreKind::Hybrid,
        };
        let directory = if directory.join(JOURNAL_DIRECTORY).is_dir() {
            Some(lock_journal(&Builder::default(), directory)?)
        } else {
            None
        };
        Ok(Self {
            marker,
            store,
            directory,
        })
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
