//! Files that are no part of a database.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads and writes files of its own"
)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// All of a text file.
pub(crate) fn text(path: impl AsRef<Path>) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Writes a file anew.
pub(crate) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    fs::write(path, bytes)
}

/// Opens a file for reading.
pub(crate) fn open(path: impl AsRef<Path>) -> io::Result<File> {
    File::open(path)
}

/// Creates a file that can be written at any place.
pub(crate) fn create(path: impl AsRef<Path>) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

/// Bytes that a directory takes on the disk, with everything below it.
pub(crate) fn disk_bytes(directory: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    walk(directory, &mut |path| {
        // Engines remove files while they are counted.
        bytes += path
            .symlink_metadata()
            .map_or(0, |found| found.blocks() * 512);
        Ok(())
    })?;
    Ok(bytes)
}

/// Copies a directory with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    walk(from, &mut |path| {
        let target = path
            .strip_prefix(from)
            .map_or_else(|_| to.to_owned(), |part| to.join(part));
        if path.is_dir() {
            fs::create_dir_all(target)
        } else {
            fs::copy(path, target).map(drop)
        }
    })
}

/// Visits a directory and everything below it, directories before what is in them.
fn walk(from: &Path, visit: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut pending: Vec<PathBuf> = vec![from.to_owned()];
    while let Some(path) = pending.pop() {
        visit(&path)?;
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                pending.push(entry?.path());
            }
        }
    }
    Ok(())
}
