//! The files and clocks of the operating system.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place where files and clocks come from"
)]

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{OpenMode, Vfs, VfsFile};

/// Files and clocks of the operating system (Unix).
#[derive(Clone, Copy, Debug)]
pub struct OsVfs {
    start: Instant,
}

impl Default for OsVfs {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Vfs for OsVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        // Opening a pipe waits for somebody at its other end.
        if mode != OpenMode::CreateNew && !fs::metadata(path)?.is_file() {
            let text = "is not a regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::CreateNew => {
                options.write(true).create_new(true);
            }
        }
        Ok(Box::new(OsFile(options.open(path)?)))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut at = Some(directory);
        while let Some(path) = at.filter(|path| !path.as_os_str().is_empty() && !path.is_dir()) {
            missing.push(path);
            at = path.parent();
        }
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                // Somebody else made it in this very moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                made => made?,
            }
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            self.sync_directory(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        let handle = File::open(directory)?;
        match handle.try_lock() {
            Ok(()) => Ok(Box::new(DirectoryLock(handle))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A directory that is locked.
#[derive(Debug)]
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // A process that is being started holds a copy of the handle until it executes its program: closing ours would not release the
        // lock until then, and whoever opens the directory again would be told that it is in use.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of the journal could not be released");
        }
    }
}

#[derive(Debug)]
struct OsFile(File);

impl VfsFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn names(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.nlink())
    }
}
