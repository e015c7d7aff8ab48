//! What is checked of fjall's files before fjall reads them.
//!
//! fjall takes numbers of entries out of two kinds of files and allocates that much before it verifies them, or without verifying
//! them: one flipped bit asks for gigabytes, which ends the process. The bytes are those of lsm-tree 3 and sfa 1:
//!
//! ```text
//! current   version u64, xxh3-128 of the file v{version}, kind of checksum u8 (0)
//! v{n}      an archive
//! tables/*  archives: sections, table of contents, trailer
//! trailer   "SFA!", version u8 (1), kind of checksum u8 (0), xxh3-128 of the contents, their offset u64, their length u64
//! ```

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use crate::engine::Fault;

const KEYSPACES: &str = "keyspaces";
const TABLES: &str = "tables";
const CURRENT: &str = "current";

const CURRENT_BYTES: usize = 8 + 16 + 1;
const TRAILER_BYTES: usize = 4 + 1 + 1 + 16 + 8 + 8;
const TRAILER_MAGIC: &[u8] = b"SFA!\x01\x00";
/// Longest table of contents that is read; it has an entry for each section, of which there are about ten.
const CONTENTS_BYTES_MAX: u64 = 1 << 20;

/// Checks the files of every keyspace; what is not there is fjall's to miss.
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    for keyspace in entries(&path.join(KEYSPACES))? {
        check_version(&keyspace)?;
        for table in entries(&keyspace.join(TABLES))? {
            let sound = check_archive(&table).map_err(Fault::from_io)?;
            sound.then_some(()).ok_or_else(|| damaged(&table))?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            let paths = entries.map(|entry| Ok(entry?.path()));
            paths.collect::<io::Result<_>>().map_err(Fault::from_io)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Fault::from_io(error)),
    }
}

/// The file that says which tables there are must be the one that `current` speaks of.
fn check_version(keyspace: &Path) -> Result<(), Fault> {
    let path = keyspace.join(CURRENT);
    let Some(current) = read(&path)? else {
        return Ok(());
    };
    let (version, checksum) = parse_current(&current).ok_or_else(|| damaged(&path))?;
    let path = keyspace.join(format!("v{version}"));
    let bytes = read(&path)?.ok_or_else(|| damaged(&path))?;
    if xxh3_128(&bytes) == checksum {
        Ok(())
    } else {
        Err(damaged(&path))
    }
}

/// Version and checksum; `None` where these are not the bytes of a `current`.
fn parse_current(bytes: &[u8]) -> Option<(u64, u128)> {
    let bytes: &[u8; CURRENT_BYTES] = bytes.try_into().ok()?;
    let (version, rest) = bytes.split_first_chunk::<8>()?;
    let (checksum, kind) = rest.split_first_chunk::<16>()?;
    (kind == [0]).then(|| (u64::from_le_bytes(*version), u128::from_le_bytes(*checksum)))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let mut bytes = Vec::new();
    match open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::from_io(error)),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Whether the table of contents of an archive is what its trailer says. Its sections fjall verifies itself.
fn check_archive(path: &Path) -> io::Result<bool> {
    let mut file = open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(true);
    }
    let length = file.seek(SeekFrom::End(0))?;
    let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else {
        return Ok(false);
    };
    let mut trailer = [0; TRAILER_BYTES];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut trailer)?;
    let Some((checksum, offset, bytes)) = parse_trailer(&trailer) else {
        return Ok(false);
    };
    if offset.checked_add(bytes) != Some(end) || bytes > CONTENTS_BYTES_MAX {
        return Ok(false);
    }
    let mut contents = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(bytes).read_to_end(&mut contents)?;
    Ok(xxh3_128(&contents) == checksum)
}

/// Checksum, offset and length of the table of contents; `None` where these are not the bytes of a trailer.
fn parse_trailer(bytes: &[u8; TRAILER_BYTES]) -> Option<(u128, u64, u64)> {
    let rest = bytes.strip_prefix(TRAILER_MAGIC)?;
    let (checksum, rest) = rest.split_first_chunk::<16>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (length, _) = rest.split_first_chunk::<8>()?;
    let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    Some((
        u128::from_le_bytes(*checksum),
        number(offset),
        number(length),
    ))
}

/// A file of fjall that is not as fjall wrote it.
#[derive(Debug)]
struct Damaged(PathBuf);

fn damaged(path: &Path) -> Fault {
    Fault::Corrupt(Box::new(Damaged(path.to_owned())))
}

impl Display for Damaged {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: checksum mismatch", self.0.display())
    }
}

impl Error for Damaged {}
