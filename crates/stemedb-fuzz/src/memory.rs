//! Files in memory behind the journal's `Vfs`; every operation succeeds, and is durable at once.
//!
//! The simulated disk of the testkit keeps each state that a crash could leave, which a target that runs thousands of times a second has no
//! use for; and what libFuzzer builds stays without the testkit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

/// The bytes of each file by its path.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<BTreeMap<PathBuf, Content>>>);

impl Memory {
    pub(crate) fn new(files: &Files) -> Self {
        let contents = files.iter();
        let contents =
            contents.map(|(path, bytes)| (path.clone(), Content::new(bytes.clone().into())));
        Self(Arc::new(Mutex::new(contents.collect())))
    }

    pub(crate) fn files(&self) -> Files {
        let contents = lock(&self.0);
        let files = contents.iter();
        files
            .map(|(path, bytes)| (path.clone(), lock(bytes).clone()))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Vfs for Memory {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        let mut contents = lock(&self.0);
        let found = contents.get(path).cloned();
        let content = match (mode, found) {
            (OpenMode::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateNew, None) => {
                let content = Content::default();
                contents.insert(path.to_owned(), Arc::clone(&content));
                content
            }
            (OpenMode::Read | OpenMode::Write, found) => found.ok_or_else(absent)?,
        };
        Ok(Box::new(File(content)))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let contents = lock(&self.0);
        let paths = contents
            .keys()
            .filter(|path| path.parent() == Some(directory));
        Ok(paths
            .filter_map(|path| path.file_name().map(ToOwned::to_owned))
            .collect())
    }

    fn create_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut contents = lock(&self.0);
        let content = contents.remove(from).ok_or_else(absent)?;
        contents.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = lock(&self.0).remove(path);
        removed.map(|_| ()).ok_or_else(absent)
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        Ok(Box::new(()))
    }

    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Debug)]
struct File(Content);

impl VfsFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = lock(&self.0);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(offset..).unwrap_or_default();
        let length = buffer.len().min(rest.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(length)
    }

    fn write_at(&self, written: &[u8], offset: u64) -> io::Result<usize> {
        let mut bytes = lock(&self.0);
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let end = offset + written.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        for (to, from) in bytes.iter_mut().skip(offset).zip(written) {
            *to = *from;
        }
        Ok(written.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        lock(&self.0).resize(length, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }
}
