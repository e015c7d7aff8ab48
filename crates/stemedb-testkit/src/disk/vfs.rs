//! The simulated disk as the journal sees it.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

use super::entries::FileNumber;
use super::file::SimFile;
use super::sim::State;
use super::{Effect, Operation, SimDisk, Traced};

impl Vfs for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        let mut state = self.state();
        fail(state.begin(on(Operation::Open, path))?)?;
        let number = match (state.entries.find(path), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(number), _) => number,
            (None, OpenMode::CreateNew) => {
                let number = state.next_number();
                state.files.insert(number, SimFile::default());
                state.entries.create(path.to_owned(), number);
                number
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(Handle {
            disk: self.clone(),
            path: path.to_owned(),
            number,
            life: state.life,
        }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.state();
        fail(state.begin(on(Operation::List, directory))?)?;
        if !state.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state.entries.names(directory))
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let is_missing = |path: &&Path| {
            let is_root = path.file_name().is_none();
            !is_root && !self.state().directories.contains(*path)
        };
        let missing: Vec<&Path> = directory.ancestors().take_while(is_missing).collect();
        for path in missing.into_iter().rev() {
            let mut state = self.state();
            fail(state.begin(on(Operation::CreateDirectory, path))?)?;
            state
                .directories
                .extend(path.ancestors().map(Path::to_owned));
            state.unsynced_directories.insert(path.to_owned());
            drop(state);
            self.sync_directory(path.parent().unwrap_or(path))?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        fail(state.begin(on(Operation::Rename, from))?)?;
        found(state.entries.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        fail(state.begin(on(Operation::Link, to))?)?;
        if state.entries.find(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.entries.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.entries.create(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        fail(state.begin(on(Operation::Remove, path))?)?;
        found(state.entries.remove(path))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        let effect = state.begin(on(Operation::SyncDirectory, directory))?;
        if let Err(error) = fail(effect) {
            state.entries.forget_unsynced(directory);
            return Err(error);
        }
        state.entries.sync(directory);
        let is_elsewhere = |path: &PathBuf| path.parent() != Some(directory);
        state.unsynced_directories.retain(is_elsewhere);
        Ok(())
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        let mut state = self.state();
        if !state.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !state.locked.insert(directory.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock {
            disk: self.clone(),
            directory: directory.to_owned(),
            life: state.life,
        }))
    }

    fn now_ms(&self) -> u64 {
        self.clock_ms()
    }

    fn monotonic(&self) -> Duration {
        self.elapsed()
    }
}

#[derive(Debug)]
struct Lock {
    disk: SimDisk,
    directory: PathBuf,
    life: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locked.remove(&self.directory);
        }
    }
}

#[derive(Debug)]
struct Handle {
    disk: SimDisk,
    path: PathBuf,
    number: FileNumber,
    life: u64,
}

impl Handle {
    /// Does an operation on the file, if this handle is of the present life; it is told by how many bytes the file can grow.
    fn with<T>(
        &self,
        (operation, offset, bytes): (Operation, u64, usize),
        work: impl FnOnce(&mut SimFile, Option<Effect>, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut guard = self.disk.state();
        let state: &mut State = &mut guard;
        if state.life != self.life {
            return Err(io::Error::other("a handle from before the crash"));
        }
        let effect = state.begin(Traced {
            operation,
            path: self.path.clone(),
            offset,
            bytes: bytes as u64,
        })?;
        let room = state.room();
        let file = state.files.get_mut(&self.number);
        work(file.ok_or(io::ErrorKind::NotFound)?, effect, room)
    }
}

impl VfsFile for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(
            (Operation::Read, offset, buffer.len()),
            |file, effect, _| {
                fail(effect)?;
                let wanted = wanted_bytes(effect, buffer.len());
                let at = usize::try_from(offset).unwrap_or(usize::MAX);
                let read = file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), at)?;
                if let (Some(Effect::WrongBit), Some(byte)) = (effect, buffer.get_mut(read / 8)) {
                    *byte ^= 1;
                }
                Ok(read)
            },
        )
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.with(
            (Operation::Write, offset, bytes.len()),
            |file, effect, room| {
                fail(effect)?;
                let at = usize::try_from(offset).map_err(io::Error::other)?;
                let written = wanted_bytes(effect, bytes.len()).min(fitting(file, at, room));
                if written == 0 && !bytes.is_empty() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                file.write_at(bytes.get(..written).unwrap_or_default(), at);
                Ok(written)
            },
        )
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with((Operation::Sync, 0, 0), |file, effect, _| {
            if let Err(error) = fail(effect) {
                file.forget_unsynced();
                return Err(error);
            }
            file.sync();
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with((Operation::SetLen, length, 0), |file, effect, room| {
            fail(effect)?;
            let length = usize::try_from(length).map_err(io::Error::other)?;
            if length > file.bytes().len() && length > fitting(file, 0, room) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.set_len(length);
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.with((Operation::Read, 0, 0), |file, effect, _| {
            fail(effect)?;
            Ok(file.bytes().len() as u64)
        })
    }

    fn names(&self) -> io::Result<u64> {
        let state = self.disk.state();
        let same = |(_, number): &(&PathBuf, FileNumber)| *number == self.number;
        Ok(state.entries.iter().filter(same).count() as u64)
    }
}

fn on(operation: Operation, path: &Path) -> Traced {
    Traced {
        operation,
        path: path.to_owned(),
        offset: 0,
        bytes: 0,
    }
}

fn fail(effect: Option<Effect>) -> io::Result<()> {
    match effect {
        Some(Effect::Fail(kind)) => Err(kind.into()),
        _ => Ok(()),
    }
}

fn found(is_there: bool) -> io::Result<()> {
    if is_there {
        Ok(())
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// How many bytes can be written at an offset, where the file can grow by `room`.
fn fitting(file: &SimFile, offset: usize, room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    file.bytes()
        .len()
        .saturating_add(room)
        .saturating_sub(offset)
}

fn wanted_bytes(effect: Option<Effect>, length: usize) -> usize {
    match effect {
        Some(Effect::Short) => length.min(1),
        _ => length,
    }
}
