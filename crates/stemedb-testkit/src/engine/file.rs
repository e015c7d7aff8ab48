//! A file of a `Vfs` as redb asks for it.

use std::io;
use std::path::Path;

use stemedb_storage::engine::StorageBackend;
use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

use super::Script;

/// A file under redb. Errors go through as they are; short reads and writes are gone on with.
#[derive(Debug)]
pub struct DiskFile {
    file: Box<dyn VfsFile>,
    process: Script,
}

impl DiskFile {
    /// Opens a file that exists, for as long as `process` lives.
    ///
    /// # Errors
    ///
    /// What the disk answers.
    pub fn open(vfs: &dyn Vfs, path: &Path, process: &Script) -> io::Result<Self> {
        let file = vfs.open(path, OpenMode::Write)?;
        let process = process.clone();
        Ok(Self { file, process })
    }

    /// Repeats a transfer until all bytes are done; what gives no byte gives `end`.
    fn all(
        &self,
        bytes: usize,
        end: io::ErrorKind,
        mut part: impl FnMut(usize) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < bytes {
            self.process.check()?;
            match part(done) {
                Ok(0) => return Err(end.into()),
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        loop {
            self.process.check()?;
            match self.file.length() {
                // The disk counts this as a read, and no system interrupts it.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.all(out.len(), io::ErrorKind::UnexpectedEof, |done| {
            let rest = out.get_mut(done..).unwrap_or_default();
            self.file.read_at(rest, offset + done as u64)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.process.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.process.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.all(data.len(), io::ErrorKind::WriteZero, |done| {
            let rest = data.get(done..).unwrap_or_default();
            self.file.write_at(rest, offset + done as u64)
        })
    }
}
