//! A disk in memory on which every operation is a point of switching: a sync takes its time, and a write may be half done.
//!
//! What was not synced is lost by [`Disk::crashed`], all of it: what an acknowledgement promises must be in there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

type Entries = BTreeMap<PathBuf, usize>;

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    entries: Entries,
    durable_entries: Entries,
    /// Syncs of files that still succeed; every one if `None`.
    syncs_left: Option<usize>,
    has_failed: bool,
    monotonic_ms: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    /// Whether others may run in front of each operation.
    is_shared: bool,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self {
            is_shared: true,
            ..Self::default()
        }
    }

    /// What is there after a loss of power, on a disk that only one thread uses.
    pub(crate) fn crashed(&self) -> Self {
        let state = self.peek();
        let content = |content: &Content| Content {
            bytes: content.durable.clone(),
            durable: content.durable.clone(),
        };
        let crashed = State {
            contents: state.contents.iter().map(content).collect(),
            entries: state.durable_entries.clone(),
            durable_entries: state.durable_entries.clone(),
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(crashed)),
            is_shared: false,
        }
    }

    /// After so many more syncs of files, each fails.
    pub(crate) fn fail_syncs_after(&self, syncs: usize) {
        self.peek().syncs_left = Some(syncs);
    }

    /// Whether a sync has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.peek().has_failed
    }

    fn peek(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        if self.is_shared {
            // Nothing but a point of switching.
            shuttle::thread::sleep(Duration::ZERO);
        }
        self.peek()
    }
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Vfs for Disk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        let mut state = self.state();
        let found = state.entries.get(path).copied();
        let content = match (mode, found) {
            (OpenMode::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateNew, None) => {
                state.contents.push(Content::default());
                let content = state.contents.len() - 1;
                state.entries.insert(path.to_owned(), content);
                content
            }
            (OpenMode::Read | OpenMode::Write, found) => found.ok_or_else(absent)?,
        };
        Ok(Box::new(File {
            disk: self.clone(),
            content,
        }))
    }

    fn list(&self, _directory: &Path) -> io::Result<Vec<OsString>> {
        let state = self.state();
        let names = state.entries.keys().filter_map(|path| path.file_name());
        Ok(names.map(ToOwned::to_owned).collect())
    }

    fn create_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let content = state.entries.remove(from).ok_or_else(absent)?;
        state.entries.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.state().entries.remove(path);
        removed.map(|_| ()).ok_or_else(absent)
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        let entries = self.state().entries.clone();
        self.state().durable_entries = entries;
        Ok(())
    }

    fn lock(&self, _directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        Ok(Box::new(()))
    }

    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn monotonic(&self) -> Duration {
        let mut state = self.peek();
        state.monotonic_ms += 1;
        Duration::from_millis(state.monotonic_ms)
    }
}

#[derive(Debug)]
struct File {
    disk: Disk,
    content: usize,
}

impl VfsFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = &state.contents[self.content].bytes;
        let offset = usize::try_from(offset).unwrap().min(bytes.len());
        let length = buffer.len().min(bytes.len() - offset);
        buffer[..length].copy_from_slice(&bytes[offset..offset + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let to = &mut state.contents[self.content].bytes;
        let offset = usize::try_from(offset).unwrap();
        // Half of it, so that somebody can look before the rest is there.
        let length = bytes.len().div_ceil(2);
        if to.len() < offset + length {
            to.resize(offset + length, 0);
        }
        to[offset..offset + length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let bytes = {
            let mut state = self.disk.state();
            if state.syncs_left == Some(0) {
                state.has_failed = true;
                return Err(io::Error::other("the sync failed"));
            }
            state.syncs_left = state.syncs_left.map(|left| left - 1);
            state.contents[self.content].bytes.clone()
        };
        // What is written from here on is not part of this sync.
        self.disk.state().contents[self.content].durable = bytes;
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.disk.state().contents[self.content]
            .bytes
            .resize(length, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().contents[self.content].bytes.len() as u64)
    }
}
