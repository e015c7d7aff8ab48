//! Opening a database, or creating it.

use std::path::Path;
use std::sync::Arc;

use stemedb_ingest::{Ingestor, mark};
use stemedb_storage::{HybridStore, KVStore};
use stemedb_wal::{Journal, LockedDirectory};
use tokio::sync::Mutex;

use super::{Database, Inner};
use crate::error::{Cause, Result};
use crate::flight::InFlight;
use crate::known::{self, Base, Filling, Scan};
use crate::maintenance::{DUMP_DIRECTORY, REBUILD_DIRECTORY, VERIFY_DIRECTORY};
use crate::marker::Marker;
use crate::{Builder, Create, Durability, StoreKind, file};

pub(crate) const JOURNAL_DIRECTORY: &str = "wal";
pub(crate) const STORE_DIRECTORY: &str = "db";
/// The file by which a backup is known.
const BACKUP_MANIFEST: &str = "backup.manifest";
const NEW_STORE_DIRECTORY: &str = "db.new";
/// What tools and creation work in. Left behind by one that was killed, it is removed by the next open.
const WORK_DIRECTORIES: [&str; 4] = [
    NEW_STORE_DIRECTORY,
    REBUILD_DIRECTORY,
    VERIFY_DIRECTORY,
    DUMP_DIRECTORY,
];

impl Database {
    // Durability: creating goes lock, engines, journal, marker. Without the marker there is no database yet, and the next call that may
    // create completes it; with it everything that it speaks of is durable.
    pub(crate) fn open_with(mut builder: Builder, directory: &Path) -> Result<Self> {
        check_settings(&builder)?;
        builder.create = check_directory(directory, builder.create)?;
        let locked = lock_journal(&builder, directory)?;
        // Read under the lock: whoever created the database at the same time is done.
        let marker = Marker::read(directory)?;
        if marker.is_none() && builder.create == Create::Never {
            let path = directory.to_owned();
            return Err(Cause::NoDatabase { path }.into());
        }
        if marker.is_some() && !locked.holds_journal()? {
            let path = directory.join(JOURNAL_DIRECTORY);
            return Err(Cause::JournalMissing { path }.into());
        }
        locked.check_version()?;
        for name in WORK_DIRECTORIES {
            file::remove_directory(&directory.join(name))?;
        }
        let kind = marker.as_ref().map_or(builder.store, |marker| marker.store);
        let store = open_or_create_store(kind, directory, builder.storage)?;
        let cursors = store.cursors()?;
        let marks: Vec<_> = cursors
            .iter()
            .filter_map(|engine| engine.cursor.as_ref().map(mark))
            .collect();
        let journal = Journal::open_locked(locked, &marks)?;
        // A journal with records and no marker is a database that lost its marker.
        let was_created = marker.is_none() && journal.state().head.is_none();
        if let Some(marker) = marker {
            check_journal(&marker, &journal)?;
        } else {
            let journal = journal.state().journal.to_string();
            Marker {
                journal,
                store: kind,
            }
            .write(directory)?;
        }
        let inner = start(builder, directory, journal, store)?;
        Ok(Self {
            inner: Arc::new(inner),
            was_created,
        })
    }
}

/// Replays what the store has not applied, and serves then.
fn start(
    builder: Builder,
    directory: &Path,
    journal: Journal,
    store: Arc<dyn KVStore>,
) -> Result<Inner> {
    let (writer, trusted_writer) = (journal.writer(), journal.trusted_writer());
    let watch = journal.watch();
    let journal = Arc::new(Mutex::new(journal));
    let threads = builder.ingest.threads;
    let mut ingestor =
        Ingestor::with_options(Arc::clone(&journal), Arc::clone(&store), builder.ingest);
    ingestor.start();
    ingestor.wait_applied(watch.durable_sequence()).wait()?;
    let base = base(&*store)?;
    let filling = fill(builder.known, base);
    let known = filling.known();
    let in_flight = Arc::new(InFlight::new(filling));
    let scan = |base| Scan::new(Arc::clone(&store), Arc::clone(&in_flight), base);
    Ok(Inner {
        directory: directory.to_owned(),
        durability: builder.durability,
        threads,
        scan: base.map(scan),
        known,
        in_flight,
        tally: Arc::default(),
        ingestor,
        store,
        writer,
        trusted_writer,
        watch,
        journal,
    })
}

/// What is stored when nothing is behind; `None` where that is nothing at all.
fn base(store: &dyn KVStore) -> Result<Option<Base>> {
    let view = store.snapshot()?;
    Ok(view.cursor().map(|cursor| Base {
        upto: cursor.sequence,
        counts: view.counts(),
    }))
}

/// What learns the ids of records; it knows them all where there are none.
fn fill(options: known::Options, base: Option<Base>) -> Filling {
    let counts = base.map(|base| base.counts).unwrap_or_default();
    let stored = counts.assertions + counts.votes + counts.epochs;
    let mut filling = Filling::new(options, stored);
    if base.is_none() {
        filling.complete();
    }
    filling
}

/// The settings that nobody below checks: an engine that may take no time at all has failed before it began.
fn check_settings(builder: &Builder) -> Result<()> {
    let refuse = |name, value, limits| {
        let refused = stemedb_ingest::Error::Option {
            name,
            value,
            limits,
        };
        Err(refused.into())
    };
    if builder.storage.stall.fail_after.is_zero() {
        return refuse("stall_failure_after", 0, "more than 0");
    }
    if !builder.known.is_allowed() {
        let name = known::Options::NAME;
        return refuse(name, builder.known.bytes_max, known::Options::LIMITS);
    }
    Ok(())
}

/// Refuses a directory that is no database, before anything in it is touched; gives whether anything may be created in it.
fn check_directory(directory: &Path, create: Create) -> Result<Create> {
    // What a marker speaks of was there: if it is missing, it is missed, and nothing new may stand in its place.
    if Marker::read(directory)?.is_some() {
        return Ok(Create::Never);
    }
    let path = directory.to_owned();
    let Some(names) = file::names(directory)? else {
        return match create {
            Create::IfMissing => Ok(create),
            Create::Never => Err(Cause::NoDatabase { path }.into()),
        };
    };
    let is_ours = |name: &String| {
        let known = [JOURNAL_DIRECTORY, STORE_DIRECTORY, "stemedb.tmp"];
        known
            .iter()
            .chain(&WORK_DIRECTORIES)
            .any(|known| known == name)
    };
    let is_unfinished = names.iter().any(|name| name == JOURNAL_DIRECTORY)
        && names.iter().all(is_ours)
        && is_journal(&directory.join(JOURNAL_DIRECTORY))?;
    match create {
        Create::IfMissing if names.is_empty() || is_unfinished => Ok(create),
        Create::Never if names.is_empty() => Err(Cause::NoDatabase { path }.into()),
        Create::Never if is_unfinished => Err(Cause::Unfinished { path }.into()),
        _ if names.iter().any(|name| name == BACKUP_MANIFEST) => {
            Err(Cause::IsBackup { path }.into())
        }
        _ => Err(Cause::NotADatabase { path }.into()),
    }
}

/// Whether a directory holds nothing but what a journal has.
fn is_journal(directory: &Path) -> Result<bool> {
    let is_ours = |name: &String| {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        name == "pid" || ["wal", "tmp", "torn"].contains(&ending)
    };
    Ok(file::names(directory)?.is_some_and(|names| names.iter().all(is_ours)))
}

/// Takes the journal's lock, before any other file of the database is touched.
pub(crate) fn lock_journal(builder: &Builder, directory: &Path) -> Result<LockedDirectory> {
    let path = directory.join(JOURNAL_DIRECTORY);
    let mut options = builder.journal.clone();
    options.create = builder.create == Create::IfMissing;
    options.durability = match builder.durability {
        Durability::Sync => stemedb_wal::Durability::Sync,
        Durability::Interval(interval) => stemedb_wal::Durability::Interval(interval),
    };
    match options.lock(&path) {
        Err(stemedb_wal::Error::NotFound { path }) => Err(Cause::JournalMissing { path }.into()),
        locked => Ok(locked?),
    }
}

/// The journal must be the one with which the database was created.
pub(crate) fn check_journal(marker: &Marker, journal: &Journal) -> Result<()> {
    let found = journal.state().journal.to_string();
    if found == marker.journal {
        return Ok(());
    }
    Err(Cause::MarkerJournal {
        path: journal.directory(),
        found,
        expected: marker.journal.clone(),
    }
    .into())
}

/// Opens the store of a database, or creates it where there is none: then the journal fills it.
///
/// Engines cannot complete a creation of their own that was interrupted, so it is made aside: what is called `db/` was complete once.
fn open_or_create_store(
    kind: StoreKind,
    directory: &Path,
    options: stemedb_storage::Options,
) -> Result<Arc<dyn KVStore>> {
    let path = directory.join(STORE_DIRECTORY);
    if !path.exists() {
        let aside = directory.join(NEW_STORE_DIRECTORY);
        drop(open_store(kind, &aside)?);
        file::rename(&aside, &path)?;
    }
    open_engines(kind, &path, options)
}

/// Opens the engines of a store with the usual settings.
pub(crate) fn open_store(kind: StoreKind, path: &Path) -> Result<Arc<dyn KVStore>> {
    open_engines(kind, path, stemedb_storage::Options::default())
}

fn open_engines(
    kind: StoreKind,
    path: &Path,
    options: stemedb_storage::Options,
) -> Result<Arc<dyn KVStore>> {
    match kind {
        StoreKind::Hybrid => Ok(Arc::new(HybridStore::open_with(path, options)?)),
        #[cfg(feature = "sled")]
        StoreKind::Sled => open_sled(path, options),
        #[cfg(not(feature = "sled"))]
        StoreKind::Sled => Err(Cause::StoreKind { kind: "sled" }.into()),
    }
}

/// Opens a store on sled, whose lock is released a moment after its last handle was dropped.
///
/// The journal's lock is held, so that nobody else can be using it.
#[cfg(feature = "sled")]
fn open_sled(path: &Path, options: stemedb_storage::Options) -> Result<Arc<dyn KVStore>> {
    const TRIES: u32 = 10;
    for _ in 1..TRIES {
        match stemedb_storage::SledStore::open_with(path, options) {
            Err(stemedb_storage::Error::Locked { .. }) => {}
            opened => return Ok(Arc::new(opened?)),
        }
    }
    Ok(Arc::new(stemedb_storage::SledStore::open_with(
        path, options,
    )?))
}
