//! Which tables a version names: the rest of what lies beside them is left over from a crash or a full disk, and fjall deletes it unread.
//!
//! ```text
//! section   offset u64, length u64, length of the name u16, name
//! tables    levels u8, of each: runs u8, of each: tables u32, of each: id u64, kind of checksum u8, xxh3-128, sequence u64
//! ```

use std::collections::BTreeSet;

use super::{CONTENTS_HEAD_BYTES, TRAILER_BYTES, contents_offset, section_count};

/// Name of the section that lists the tables.
const TABLES: &[u8] = b"tables";

/// The ids of the tables that the bytes of a `v{n}` name; `None` where these are not the bytes of one.
pub(super) fn tables(bytes: &[u8]) -> Option<BTreeSet<u64>> {
    let mut section = Bytes(section(bytes, TABLES)?);
    let mut tables = BTreeSet::new();
    for _ in 0..section.u8()? {
        for _ in 0..section.u8()? {
            for _ in 0..section.u32()? {
                tables.insert(section.u64()?);
                let _checksum: [u8; 1 + 16] = section.take()?;
                let _sequence = section.u64()?;
            }
        }
    }
    Some(tables)
}

/// The bytes of a section of an archive.
fn section<'a>(bytes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (rest, trailer) = bytes.split_last_chunk::<TRAILER_BYTES>()?;
    let contents = usize::try_from(contents_offset(trailer)?).ok()?;
    let mut contents = Bytes(rest.get(contents..)?);
    let head: [u8; CONTENTS_HEAD_BYTES] = contents.take()?;
    for _ in 0..section_count(head)? {
        let offset = usize::try_from(contents.u64()?).ok()?;
        let length = usize::try_from(contents.u64()?).ok()?;
        let name_length = u16::from_le_bytes(contents.take()?);
        let name = contents.slice(usize::from(name_length))?;
        if name == wanted {
            return bytes.get(offset..)?.get(..length);
        }
    }
    None
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
