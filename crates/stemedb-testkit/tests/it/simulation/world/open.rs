//! Opening a database, in the order in which the product does.

use std::fmt::{self, Display, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use stemedb_ingest::mark;
use stemedb_storage::engine::{Engine, Fault, RedbEngine};
use stemedb_storage::{Error as StoreError, HybridStore, KVStore};
use stemedb_testkit::disk::{self, LyingDisk};
use stemedb_testkit::engine::{Broken, Defect, DiskFile, Script};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{JournalId, Log, Mark, Options};

use super::{HONEST_LIVES, Lie, REDB, WAL, World};

/// Why a database does not open.
pub(super) enum Refused {
    /// The machine died meanwhile.
    Dead,
    /// The store asks for a rebuild.
    Rebuild(String),
    /// The journal has less than the store.
    Ahead(String),
    /// The journal is damaged.
    Corrupt(String),
    Other(String),
}

pub(super) struct Opened {
    pub(super) store: Arc<HybridStore>,
    pub(super) log: Log,
    pub(super) process: Script,
}

impl World {
    /// The engine of the stream, and the small one.
    pub(super) fn engines(&self, process: &Script) -> Result<[Box<dyn Engine>; 2], Fault> {
        let vfs = self.vfs(Lie::Redb);
        let file = DiskFile::open(vfs.as_ref(), Path::new(REDB), process).map_err(Fault::Io)?;
        // The store opens redb behind a guard against panics as well.
        let small = catch_unwind(AssertUnwindSafe(|| RedbEngine::on(file)))
            .unwrap_or_else(|_| Err(Fault::Failed("redb panicked".into())))?;
        let stream = self.stream.open(process);
        Ok([stream, Box::new(small)].map(|engine| self.wrap(engine, process)))
    }

    fn wrap(&self, engine: Box<dyn Engine>, process: &Script) -> Box<dyn Engine> {
        match self.setup.defect {
            Some((name, defect)) if name == engine.name() => match defect {
                // The process may die between the two parts of a commit.
                Defect::CursorAfterData | Defect::CursorBeforeData => {
                    Broken::wrap(process.wrap(engine), defect)
                }
                Defect::SyncIgnored | Defect::ViewsMove => {
                    process.wrap(Broken::wrap(engine, defect))
                }
            },
            _ => process.wrap(engine),
        }
    }

    /// The disk for a part of the database; `lie` is what it would lie about.
    fn vfs(&self, lie: Lie) -> Arc<dyn Vfs> {
        let disk: Arc<dyn Vfs> = Arc::new(self.disk.clone());
        if self.setup.lie == Some(lie) && self.tally.lives > HONEST_LIVES {
            return Arc::new(LyingDisk::new(disk, disk::Lie::SyncData));
        }
        disk
    }

    fn options(&self) -> Options {
        Options {
            segment_bytes_max: 4096,
            journal_id: Some(JournalId(*b"journal of tests")),
            vfs: self.vfs(Lie::Journal),
            ..Options::default()
        }
    }

    /// Opens everything in the order in which the database does: lock, engines, journal with the cursors.
    pub(super) fn open(&mut self) -> Result<Opened, Refused> {
        let process = Script::new();
        let dead = self.disk.clone();
        let refused = |refused: Refused| {
            if dead.is_without_power() {
                Refused::Dead
            } else {
                refused
            }
        };
        let journal = |error: stemedb_wal::Error| {
            let text = format!("{error}: {error:?}");
            refused(match error {
                stemedb_wal::Error::StoreAheadOfJournal { .. }
                | stemedb_wal::Error::ForeignStore { .. } => Refused::Ahead(text),
                stemedb_wal::Error::Corruption(_) => Refused::Corrupt(text),
                _ => Refused::Other(text),
            })
        };
        let locked = self.options().lock(Path::new(WAL)).map_err(journal)?;
        let [stream, small] = self
            .engines(&process)
            .map_err(|fault| refused(Refused::Rebuild(format!("{fault:?}: rebuilt"))))?;
        let store =
            HybridStore::with_engines(stream, small).map_err(|error| refused(of_store(&error)))?;
        let cursors = store.cursors().map_err(|error| refused(of_store(&error)))?;
        let reached: Vec<Mark> = cursors
            .iter()
            .filter_map(|engine| engine.cursor.as_ref().map(mark))
            .collect();
        if let [a, b] = cursors[..] {
            let [stream, small] = [a, b].map(|it| it.cursor.map_or(0, |it| it.sequence.get()));
            self.tally.engines_apart += u64::from(stream != small);
            self.tally.small_ahead += u64::from(stream < small);
        }
        let log = locked.open(&reached).map_err(journal)?;
        let store = Arc::new(store);
        self.calls.extend(process.calls());
        Ok(Opened {
            store,
            log,
            process,
        })
    }
}

fn of_store(error: &StoreError) -> Refused {
    match error {
        StoreError::NeedsRebuild { reason } => Refused::Rebuild(format!("{error}: {reason:?}")),
        _ => Refused::Other(format!("{error}: {error:?}")),
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead => f.write_str("without power"),
            Self::Rebuild(text) | Self::Ahead(text) | Self::Corrupt(text) | Self::Other(text) => {
                f.write_str(text)
            }
        }
    }
}
