//! The one door to files and clocks.
//!
//! The journal calls nothing of `std::fs` and no clock but through [`Vfs`], so that a simulated disk can stand behind it.

#![expect(
    clippy::missing_errors_doc,
    reason = "each trait says it once for all its calls"
)]

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::Duration;

mod os;

pub use os::OsVfs;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; it must not exist.
    CreateNew,
}

/// Files of one machine, and its clocks.
///
/// # Errors
///
/// Every call gives the operating system's error as it is. A held lock is [`io::ErrorKind::WouldBlock`].
pub trait Vfs: Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>>;
    /// Names of the entries of a directory, in any order.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;
    /// Creates a directory and those above it, and makes their entries durable.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;
    /// Gives a file another name, replacing what has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file one name more. It fails where that name is taken, or where a file cannot have two.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of a directory; it is released when the value is dropped.
    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>>;
    /// Wall-clock time in Unix milliseconds; it may go backwards.
    fn now_ms(&self) -> u64;
    /// Time since some fixed moment; it never goes backwards.
    fn monotonic(&self) -> Duration;
}

/// An open file.
///
/// # Errors
///
/// Every call gives the operating system's error as it is; short reads and writes are allowed.
pub trait VfsFile: Debug + Send + Sync {
    /// Reads at an offset; 0 is the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset, extending the file where needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes the file's bytes and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// How many names the file has.
    fn names(&self) -> io::Result<u64> {
        Ok(1)
    }
}

/// Reads until `buffer` is full or the file ends; gives the number of bytes read, or where the read failed.
pub(crate) fn read_full_at(
    file: &dyn VfsFile,
    buffer: &mut [u8],
    offset: u64,
) -> Result<usize, (u64, io::Error)> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((offset + done as u64, error)),
        }
    }
    Ok(done)
}

/// Writes all of `bytes`.
pub(crate) fn write_all_at(file: &dyn VfsFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match file.write_at(rest, offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes zeros from `from` up to `to`, and calls `step` after each mebibyte and at the end.
pub(crate) fn fill_zeros(
    file: &dyn VfsFile,
    from: u64,
    to: u64,
    mut step: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    const STEP_BYTES: usize = 1 << 20;
    let zeros = vec![0; STEP_BYTES];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to - at).map_or(STEP_BYTES, |left| left.min(STEP_BYTES));
        write_all_at(file, zeros.get(..length).unwrap_or(&zeros), at)?;
        step()?;
        at += length as u64;
    }
    Ok(())
}
