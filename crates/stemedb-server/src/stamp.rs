//! Whether a file is still the one that was read.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// What changes when a file is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    identity: [i64; 4],
}

impl Stamp {
    /// The stamp of what lies at `path`, if something does.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match path.metadata() {
            Ok(metadata) => Ok(Some(Self {
                bytes: metadata.len(),
                modified: metadata.modified().ok(),
                identity: identity(&metadata),
            })),
            Err(error) => none_at(path, error),
        }
    }
}

/// That nothing lies at `path`, if that is what the error says. A link that leads nowhere is something: what it leads to may come.
pub(crate) fn none_at<T>(path: &Path, error: io::Error) -> io::Result<Option<T>> {
    let is_absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match path.symlink_metadata() {
        Err(nothing) if is_absent(&error) && is_absent(&nothing) => Ok(None),
        _ => Err(error),
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt as _;
    let place = [metadata.dev(), metadata.ino()].map(u64::cast_signed);
    let [device, file] = place;
    [device, file, metadata.ctime(), metadata.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> [i64; 4] {
    [0; 4]
}

/// The whole of a small regular file; a pipe would be waited for, and a device may never end.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let file = std::fs::OpenOptions::new().read(true).open(path)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= bytes_max => Ok(bytes),
        _ => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {bytes_max} bytes"),
        )),
    }
}
