//! The few file operations that a database directory needs beside its journal and its store.

#![expect(
    clippy::disallowed_methods,
    reason = "these files are the database's own; the journal's come through its Vfs"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::error::{Cause, Result};

pub(crate) fn io<T>(result: std::io::Result<T>, operation: &'static str, path: &Path) -> Result<T> {
    result.map_err(|source| {
        let path = path.to_owned();
        Cause::Io {
            operation,
            path,
            source,
        }
        .into()
    })
}

/// The text of a small file; `None` where there is none.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>> {
    // Opening a pipe waits for somebody at its other end.
    let is_file = fs::metadata(path).map(|it| it.is_file());
    let content = match is_file {
        Ok(false) => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "is not a regular file",
        )),
        _ => fs::read(path),
    };
    match content {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => io(Err(error), "read", path),
    }
}

// Durability: written aside, synced, renamed, and the directory synced: the file is there as a whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let aside = path.with_extension("tmp");
    let mut file = io(
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&aside),
        "create",
        &aside,
    )?;
    io(file.write_all(text.as_bytes()), "write", &aside)?;
    io(file.sync_all(), "sync", &aside)?;
    rename(&aside, path)
}

/// Renames, and makes it durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    io(fs::rename(from, to), "rename", from)?;
    sync_directory(to.parent().unwrap_or(Path::new(".")))
}

pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    io(
        File::open(path).and_then(|directory| directory.sync_all()),
        "sync",
        path,
    )
}

/// Names in a directory; `None` where there is none.
pub(crate) fn names(path: &Path) -> Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return io(Err(error), "list", path),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(
            io(entry, "list", path)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort_unstable();
    Ok(Some(names))
}

/// Fails where a directory that is to be filled holds something.
pub(crate) fn check_empty(path: &Path) -> Result<()> {
    match names(path)? {
        Some(names) if !names.is_empty() => {
            let path = path.to_owned();
            Err(Cause::NotADatabase { path }.into())
        }
        _ => Ok(()),
    }
}

pub(crate) fn create_directory(path: &Path) -> Result<()> {
    io(fs::create_dir(path), "create", path)
}

pub(crate) fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => io(result, "remove", path),
    }
}

/// Copies a directory with everything in it, but for its rights: a copy of what may not be written is there to be written.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    io(fs::create_dir_all(to), "create", to)?;
    let mut pending = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = pending.pop() {
        for entry in io(fs::read_dir(&from), "list", &from)? {
            let entry = io(entry, "list", &from)?;
            let target = to.join(entry.file_name());
            if io(entry.file_type(), "look at", &entry.path())?.is_dir() {
                io(fs::create_dir_all(&target), "create", &target)?;
                pending.push((entry.path(), target));
            } else {
                io(copy_file(&entry.path(), &target), "copy", &entry.path())?;
            }
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<u64> {
    std::io::copy(&mut File::open(from)?, &mut File::create(to)?)
}

#[cfg(test)]
mod tests {
    use super::{copy_directory, fs};

    #[test]
    fn a_copy_of_a_file_that_may_not_be_written_can_be_written() {
        // `stemedb verify` of a database without write permission, as a backup is kept, was refused: the copy of the store, which
        // the engines open for writing, had no such permission either.
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("inner")).unwrap();
        let original = from.join("inner/file");
        fs::write(&original, "bytes").unwrap();
        let mut rights = fs::metadata(&original).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(&original, rights).unwrap();
        copy_directory(&from, &to).unwrap();
        let copy = to.join("inner/file");
        assert_eq!(fs::read(&copy).unwrap(), b"bytes");
        assert!(!fs::metadata(&copy).unwrap().permissions().readonly());
    }
}
