//! A disk whose syncs do nothing, or some of them: with it a test of durability must fail.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

use super::Random;

/// Which sync does nothing and says that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Those of files.
    SyncData,
    /// Those of directories.
    SyncDirectory,
}

/// When it does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Each time.
    Always,
    /// From the sync on before which there were so many of its kind.
    After(u64),
    /// In one of `n` cases, as the seed has it.
    OneIn {
        /// Of how many.
        n: u64,
        /// Begins the random numbers.
        seed: u64,
    },
}

/// Another disk, with a lie in front of it.
#[derive(Clone, Debug)]
pub struct LyingDisk {
    inner: Arc<dyn Vfs>,
    lie: Lie,
    liar: Arc<Liar>,
}

#[derive(Debug)]
struct Liar {
    when: When,
    passed: AtomicU64,
    random: Mutex<Random>,
}

impl Liar {
    fn lies(&self) -> bool {
        let passed = self.passed.fetch_add(1, Ordering::Relaxed);
        match self.when {
            When::Always => true,
            When::After(honest) => passed >= honest,
            When::OneIn { n, .. } => {
                let random = self.random.lock();
                random.unwrap_or_else(PoisonError::into_inner).one_in(n)
            }
        }
    }
}

impl LyingDisk {
    /// Puts a lie in front of a disk.
    #[must_use]
    pub fn new(inner: Arc<dyn Vfs>, lie: Lie) -> Self {
        Self::at_times(inner, lie, When::Always)
    }

    /// Puts a lie in front of a disk that is not told every time.
    #[must_use]
    pub fn at_times(inner: Arc<dyn Vfs>, lie: Lie, when: When) -> Self {
        let seed = match when {
            When::OneIn { seed, .. } => seed,
            When::Always | When::After(_) => 0,
        };
        let liar = Arc::new(Liar {
            when,
            passed: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
        });
        Self { inner, lie, liar }
    }
}

impl Vfs for LyingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        let inner = self.inner.open(path, mode)?;
        Ok(match self.lie {
            Lie::SyncData => Box::new(LyingFile(inner, Arc::clone(&self.liar))),
            Lie::SyncDirectory => inner,
        })
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.inner.list(directory)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.inner.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match self.lie {
            Lie::SyncDirectory if self.liar.lies() => Ok(()),
            _ => self.inner.sync_directory(directory),
        }
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        self.inner.lock(directory)
    }

    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }
}

#[derive(Debug)]
struct LyingFile(Box<dyn VfsFile>, Arc<Liar>);

impl VfsFile for LyingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.1.lies() {
            return Ok(());
        }
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn names(&self) -> io::Result<u64> {
        self.0.names()
    }
}
