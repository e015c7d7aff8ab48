//! Which tables and blobs a version names: the rest of what lies beside them is left over from a crash or a full disk, and fjall deletes
//! it unread.
//!
//! ```text
//! tables      levels u8, of each: runs u8, of each: tables u32, of each: id u64, kind of checksum u8, xxh3-128, sequence u64
//! blob_files  files u32, of each: id u64, kind of checksum u8, xxh3-128
//! ```

use std::collections::BTreeSet;

use super::archive::{Bytes, section};

/// Name of the section that lists the tables.
const TABLES: &[u8] = b"tables";
/// Name of the section that lists the files of blobs.
const BLOBS: &[u8] = b"blob_files";

/// What a version names, by ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) tables: BTreeSet<u64>,
    pub(super) blobs: BTreeSet<u64>,
}

/// What the bytes of a `v{n}` name; `None` where these are not the bytes of one.
pub(super) fn named(version: &[u8]) -> Option<Named> {
    Some(Named {
        tables: tables(section(version, TABLES)?)?,
        blobs: blobs(section(version, BLOBS)?)?,
    })
}

fn tables(section: &[u8]) -> Option<BTreeSet<u64>> {
    let mut section = Bytes(section);
    let mut tables = BTreeSet::new();
    for _ in 0..section.u8()? {
        for _ in 0..section.u8()? {
            for _ in 0..section.u32()? {
                tables.insert(file(&mut section)?);
                let _sequence = section.u64()?;
            }
        }
    }
    Some(tables)
}

fn blobs(section: &[u8]) -> Option<BTreeSet<u64>> {
    let mut section = Bytes(section);
    let mut blobs = BTreeSet::new();
    for _ in 0..section.u32()? {
        blobs.insert(file(&mut section)?);
    }
    Some(blobs)
}

/// The id of a file, which its checksum follows.
fn file(section: &mut Bytes<'_>) -> Option<u64> {
    let id = section.u64()?;
    let _checksum: [u8; 1 + 16] = section.take()?;
    Some(id)
}
