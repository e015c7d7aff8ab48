//! sled, an alternative engine that holds everything.
//!
//! Its flush does not reach the device, so [`sync`](Engine::sync) does that itself, file by file. It has
//! no snapshots: readers leave out what is above their sequence.

use std::{
    fmt::{self, Debug, Formatter},
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sled::{Batch, Config, Db, Error as SledError};

use super::{Bytes, Engine, Explained, Fault, Isolation, Level, Pair, Pairs, Range, Reader};
use crate::{directory, guard};

/// Name of this engine.
pub(crate) const NAME: &str = "sled";

/// How often opening tries again, and how long it waits before that: a handle that is dropped lets go of
/// the lock from a background thread, a little later.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(25);

/// How the message begins with which sled says that its lock is taken.
const LOCKED: &str = "could not acquire lock";

pub(crate) struct SledEngine {
    /// Absent only while the engine is dropped.
    db: Option<Db>,
    path: PathBuf,
    sync_failed: AtomicBool,
}

impl SledEngine {
    pub(crate) fn open(path: &Path, cache_bytes_max: u64) -> Result<Self, Fault> {
        let config = Config::new()
            .path(path)
            .cache_capacity(cache_bytes_max)
            .flush_every_ms(None);
        Ok(Self {
            db: Some(open_waiting(&config)?),
            path: path.to_owned(),
            sync_failed: AtomicBool::new(false),
        })
    }

    fn db(&self) -> Result<&Db, Fault> {
        self.db
            .as_ref()
            .ok_or_else(|| Fault::Failed("closed".into()))
    }
}

impl Engine for SledEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn isolation(&self) -> Isolation {
        Isolation::Live
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        let mut batch = Batch::default();
        for (key, envelope) in writes {
            batch.insert(&key[..], &envelope[..]);
        }
        self.db()?.apply_batch(batch).map_err(fault)?;
        match level {
            Level::Visible => Ok(()),
            Level::Durable => self.sync(),
        }
    }

    fn sync(&self) -> Result<(), Fault> {
        let flushed = self.db()?.flush().map_err(fault);
        // Durability: sled hands its buffers to the operating system; this brings them to the device,
        // files before the directories that name them.
        let synced = flushed.and_then(|_| sync_files(&self.path).map_err(Fault::Io));
        if synced.is_err() {
            self.sync_failed.store(true, Ordering::Release);
        }
        synced
    }

    fn sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        Ok(Arc::new(SledReader(self.db()?.clone())))
    }
}

impl Drop for SledEngine {
    fn drop(&mut self) {
        guard::release(NAME, self.db.take());
    }
}

impl Debug for SledEngine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledEngine").finish_non_exhaustive()
    }
}

struct SledReader(Db);

impl Reader for SledReader {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let value = self.0.get(key).map_err(fault)?;
        Ok(value.map(|value| value.to_vec().into()))
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let pairs = self.0.range::<Vec<u8>, _>((range.start, range.end));
        Ok(Box::new(pairs.map(|pair| {
            let (key, value) = pair.map_err(fault)?;
            Ok((key.to_vec().into(), value.to_vec().into()))
        })))
    }
}

impl Debug for SledReader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledReader").finish_non_exhaustive()
    }
}

/// Opens the engine; refuses with `Locked` only if the lock stays taken.
#[expect(
    clippy::disallowed_methods,
    reason = "sled gives nothing else to wait on"
)]
fn open_waiting(config: &Config) -> Result<Db, Fault> {
    for _ in 1..LOCK_TRIES {
        match config.open().map_err(fault) {
            Err(Fault::Locked) => thread::sleep(LOCK_WAIT),
            outcome => return outcome,
        }
    }
    config.open().map_err(fault)
}

fn sync_files(path: &Path) -> io::Result<()> {
    directory::walk(path, &mut |path, metadata| {
        if metadata.is_dir() {
            return sync_directory(path);
        }
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file.sync_all(),
            // sled removes files that it has rewritten.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    })
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

fn fault(error: SledError) -> Fault {
    match error {
        SledError::Io(error) if error.to_string().starts_with(LOCKED) => Fault::Locked,
        SledError::Io(error) => Fault::from_io(error),
        SledError::Corruption { .. } => corrupt("its files are damaged", error),
        SledError::Unsupported(_) => corrupt("its files are not what it can read", error),
        _ => Fault::Failed(Box::new(error)),
    }
}

fn corrupt(sentence: &'static str, error: SledError) -> Fault {
    let source = Box::new(error);
    Fault::Corrupt(Box::new(Explained { sentence, source }))
}
