//! Salvage: a new database from what can be read of a damaged one.

use std::path::Path;

use crate::database::JOURNAL_DIRECTORY;
use crate::error::{Result, incomplete};
use crate::marker::Marker;
use crate::view::Counts;
use crate::{Create, Database, file};

/// Where the new journal is until it is whole, in the directory of the new database.
const UNFINISHED_DIRECTORY: &str = "salvage.tmp";

/// What became of a salvage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvageReport {
    /// Identity of the new journal, in hex.
    pub journal: String,
    /// How many records were kept. In the new database they are numbered densely, from 1.
    pub records: u64,
    /// Ranges of old sequences, first and last, that could not be kept. Nothing is known of what may have followed the last record.
    pub missing: Vec<(u64, u64)>,
    /// Where the old journal is damaged: file, offset in bytes, and what was found.
    pub damaged: Vec<(String, u64, String)>,
    /// What the new database holds.
    pub counts: Counts,
}

/// Makes a new database in `destination`, which must not exist or be empty, from what can be read of the journal of the database in
/// `directory`. The original is not touched.
///
/// # Errors
///
/// [`NotFound`](crate::ErrorKind::NotFound) where there is no journal, or the destination is not empty;
/// [`Unavailable`](crate::ErrorKind::Unavailable) where the database is in use or the destination cannot be written.
pub fn salvage(
    directory: impl AsRef<Path>,
    destination: impl AsRef<Path>,
) -> Result<SalvageReport> {
    let (directory, destination) = (directory.as_ref(), destination.as_ref());
    file::check_empty(destination)?;
    write(directory, destination).map_err(|error| incomplete(destination, error))
}

fn write(directory: &Path, destination: &Path) -> Result<SalvageReport> {
    let store = Marker::read(directory)
        .ok()
        .flatten()
        .map(|marker| marker.store);
    // Durability: the journal gets its name when it is whole and closed, so that no part of it is ever opened as a database.
    let aside = destination.join(UNFINISHED_DIRECTORY);
    let saved = stemedb_wal::salvage(
        &directory.join(JOURNAL_DIRECTORY),
        &aside,
        stemedb_wal::Options::default(),
    )?;
    file::rename(&aside, &destination.join(JOURNAL_DIRECTORY))?;
    // The new journal has no marker yet: this completes the new database.
    let builder = Database::builder()
        .create(Create::IfMissing)
        .store(store.unwrap_or_default());
    let database = builder.open(destination)?;
    let counts = database.view()?.counts();
    database.close()?;
    let damaged = saved.damaged.iter().map(|damaged| {
        let file = damaged.path.display().to_string();
        (file, damaged.offset, damaged.fault.to_string())
    });
    Ok(SalvageReport {
        journal: saved.journal.to_string(),
        records: saved.records,
        missing: saved.missing.clone(),
        damaged: damaged.collect(),
        counts,
    })
}
