//! Building the store anew from the journal, beside the old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stemedb_ingest::{Ingestor, mark};
use stemedb_wal::Journal;
use tokio::sync::Mutex;

use super::{Locked, Progress};
use crate::database::{STORE_DIRECTORY, check_journal, open_store};
use crate::error::{Cause, Result};
use crate::view::{Counts, View};
use crate::{StoreKind, file};

const NEW_DIRECTORY: &str = "db.rebuild";
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
}

/// Builds a new store from the journal, whatever is missing or broken in `db/`, and puts it in the old one's place.
///
/// A sound old store is removed when the new one is in place; any other is kept as `db.old-N`.
///
/// # Errors
///
/// [`Corruption`](crate::ErrorKind::Corruption) where the journal is damaged, incomplete, or not the one with which the database was
/// created; then nothing is changed. As [`Builder::open`](crate::Builder::open) for the rest.
pub fn rebuild(
    directory: impl AsRef<Path>,
    progress: &mut dyn FnMut(Progress),
) -> Result<RebuildReport> {
    let directory = directory.as_ref();
    let locked = Locked::take(directory)?;
    if !locked.directory.holds_journal()? {
        let path = directory.join("wal");
        return Err(Cause::JournalMissing { path }.into());
    }
    let kind = locked.marker.store;
    let journal = Journal::open_locked(locked.directory, &[])?;
    check_journal(&locked.marker, &journal)?;
    let old = directory.join(STORE_DIRECTORY);
    let is_sound = is_sound(kind, &old, &journal);
    let new = directory.join(NEW_DIRECTORY);
    file::remove_directory(&new)?;
    let durable = journal.state().durable_sequence();
    let journal = Arc::new(Mutex::new(journal));
    let counts = build(kind, &new, (&journal, durable), progress)?;
    let kept = swap(directory, &new, &old)?;
    let kept = match kept {
        Some(kept) if is_sound => {
            file::remove_directory(&kept)?;
            None
        }
        kept => kept,
    };
    if let Some(journal) = Arc::into_inner(journal) {
        journal.into_inner().close()?;
    }
    Ok(RebuildReport {
        applied_sequence: durable,
        counts,
        kept,
    })
}

/// Whether a store can be read and was built from this journal: then nothing is lost with it.
fn is_sound(kind: StoreKind, path: &Path, journal: &Journal) -> bool {
    let watch = journal.watch();
    let look = || -> Result<()> {
        for engine in open_store(kind, path)?.cursors()? {
            if let Some(cursor) = engine.cursor {
                watch.check_mark(&mark(&cursor))?;
            }
        }
        Ok(())
    };
    path.exists() && look().is_ok()
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
