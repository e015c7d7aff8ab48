//! Building the store anew from the journal, beside the old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stemedb_ingest::{Ingestor, mark};
use stemedb_wal::{Journal, Mark};
use tokio::sync::Mutex;

use super::{Locked, Progress, REBUILD_DIRECTORY};
use crate::database::{JOURNAL_DIRECTORY, STORE_DIRECTORY, check_journal, open_store};
use crate::error::{Cause, Result};
use crate::marker::Marker;
use crate::view::{Counts, View};
use crate::{StoreKind, file};

const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// Last sequence that was applied, 0 in an empty journal.
    pub applied_sequence: u64,
    /// What the new store holds.
    pub counts: Counts,
    /// Where the old store was kept: it was foreign, ahead of the journal, or could not be read.
    pub kept: Option<PathBuf>,
    /// Last sequence that the old store had applied, where that is beyond the end of the journal: the records between are lost.
    pub lost_up_to: Option<u64>,
    /// Whether the marker of the database was written anew.
    pub marker_written: bool,
}

/// Builds a new store from the journal, whatever is missing or broken in `db/`, and puts it in the old one's place.
///
/// A sound old store is removed when the new one is in place; any other is kept as `db.old-N`.
///
/// # Errors
///
/// [`Corruption`](crate::ErrorKind::Corruption) where the journal is damaged, incomplete, or not the one with which the database was
/// created; then nothing is changed. [`Unavailable`](crate::ErrorKind::Unavailable) where an engine still has the store open, also
/// one that was left behind stuck. As [`Builder::open`](crate::Builder::open) for the rest.
pub fn rebuild(
    directory: impl AsRef<Path>,
    progress: &mut dyn FnMut(Progress),
) -> Result<RebuildReport> {
    let directory = directory.as_ref();
    let locked = Locked::take(directory)?;
    let missing = || Cause::JournalMissing {
        path: directory.join(JOURNAL_DIRECTORY),
    };
    let journal = locked.directory.ok_or_else(missing)?;
    if !journal.holds_journal()? {
        return Err(missing().into());
    }
    let (kind, old) = (locked.store, directory.join(STORE_DIRECTORY));
    // Before the journal drops a tail that nothing in it proves: the old store may be the only witness.
    let applied = applied_by(kind, &old)?;
    let journal = Journal::open_locked(journal, &[])?;
    if let Ok(marker) = &locked.marker {
        check_journal(marker, &journal)?;
    }
    let state = journal.state();
    let watch = journal.watch();
    let is_sound = applied.as_ref().is_some_and(|marks| {
        let mut checked = marks.iter().map(|mark| watch.check_mark(mark));
        checked.all(|checked| checked.is_ok())
    });
    let durable = state.durable_sequence();
    let journal = Arc::new(Mutex::new(journal));
    let new = directory.join(REBUILD_DIRECTORY);
    file::remove_directory(&new)?;
    let built = build(kind, &new, (&journal, durable), progress);
    if built.is_err() {
        file::remove_directory(&new)?;
    }
    let counts = built?;
    let mut kept = swap(directory, &new, &old)?;
    if let Some(replaced) = kept.take_if(|_| is_sound) {
        file::remove_directory(&replaced)?;
    }
    let marker_written = locked.marker.is_err();
    if marker_written {
        let journal = state.journal.to_string();
        Marker {
            journal,
            store: kind,
        }
        .write(directory)?;
    }
    if let Some(journal) = Arc::into_inner(journal) {
        journal.into_inner().close()?;
    }
    let ours = applied
        .into_iter()
        .flatten()
        .filter(|mark| mark.journal == state.journal);
    let last = ours.map(|mark| mark.sequence).max();
    Ok(RebuildReport {
        applied_sequence: durable,
        counts,
        kept,
        lost_up_to: last.filter(|last| *last > durable),
        marker_written,
    })
}

/// Where the engines of a store stand; `None` where it is not there or cannot be read.
///
/// A store that is in use stays where it is, although the journal is not: an engine that was stuck, and is left to itself, would write
/// by its names of files into the new one.
fn applied_by(kind: StoreKind, path: &Path) -> Result<Option<Vec<Mark>>> {
    if !path.exists() {
        return Ok(None);
    }
    let cursors = match open_store(kind, path).and_then(|store| Ok(store.cursors()?)) {
        Err(error) if error.is_store_in_use() => return Err(error),
        Err(_) => return Ok(None),
        Ok(cursors) => cursors,
    };
    let marks = cursors.iter().filter_map(|engine| engine.cursor.as_ref());
    Ok(Some(marks.map(mark).collect()))
}

/// Applies the whole journal to a new store, and makes it durable.
fn build(
    kind: StoreKind,
    path: &Path,
    (journal, durable): (&Arc<Mutex<Journal>>, u64),
    progress: &mut dyn FnMut(Progress),
) -> Result<Counts> {
    let store = open_store(kind, path)?;
    let options = stemedb_ingest::Options::default();
    let mut ingestor = Ingestor::with_options(Arc::clone(journal), Arc::clone(&store), options);
    ingestor.start();
    let applied = ingestor.wait_applied(durable);
    let result = loop {
        if let Some(result) = applied.wait_for(PROGRESS_EVERY) {
            break result;
        }
        progress(Progress {
            stage: "records applied",
            done: ingestor.counters().records,
            total: durable,
        });
    };
    result?;
    ingestor.stop()?;
    Ok(View::new(store.snapshot()?).counts())
}

// Durability:
// 1. The new store is complete and synced before this.
// 2. The old one goes aside: a crash behind this leaves no `db/`, and the next open builds it by replay.
// 3. The new one takes its name.
fn swap(directory: &Path, new: &Path, old: &Path) -> Result<Option<PathBuf>> {
    let kept = if old.exists() {
        let kept = free_name(directory)?;
        file::rename(old, &kept)?;
        Some(kept)
    } else {
        None
    };
    file::rename(new, old)?;
    Ok(kept)
}

fn free_name(directory: &Path) -> Result<PathBuf> {
    let names = file::names(directory)?.unwrap_or_default();
    let free = (1_u64..).map(|number| format!("{STORE_DIRECTORY}.old-{number}"));
    let mut free = free.filter(|name| !names.contains(name));
    Ok(directory.join(
        free.next()
            .unwrap_or_else(|| format!("{STORE_DIRECTORY}.old")),
    ))
}
