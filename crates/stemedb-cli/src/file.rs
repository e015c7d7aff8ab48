//! The only place where the program itself opens files; what a database holds is the library's.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Names and links that one path may lead through.
const STEPS_MAX: usize = 4096;

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

/// The whole text of `path`, which may be `bytes_max` bytes long; a device may never end.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = Vec::new();
    let one_more = bytes_max.saturating_add(1);
    open(path)?.take(one_more).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > bytes_max) {
        let text = format!("is longer than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Whether `path` is a directory in which something lies.
pub(crate) fn holds_files(path: &Path) -> bool {
    path.read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether both paths lead to one file, through whatever links.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let resolved = [one, other].map(resolve);
    if let [Ok(one), Ok(other)] = &resolved
        && one == other
    {
        return true;
    }
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) {
        use std::os::unix::fs::MetadataExt as _;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    false
}

/// Where `path` leads, through all links, even if nothing is there yet.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    let mut rest = PathBuf::new();
    for _ in 0..STEPS_MAX {
        match path.canonicalize() {
            // Joining parts keeps the end free of a slash, which only a directory may have.
            Ok(found) => return Ok(found.iter().chain(&rest).collect()),
            Err(error) if !is_nothing_there(&error) => return Err(error),
            Err(_) => {}
        }
        let parent = path.parent().map(Path::to_owned).unwrap_or_default();
        if let Ok(target) = path.read_link() {
            // A file that is created through this link is created there.
            path = parent.join(target);
        } else {
            rest = Path::new(path.file_name().unwrap_or_default()).join(rest);
            path = parent;
        }
    }
    Err(io::ErrorKind::InvalidFilename.into())
}

fn is_nothing_there(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
