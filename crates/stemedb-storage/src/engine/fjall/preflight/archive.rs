//! Archives: where the sections of one are, by its table of contents.
//!
//! ```text
//! archive   sections, table of contents, trailer
//! contents  "TOC!", number of sections u32, of each: offset u64, length u64, length of the name u16, name
//! trailer   "SFA!", version u8 (1), kind of checksum u8 (0), xxh3-128 of the contents, their offset u64, their length u64
//! ```

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::open;

const TRAILER_BYTES: usize = 4 + 1 + 1 + 16 + 8 + 8;
const TRAILER_MAGIC: &[u8] = b"SFA!\x01\x00";
const CONTENTS_MAGIC: &[u8] = b"TOC!";
const HEAD_BYTES: usize = 4 + 4;
/// Offset, length, and the length of the name.
const SECTION_BYTES_MIN: u64 = 8 + 8 + 2;
/// Bytes of a table of contents at most: fjall writes a dozen sections with short names.
const CONTENTS_BYTES_MAX: u64 = 64 * 1024;

/// Where a section is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    offset: u64,
    length: u64,
}

/// An archive in a file.
pub(super) struct Archive {
    file: File,
    length: u64,
    /// What its table of contents begins with and where; absent where fjall would not take it for one, and refuse it.
    contents: Option<(u64, [u8; HEAD_BYTES])>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let contents = read_head(&mut file, length)?;
        Ok(Self {
            file,
            length,
            contents,
        })
    }

    /// Whether its bytes can name as many sections as it says. What else may be wrong with it, fjall finds itself.
    pub(super) fn is_sound(&self) -> bool {
        let sections = self.contents.and_then(|(_, head)| section_count(head));
        u64::from(sections.unwrap_or(0)).saturating_mul(SECTION_BYTES_MIN) <= self.length
    }

    /// Where a section is; `None` where the table of contents does not name it, or is none.
    pub(super) fn section(&mut self, wanted: &[u8]) -> io::Result<Option<Section>> {
        let end = self.length.saturating_sub(TRAILER_BYTES as u64);
        let Some((offset, _)) = self.contents else {
            return Ok(None);
        };
        let length = end.saturating_sub(offset);
        if length > CONTENTS_BYTES_MAX {
            return Ok(None);
        }
        let contents = self.read(Section { offset, length })?;
        Ok(contents.and_then(|contents| find(&contents, wanted)))
    }

    /// The bytes of a section; `None` where it leads out of the archive.
    pub(super) fn read(&mut self, section: Section) -> io::Result<Option<Vec<u8>>> {
        let end = section.offset.checked_add(section.length);
        let length = usize::try_from(section.length).ok();
        let (Some(length), true) = (length, end.is_some_and(|end| end <= self.length)) else {
            return Ok(None);
        };
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(section.offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// The bytes of a section of an archive that is in memory.
pub(super) fn section<'a>(archive: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (rest, trailer) = archive.split_last_chunk()?;
    let contents = usize::try_from(contents_offset(trailer)?).ok()?;
    let section = find(rest.get(contents..)?, wanted)?;
    let offset = usize::try_from(section.offset).ok()?;
    let length = usize::try_from(section.length).ok()?;
    archive.get(offset..)?.get(..length)
}

fn read_head(file: &mut File, length: u64) -> io::Result<Option<(u64, [u8; HEAD_BYTES])>> {
    let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else {
        return Ok(None);
    };
    let mut trailer = [0; TRAILER_BYTES];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut trailer)?;
    let mut head = [0; HEAD_BYTES];
    let is_inside = |offset: &u64| offset.saturating_add(head.len() as u64) <= end;
    let Some(offset) = contents_offset(&trailer).filter(is_inside) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut head)?;
    Ok(Some((offset, head)))
}

/// Offset of the table of contents; `None` where these are not the bytes of a trailer.
fn contents_offset(trailer: &[u8; TRAILER_BYTES]) -> Option<u64> {
    let mut rest = Bytes(trailer.strip_prefix(TRAILER_MAGIC)?);
    let _checksum: [u8; 16] = rest.take()?;
    rest.u64()
}

/// How many sections a table of contents names; `None` where these are not the bytes of one.
fn section_count(head: [u8; HEAD_BYTES]) -> Option<u32> {
    Bytes(head.strip_prefix(CONTENTS_MAGIC)?).u32()
}

fn find(contents: &[u8], wanted: &[u8]) -> Option<Section> {
    let mut contents = Bytes(contents);
    for _ in 0..section_count(contents.take()?)? {
        let offset = contents.u64()?;
        let length = contents.u64()?;
        let name_length = u16::from_le_bytes(contents.take()?);
        if contents.slice(usize::from(name_length))? == wanted {
            return Some(Section { offset, length });
        }
    }
    None
}

/// What is still to be read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
