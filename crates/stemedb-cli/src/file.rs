//! The only place where the program itself opens files; what a database holds is the library's.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

/// Opens `path` for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Creates `path` for writing, or empties it.
pub(crate) fn begin_anew(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

/// Creates `path` for writing, readable by its owner alone; refuses one that exists.
pub(crate) fn create_secret(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The whole text of `path`.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path)?)
}
