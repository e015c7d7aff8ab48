//! A simulated disk with a hook in front of its opens and reads, for faults that the disk itself cannot plan.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb_testkit::disk::SimDisk;
use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

/// What happens in front of the disk.
pub(crate) trait Hook: Debug + Send + Sync {
    /// Called before a file is opened; an error is given instead.
    fn open(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Ok(())
    }

    /// Called before a read or a write of so many bytes; gives how many of them are tried.
    fn length(&self, bytes: usize) -> io::Result<usize> {
        Ok(bytes)
    }

    /// Called when a file was synced, before the caller knows it.
    fn sync(&self) {}

    /// Called with what a read gave; gives how many of its bytes are reported.
    fn read(&self, bytes: &mut [u8]) -> usize {
        bytes.len()
    }
}

#[derive(Debug)]
pub(crate) struct HookedDisk<H> {
    pub(crate) disk: SimDisk,
    pub(crate) hook: Arc<H>,
}

impl<H: Hook + 'static> Vfs for HookedDisk<H> {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        self.hook.open(path)?;
        Ok(Box::new(HookedFile {
            inner: self.disk.open(path, mode)?,
            hook: Arc::clone(&self.hook),
        }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.disk.list(directory)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.sync_directory(directory)
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        self.disk.lock(directory)
    }

    fn now_ms(&self) -> u64 {
        self.disk.now_ms()
    }

    fn monotonic(&self) -> Duration {
        self.disk.monotonic()
    }
}

#[derive(Debug)]
struct HookedFile<H> {
    inner: Box<dyn VfsFile>,
    hook: Arc<H>,
}

impl<H: Hook> VfsFile for HookedFile<H> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = self.hook.length(buffer.len())?;
        let buffer = buffer.get_mut(..length).unwrap_or_default();
        let read = self.inner.read_at(buffer, offset)?;
        Ok(self.hook.read(buffer.get_mut(..read).unwrap_or_default()))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let length = self.hook.length(bytes.len())?;
        self.inner
            .write_at(bytes.get(..length).unwrap_or(bytes), offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()?;
        self.hook.sync();
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.inner.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn names(&self) -> io::Result<u64> {
        self.inner.names()
    }
}
