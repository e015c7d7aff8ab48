//! A snapshot: a database of its own from one that is in use.

use std::path::Path;

use crate::database::{Inner, JOURNAL_DIRECTORY};
use crate::error::{Result, incomplete};
use crate::marker::Marker;
use crate::{StoreKind, file};

/// Where the journal is until it is whole, in the directory of the snapshot.
const UNFINISHED_DIRECTORY: &str = "snapshot.tmp";

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// Identity of the journal, in hex: that of the original.
    pub journal: String,
    /// Last sequence in it, 0 where there are no records.
    pub last_sequence: u64,
    /// Hash of the last group with records, in hex: it commits to everything before it. `None` where there are no records.
    pub head_hash: Option<String>,
    /// How many segments of the journal share their file with the original.
    pub linked_segments: u64,
    /// How many were copied.
    pub copied_segments: u64,
}

pub(crate) fn snapshot(inner: &Inner, destination: &Path) -> Result<SnapshotReport> {
    file::check_empty(destination)?;
    write(inner, destination).map_err(|error| incomplete(destination, error))
}

// Durability: the journal gets its name when it is whole and synced, and the marker is written last: no part of a snapshot is ever opened
// as a database. The store is not in it, since it follows from the journal.
fn write(inner: &Inner, destination: &Path) -> Result<SnapshotReport> {
    let aside = destination.join(UNFINISHED_DIRECTORY);
    let made = inner.watch.snapshot(&aside)?;
    file::rename(&aside, &destination.join(JOURNAL_DIRECTORY))?;
    let journal = made.journal.to_string();
    Marker {
        journal: journal.clone(),
        store: match inner.store.kind() {
            stemedb_storage::StoreKind::Sled => StoreKind::Sled,
            stemedb_storage::StoreKind::Hybrid | stemedb_storage::StoreKind::Memory => {
                StoreKind::Hybrid
            }
        },
    }
    .write(destination)?;
    Ok(SnapshotReport {
        journal,
        last_sequence: made.head.map_or(0, |head| head.sequence),
        head_hash: made.head.map(|head| head.hash.to_string()),
        linked_segments: made.linked,
        copied_segments: made.copied,
    })
}
