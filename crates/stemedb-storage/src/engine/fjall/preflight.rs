//! What is checked of fjall's files before fjall reads them.
//!
//! fjall panics at a directory that it did not make among its keyspaces, tables or blobs, and once more while it unwinds, which ends the
//! process. It also takes numbers of entries out of its files and allocates that much before it verifies them, or without verifying
//! them: one flipped bit asks for gigabytes, which ends the process. And where the directory of blobs is gone it opens all the same,
//! forgets them, and gives their names to new ones. The bytes are those of lsm-tree 3 and sfa 1:
//!
//! ```text
//! current   version u64, xxh3-128 of the file v{version}, kind of checksum u8 (0)
//! v{n}      an archive
//! tables/*  archives
//! blobs/*   archives
//! ```

use std::{
    collections::BTreeSet,
    error::Error,
    ffi::OsStr,
    fmt::{self, Display, Formatter},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use crate::engine::Fault;

use self::{archive::Archive, version::Named};
use super::BLOBS;

mod archive;
mod link;
mod version;

const KEYSPACES: &str = "keyspaces";
const TABLES: &str = "tables";
const CURRENT: &str = "current";

const CURRENT_BYTES: usize = 8 + 16 + 1;

/// Checks the files of every keyspace; what is not there is fjall's to miss, but for what would have it delete or forget others.
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    for keyspace in entries(&path.join(KEYSPACES))? {
        if !keyspace.is_dir() {
            continue;
        }
        if number(&keyspace).is_none() {
            return Err(Fault::Corrupt(Box::new(Refused::Stray(keyspace))));
        }
        let tables = files(&keyspace.join(TABLES))?;
        let blobs = files(&keyspace.join(BLOBS))?;
        match named(&keyspace)? {
            Some(named) => check_named(&keyspace, &named, (&tables, &blobs))?,
            // fjall takes the keyspace for one whose creation was interrupted, and deletes it with all that is in it.
            None if !tables.is_empty() || !blobs.is_empty() => {
                return Err(damaged(&keyspace.join(CURRENT)));
            }
            None => {}
        }
    }
    Ok(())
}

/// Checks the tables and blobs that a version names, which are among these files.
fn check_named(
    keyspace: &Path,
    named: &Named,
    (tables, blobs): (&[PathBuf], &[PathBuf]),
) -> Result<(), Fault> {
    let is_named =
        |file: &Path, ids: &BTreeSet<u64>| number(file).is_some_and(|id| ids.contains(&id));
    for table in tables.iter().filter(|file| is_named(file, &named.tables)) {
        let mut archive = Archive::open(table).map_err(Fault::from_io)?;
        let links = link::are_sound(&mut archive, &named.blobs).map_err(Fault::from_io)?;
        if !links || !archive.is_sound() {
            return Err(damaged(table));
        }
    }
    for blob in blobs.iter().filter(|file| is_named(file, &named.blobs)) {
        if !Archive::open(blob).map_err(Fault::from_io)?.is_sound() {
            return Err(damaged(blob));
        }
    }
    // Of blobs that are missing with their directory fjall says nothing: it forgets them, and gives their names to new ones.
    let path = |id: &u64| keyspace.join(BLOBS).join(id.to_string());
    let missing = named.blobs.iter().map(path).find(|path| !path.is_file());
    missing.map_or(Ok(()), |missing| Err(damaged(&missing)))
}

/// The files of a directory, in which there must be nothing else.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let files = entries(directory)?;
    match files.iter().find(|file| file.is_dir()) {
        Some(stray) => Err(Fault::Corrupt(Box::new(Refused::Stray(stray.clone())))),
        None => Ok(files),
    }
}

/// The number that is the name of a keyspace, a table or a file of blobs.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name().and_then(OsStr::to_str);
    name?.parse().ok()
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            let paths = entries.map(|entry| Ok(entry?.path()));
            paths.collect::<io::Result<_>>().map_err(Fault::from_io)
        }
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(Fault::from_io(error)),
    }
}

/// What the version of a keyspace names: the file of the version must be the one that `current` speaks of.
///
/// `None` where there is no `current`.
fn named(keyspace: &Path) -> Result<Option<Named>, Fault> {
    let path = keyspace.join(CURRENT);
    let Some(current) = read(&path)? else {
        return Ok(None);
    };
    let (version, checksum) = parse_current(&current).ok_or_else(|| damaged(&path))?;
    let path = keyspace.join(format!("v{version}"));
    let bytes = read(&path)?.ok_or_else(|| damaged(&path))?;
    if xxh3_128(&bytes) != checksum {
        return Err(damaged(&path));
    }
    let named = version::named(&bytes).ok_or_else(|| damaged(&path))?;
    Ok(Some(named))
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
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Fault::from_io(error)),
    }
}

/// Whether there is nothing of that name, or something else stands where its directory should be.
fn is_absent(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn damaged(path: &Path) -> Fault {
    Fault::Corrupt(Box::new(Refused::Damaged(path.to_owned())))
}

/// What fjall would not survive.
#[derive(Debug)]
enum Refused {
    /// A file that is not as fjall wrote it.
    Damaged(PathBuf),
    /// A directory that fjall did not make, where only its own may be.
    Stray(PathBuf),
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(path) => write!(f, "{}: is not as it was written", path.display()),
            Self::Stray(path) => write!(f, "{}: is none of its directories", path.display()),
        }
    }
}

impl Error for Refused {}
