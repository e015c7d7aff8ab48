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
    match fs::read(path) {
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

pub(crate) fn create_directory(path: &Path) -> Result<()> {
    io(fs::create_dir(path), "create", path)
}

pub(crate) fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => io(result, "remove", path),
    }
}

/// Copies a directory with everything in it.
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
                io(fs::copy(entry.path(), &target), "copy", &entry.path())?;
            }
        }
    }
    Ok(())
}
