//! A disk whose syncs do nothing: with it a test of durability must fail.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

/// Which sync does nothing and says that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Those of files.
    SyncData,
    /// Those of directories.
    SyncDirectory,
}

/// Another disk, with a lie in front of it.
#[derive(Clone, Debug)]
pub struct LyingDisk {
    inner: Arc<dyn Vfs>,
    lie: Lie,
}

impl LyingDisk {
    /// Puts a lie in front of a disk.
    #[must_use]
    pub fn new(inner: Arc<dyn Vfs>, lie: Lie) -> Self {
        Self { inner, lie }
    }
}

impl Vfs for LyingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        let inner = self.inner.open(path, mode)?;
        Ok(match self.lie {
            Lie::SyncData => Box::new(LyingFile(inner)),
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

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match self.lie {
            Lie::SyncDirectory => Ok(()),
            Lie::SyncData => self.inner.sync_directory(directory),
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
struct LyingFile(Box<dyn VfsFile>);

impl VfsFile for LyingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
}
