//! What is checked of fjall's files before fjall reads them.
//!
//! fjall panics at a directory that it did not make among its keyspaces or tables, and once more while it unwinds, which ends the process.
//! It also takes numbers of entries out of two kinds of files and allocates that much before it verifies them, or without verifying
//! them: one flipped bit asks for gigabytes, which ends the process. The bytes are those of lsm-tree 3 and sfa 1:
//!
//! ```text
//! current   version u64, xxh3-128 of the file v{version}, kind of checksum u8 (0)
//! v{n}      an archive
//! tables/*  archives: sections, table of contents, trailer
//! contents  "TOC!", number of sections u32, sections
//! trailer   "SFA!", version u8 (1), kind of checksum u8 (0), xxh3-128 of the contents, their offset u64, their length u64
//! ```

use std::{
    collections::BTreeSet,
    error::Error,
    ffi::OsStr,
    fmt::{self, Display, Formatter},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use crate::engine::Fault;

mod version;

const KEYSPACES: &str = "keyspaces";
const TABLES: &str = "tables";
const CURRENT: &str = "current";

const CURRENT_BYTES: usize = 8 + 16 + 1;
const TRAILER_BYTES: usize = 4 + 1 + 1 + 16 + 8 + 8;
const TRAILER_MAGIC: &[u8] = b"SFA!\x01\x00";
const CONTENTS_MAGIC: &[u8] = b"TOC!";
const CONTENTS_HEAD_BYTES: usize = 4 + 4;
/// Offset, length, and the length of the name.
const SECTION_BYTES_MIN: u64 = 8 + 8 + 2;

/// Checks the files of every keyspace; what is not there is fjall's to miss, but for what would have it delete tables.
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    for keyspace in entries(&path.join(KEYSPACES))? {
        if !keyspace.is_dir() {
            continue;
        }
        if number(&keyspace).is_none() {
            return Err(Fault::Corrupt(Box::new(Refused::Stray(keyspace))));
        }
        let named = check_version(&keyspace)?;
        for table in entries(&keyspace.join(TABLES))? {
            if table.is_dir() {
                return Err(Fault::Corrupt(Box::new(Refused::Stray(table))));
            }
            let Some(named) = &named else {
                return Err(damaged(&keyspace.join(CURRENT)));
            };
            let is_named = number(&table).is_some_and(|id| named.contains(&id));
            if is_named && claims_too_much(&table).map_err(Fault::from_io)? {
                return Err(damaged(&table));
            }
        }
    }
    Ok(())
}

/// The number that is the name of a keyspace or a table.
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

/// The tables of a keyspace: the file that names them must be the one that `current` speaks of.
///
/// `None` where there is no `current`: fjall takes the keyspace for one whose creation was interrupted, and deletes it.
fn check_version(keyspace: &Path) -> Result<Option<BTreeSet<u64>>, Fault> {
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
    let tables = version::tables(&bytes).ok_or_else(|| damaged(&path))?;
    Ok(Some(tables))
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

/// Whether an archive says that it has more sections than its bytes can name. What else may be wrong with it, fjall finds itself.
fn claims_too_much(path: &Path) -> io::Result<bool> {
    let mut file = open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else {
        return Ok(false);
    };
    let mut trailer = [0; TRAILER_BYTES];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut trailer)?;
    let mut head = [0; CONTENTS_HEAD_BYTES];
    let offset = contents_offset(&trailer);
    let Some(offset) = offset.filter(|offset| offset.saturating_add(head.len() as u64) <= end)
    else {
        return Ok(false);
    };
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut head)?;
    let sections = section_count(head).unwrap_or(0);
    Ok(u64::from(sections).saturating_mul(SECTION_BYTES_MIN) > length)
}

/// Offset of the table of contents; `None` where these are not the bytes of a trailer.
fn contents_offset(trailer: &[u8; TRAILER_BYTES]) -> Option<u64> {
    let rest = trailer.strip_prefix(TRAILER_MAGIC)?;
    let (_checksum, rest) = rest.split_first_chunk::<16>()?;
    let (offset, _) = rest.split_first_chunk::<8>()?;
    Some(u64::from_le_bytes(*offset))
}

/// How many sections a table of contents names; `None` where these are not the bytes of one.
fn section_count(head: [u8; CONTENTS_HEAD_BYTES]) -> Option<u32> {
    let (count, _) = head
        .strip_prefix(CONTENTS_MAGIC)?
        .split_first_chunk::<4>()?;
    Some(u32::from_le_bytes(*count))
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
