//! A database from a backup.

use std::path::Path;
use std::sync::Arc;

use stemedb_wal::backup::{self, Manifest};
use stemedb_wal::{GroupHash, Options};

use super::telling;
use crate::database::JOURNAL_DIRECTORY;
use crate::error::{Cause, Result, incomplete};
use crate::maintenance::Progress;
use crate::marker::Marker;
use crate::{Counts, Database, Error, file};

/// Where the journal is until it is whole, in the directory of the new database.
const UNFINISHED_DIRECTORY: &str = "restore.tmp";

/// What a backup must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Its head, in hex: one with another is refused. `None` takes any.
    pub head: Option<String>,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// Identity of the journal, in hex: that of the original.
    pub journal: String,
    /// Last sequence in it, 0 where there are no records.
    pub last_sequence: u64,
    /// Hash of the last group with records, in hex; `None` where there are no records.
    pub head_hash: Option<String>,
    /// How many segments were verified and copied.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What the store holds that was built from them.
    pub counts: Counts,
}

/// Makes a database in `destination`, which must not exist or be empty, from the backup in `source`: verifies every byte of it, copies
/// it, and builds the store.
///
/// The new database goes on where the backup ends, with the same journal id. Two databases that both go on from one backup have
/// histories of their own: the backup of one refuses the other.
///
/// # Errors
///
/// [`NotFound`](crate::ErrorKind::NotFound) where there is no backup, or the destination is not empty;
/// [`Invalid`](crate::ErrorKind::Invalid) where the backup has another head than the options say;
/// [`Corruption`](crate::ErrorKind::Corruption) where it is damaged, [`Unsupported`](crate::ErrorKind::Unsupported) where a newer program
/// wrote it, [`Unavailable`](crate::ErrorKind::Unavailable) where it is being written, or the destination cannot be.
/// What is in the destination then is refused by whoever opens it, unless all of the journal is there: then opening it builds the store.
pub fn restore(
    source: impl AsRef<Path>,
    destination: impl AsRef<Path>,
    options: &RestoreOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<RestoreReport> {
    let (source, destination) = (source.as_ref(), destination.as_ref());
    let head = options.head.as_deref().map(|head| {
        let parsed = head.parse::<GroupHash>();
        parsed.map_err(|source| Cause::Head {
            found: head.to_owned(),
            source,
        })
    });
    let head = head.transpose()?;
    let wal_options = Options::default();
    let manifest = backup::read_manifest(wal_options.vfs.as_ref(), source)?;
    check_head(source, &manifest, head)?;
    file::check_empty(destination)?;
    let mut restoring = Restoring {
        source,
        destination,
        head,
        options: wal_options,
        progress,
    };
    let restored = restoring.run();
    restored.map_err(|error| incomplete(destination, error))
}

struct Restoring<'a> {
    source: &'a Path,
    destination: &'a Path,
    head: Option<GroupHash>,
    options: Options,
    progress: &'a mut dyn FnMut(Progress),
}

impl Restoring<'_> {
    // Durability: the journal gets its name when it is verified, whole and synced, and the marker comes behind it: no part of a restore is
    // ever opened as a database. The store is built by opening it.
    fn run(&mut self) -> Result<RestoreReport> {
        let aside = self.destination.join(UNFINISHED_DIRECTORY);
        let mut told = telling("segments restored", self.progress);
        let done = backup::restore(&self.options, self.source, &aside, &mut told);
        drop(told);
        let done = done.map_err(|error| damaged(self.source, error))?;
        let manifest = done.manifest;
        // Another backup may have been made there since.
        check_head(self.source, &manifest, self.head)?;
        let journal = manifest.journal.to_string();
        let store = manifest.note.parse();
        let store = store.map_err(|unknown| Cause::Note {
            path: self.source.to_owned(),
            unknown,
        })?;
        file::rename(&aside, &self.destination.join(JOURNAL_DIRECTORY))?;
        let marker = Marker {
            journal: journal.clone(),
            store,
        };
        marker.write(self.destination)?;
        (self.progress)(Progress {
            stage: "building the store",
            done: 0,
            total: 0,
        });
        let database = Database::open(self.destination)?;
        let counts = database.view()?.counts();
        database.close()?;
        Ok(RestoreReport {
            journal,
            last_sequence: manifest.last_sequence,
            head_hash: manifest.head_hash.map(|hash| hash.to_string()),
            segments: manifest.segments,
            bytes: done.bytes,
            counts,
        })
    }
}

/// Damage is that of the backup, and not of a journal that could be salvaged.
fn damaged(backup: &Path, error: stemedb_wal::Error) -> Error {
    let source: Arc<dyn std::error::Error + Send + Sync> = match error {
        stemedb_wal::Error::Corruption(found) => Arc::new(found),
        missing @ stemedb_wal::Error::Gap { .. } => Arc::new(missing),
        other => return other.into(),
    };
    let path = backup.to_owned();
    Cause::DamagedBackup { path, source }.into()
}

fn check_head(source: &Path, manifest: &Manifest, expected: Option<GroupHash>) -> Result<()> {
    let found = manifest.head_hash.unwrap_or(GroupHash::ZERO);
    match expected {
        Some(expected) if expected != found => Err(stemedb_wal::Error::OtherHead {
            path: source.to_owned(),
            found,
            expected,
        }
        .into()),
        _ => Ok(()),
    }
}
