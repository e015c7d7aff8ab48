//! The next segment, prepared aside so that a rotation waits for nothing but a rename.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::vfs::{OpenMode, Vfs, VfsFile, fill_zeros};

/// What has to be prepared.
#[derive(Debug)]
pub struct SpareRequest {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) directory: PathBuf,
    pub(crate) number: u64,
    pub(crate) capacity_bytes: u64,
}

impl SpareRequest {
    /// Prepares it; it takes as long as writing and syncing the whole segment does.
    ///
    /// # Errors
    ///
    /// The operating system's error; nothing is left behind then.
    pub fn prepare(&self) -> io::Result<Spare> {
        Spare::create(
            self.vfs.as_ref(),
            &self.directory,
            self.number,
            self.capacity_bytes,
        )
    }
}

/// A file of durable zeros that waits for its name.
#[derive(Debug)]
pub struct Spare {
    path: PathBuf,
    file: Box<dyn VfsFile>,
    number: u64,
    capacity_bytes: u64,
}

impl Spare {
    pub(crate) fn path_of(directory: &Path, number: u64) -> PathBuf {
        directory.join(format!("spare-{number:016x}.tmp"))
    }

    pub(crate) fn create(
        vfs: &dyn Vfs,
        directory: &Path,
        number: u64,
        capacity_bytes: u64,
    ) -> io::Result<Self> {
        let path = Self::path_of(directory, number);
        let file = match vfs.open(&path, OpenMode::CreateNew) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                vfs.remove(&path)?;
                vfs.open(&path, OpenMode::CreateNew)?
            }
            opened => opened?,
        };
        let spare = Self {
            path,
            file,
            number,
            capacity_bytes,
        };
        match spare.fill() {
            Ok(()) => Ok(spare),
            Err(error) => {
                spare.discard(vfs);
                Err(error)
            }
        }
    }

    /// Makes it as long as it is to be, of zeros that are durable.
    ///
    /// A group whose fsync meets that of the zeros waits for them, on one disk: for a mebibyte and not for a segment.
    fn fill(&self) -> io::Result<()> {
        let file = self.file.as_ref();
        fill_zeros(file, 0, self.capacity_bytes, || file.sync_data())
    }

    /// Number of the segment that it is meant for.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn into_file(self) -> Box<dyn VfsFile> {
        self.file
    }

    /// Removes the file. What cannot be removed now is removed by the next recovery.
    pub(crate) fn discard(self, vfs: &dyn Vfs) {
        if let Err(error) = vfs.remove(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "a spare segment was not removed");
        }
    }
}
