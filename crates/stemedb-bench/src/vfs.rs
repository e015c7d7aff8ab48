//! Disks that take longer to sync, and that tell how long they took.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, OsVfs, Vfs, VfsFile};

use crate::clock;
use crate::number::float;

/// How long each fsync takes more than the disk needs, and how long they took in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Syncs {
    extra: Duration,
    taken: Arc<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Syncs {
    /// Every fsync takes so much longer.
    pub(crate) fn slower_by(extra: Duration) -> Self {
        Self {
            extra,
            taken: Arc::default(),
        }
    }

    /// Makes the bytes of a file durable.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        self.timed(|| file.sync_data())
    }

    fn timed(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let start = clock::now();
        let done = sync();
        if !self.extra.is_zero() {
            clock::pause(self.extra);
        }
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.taken.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.taken.count.fetch_add(1, Ordering::Relaxed);
        done
    }

    /// What an fsync took on average, in microseconds.
    pub(crate) fn mean_us(&self) -> f64 {
        let nanos = float(self.taken.nanos.load(Ordering::Relaxed));
        nanos / 1e3 / float(self.taken.count.load(Ordering::Relaxed).max(1))
    }
}

/// The files of the operating system, whose syncs are timed and may take longer.
#[derive(Debug, Default)]
pub(crate) struct SlowDisk {
    files: OsVfs,
    syncs: Syncs,
}

impl SlowDisk {
    pub(crate) fn new(syncs: Syncs) -> Self {
        Self {
            files: OsVfs::default(),
            syncs,
        }
    }
}

impl Vfs for SlowDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        let file = self.files.open(path, mode)?;
        let syncs = self.syncs.clone();
        Ok(Box::new(SlowFile { file, syncs }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.files.list(directory)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.files.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.syncs.timed(|| self.files.sync_directory(directory))
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        self.files.lock(directory)
    }

    fn now_ms(&self) -> u64 {
        self.files.now_ms()
    }

    fn monotonic(&self) -> Duration {
        self.files.monotonic()
    }
}

#[derive(Debug)]
struct SlowFile {
    file: Box<dyn VfsFile>,
    syncs: Syncs,
}

impl VfsFile for SlowFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.timed(|| self.file.sync_data())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
