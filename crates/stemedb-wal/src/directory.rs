//! The journal's directory: which files are in it, and reading them whole.

use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::IoContext;
use crate::format::{
    SEGMENT_FILE_BYTES_MAX, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentHeaderFault,
    parse_segment_file_name, segment_file_name,
};
use crate::vfs::{OpenMode, Vfs, VfsFile, read_full_at};
use crate::{Corruption, Error, FORMAT_VERSION, Fault};

/// File in which the holder of the lock writes its process id, as information only.
pub(crate) const PID_FILE: &str = "pid";
/// The least that a disk cannot read.
const SECTOR_BYTES: u64 = 512;
const TORN_SUFFIX: &str = ".torn";

/// What a directory holds, by name alone.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Numbers of the segments, ascending.
    pub(crate) segments: Vec<u64>,
    /// Files of ours that an interrupted operation left behind.
    pub(crate) leftovers: Vec<String>,
    /// Names that are not the journal's.
    pub(crate) foreign: Vec<OsString>,
}

/// Path of segment `number`.
pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(segment_file_name(number))
}

/// Sorts the names in a directory into segments, leftovers and what is not ours.
pub(crate) fn list(vfs: &dyn Vfs, directory: &Path) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    for name in vfs.list(directory).context("list", directory)? {
        match name.to_str() {
            Some(text) if parse_segment_file_name(text).is_some() => {
                listing.segments.extend(parse_segment_file_name(text));
            }
            Some(text) if is_leftover(text) => listing.leftovers.push(text.to_owned()),
            Some(text) if text == PID_FILE || text.ends_with(TORN_SUFFIX) => {}
            _ => listing.foreign.push(name),
        }
    }
    listing.segments.sort_unstable();
    listing.leftovers.sort_unstable();
    listing.foreign.sort_unstable();
    Ok(listing)
}

/// Fails unless there is nothing in a directory that is to be filled.
pub(crate) fn check_empty(vfs: &dyn Vfs, directory: &Path) -> Result<(), Error> {
    let names = vfs.list(directory).context("list", directory)?;
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::NotEmpty {
        path: directory.to_owned(),
    })
}

fn is_leftover(name: &str) -> bool {
    let stem = name.strip_suffix(".tmp").unwrap_or_default();
    stem.starts_with("spare-") || stem.starts_with("recover-")
}

/// Fails unless the numbers are 1, 2, 3 and so on.
pub(crate) fn check_dense(directory: &Path, segments: &[u64]) -> Result<(), Error> {
    for (expected, number) in (1..).zip(segments) {
        if *number != expected {
            return Err(Error::Gap {
                path: directory.to_owned(),
                from: expected,
                to: number.saturating_sub(1),
            });
        }
    }
    Ok(())
}

/// A segment's file, opened, with its length checked against what a segment can be.
pub(crate) struct SegmentFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn VfsFile>,
    pub(crate) bytes: u64,
}

impl SegmentFile {
    pub(crate) fn open(vfs: &dyn Vfs, directory: &Path, number: u64) -> Result<Self, Error> {
        Self::open_path(vfs, segment_path(directory, number))
    }

    /// A segment under another name.
    pub(crate) fn open_path(vfs: &dyn Vfs, path: PathBuf) -> Result<Self, Error> {
        let file = vfs.open(&path, OpenMode::Read).context("open", &path)?;
        let bytes = file.length().context("look up the length of", &path)?;
        if bytes > SEGMENT_FILE_BYTES_MAX {
            return Err(corruption(&path, 0, Fault::Oversize).into());
        }
        Ok(Self { path, file, bytes })
    }

    /// Reads `length` bytes from `offset`, fewer where the file ends.
    ///
    /// A read that ends before the file does is done once more, and fails then: what recovery believes to be the end, it makes the end.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let wanted = length.min(self.bytes.saturating_sub(offset));
        let mut buffer = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
        for _ in 0..2 {
            let read = read_full_at(self.file.as_ref(), &mut buffer, offset)
                .context("read", &self.path)?;
            if read == buffer.len() {
                return Ok(buffer);
            }
            // A log that writes may have cut the zeros off since the file was opened.
            let bytes = self.file.length();
            let bytes = bytes.context("look up the length of", &self.path)?;
            let left = wanted.min(bytes.saturating_sub(offset));
            buffer.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let ended: io::Result<_> = Err(io::ErrorKind::UnexpectedEof.into());
        ended.context("read", &self.path)
    }

    /// Reads all of the file, around what the disk cannot read.
    pub(crate) fn read_around(&self) -> Result<Around, Error> {
        match self.read(0, self.bytes) {
            Ok(bytes) => Ok(Around {
                bytes,
                unreadable: Vec::new(),
            }),
            Err(error) if is_unreadable(&error) => self.read_in_pieces(),
            Err(error) => Err(error),
        }
    }

    /// Halves what cannot be read until it is a sector.
    fn read_in_pieces(&self) -> Result<Around, Error> {
        let mut around = Around {
            bytes: Vec::new(),
            unreadable: Vec::new(),
        };
        let mut pieces: Vec<Range<u64>> = std::iter::once(0..self.bytes).collect();
        while let Some(piece) = pieces.pop() {
            let length = piece.end - piece.start;
            match self.read(piece.start, length) {
                Ok(bytes) => around.bytes.extend(bytes),
                Err(error) if !is_unreadable(&error) => return Err(error),
                Err(_) if length > SECTOR_BYTES => {
                    let half = piece.start + (length / 2).next_multiple_of(SECTOR_BYTES);
                    pieces.push(half..piece.end);
                    pieces.push(piece.start..half);
                }
                Err(_) => around.skip(piece),
            }
        }
        Ok(around)
    }

    /// Reads the header; `None` where it is damaged, also when it is read once more.
    pub(crate) fn header(&self) -> Result<Option<SegmentHeader>, Error> {
        match self.read_header()? {
            None => self.read_header(),
            sound => Ok(sound),
        }
    }

    /// Reads the header; `None` also where the disk cannot read it.
    pub(crate) fn header_if_readable(&self) -> Result<Option<SegmentHeader>, Error> {
        match self.header() {
            Err(error) if is_unreadable(&error) => Ok(None),
            result => result,
        }
    }

    fn read_header(&self) -> Result<Option<SegmentHeader>, Error> {
        let bytes = self.read(0, SEGMENT_HEADER_BYTES as u64)?;
        let Some(raw) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
            return Ok(None);
        };
        match SegmentHeader::decode(raw) {
            Ok(header) => Ok(Some(header)),
            Err(SegmentHeaderFault::Damaged) => Ok(None),
            Err(SegmentHeaderFault::Version(found)) => Err(Error::UnsupportedVersion {
                path: self.path.clone(),
                found,
                supported: FORMAT_VERSION,
            }),
        }
    }
}

/// All of a file that can be read.
#[derive(Debug)]
pub(crate) struct Around {
    /// What cannot be read is filled with bytes that are no zeros, so that no group verifies there and no end is seen there.
    pub(crate) bytes: Vec<u8>,
    unreadable: Vec<Range<u64>>,
}

impl Around {
    fn skip(&mut self, piece: Range<u64>) {
        let end = usize::try_from(piece.end).unwrap_or(usize::MAX);
        self.bytes.resize(end, 0xff);
        self.unreadable.push(piece);
    }

    /// Whether any of these bytes could not be read.
    pub(crate) fn misses(&self, region: &Range<u64>) -> bool {
        let overlaps = |piece: &Range<u64>| piece.start < region.end && region.start < piece.end;
        self.unreadable.iter().any(overlaps)
    }
}

/// Whether bytes of a file could not be read; a file that ends too early, or cannot be opened, is another matter.
fn is_unreadable(error: &Error) -> bool {
    matches!(
        error,
        Error::Io {
            offset: Some(_),
            ..
        }
    )
}

/// A corruption of which no more than the place is known.
pub(crate) fn corruption(path: &Path, offset: u64, fault: Fault) -> Corruption {
    Corruption {
        path: path.to_owned(),
        offset,
        group: None,
        sequence: None,
        fault,
    }
}

/// A name for what recovery drops from a segment, not used before.
pub(crate) fn torn_path(vfs: &dyn Vfs, directory: &Path, number: u64) -> Result<PathBuf, Error> {
    let names = vfs.list(directory).context("list", directory)?;
    let free = (1_u64..).find_map(|attempt| {
        let name = format!("{number:016x}-{attempt}{TORN_SUFFIX}");
        (!names.iter().any(|taken| taken.to_str() == Some(&name))).then(|| directory.join(name))
    });
    Ok(free.unwrap_or_else(|| directory.join(format!("{number:016x}{TORN_SUFFIX}"))))
}
