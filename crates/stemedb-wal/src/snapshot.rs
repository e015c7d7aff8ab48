//! A snapshot: the journal as it stands, as a journal of its own in another directory, while the original is written to.

use std::io;
use std::path::Path;

use crate::directory::{SegmentFile, check_empty, corruption, segment_path};
use crate::error::IoContext;
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::journal::JournalState;
use crate::recover::write_new;
use crate::scan::{ChainEnd, Segment, Tail};
use crate::{Corruption, Error, Fault, JournalId, Mark, Options, SegmentInfo};

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotReport {
    /// Identity of the journal: that of the original.
    pub journal: JournalId,
    /// The last group with records in it; `None` where there are no records.
    pub head: Option<Mark>,
    /// How many segments share their file with the original.
    pub linked: u64,
    /// How many segments were copied.
    pub copied: u64,
}

/// Makes a snapshot of the journal in `directory`, which may be open and written to: `state` is how far it was durable.
// Durability:
// 1. Sealed segments were synced, length included, before a group of the one behind them was: their files are given a second name.
//    The last one is copied aside up to its last durable group, synced and renamed, since what follows is still being written.
// 2. They get their names from the last to the second, and the directory is synced: after a crash a journal whose first segment is
//    missing is a gap, so that no part of a snapshot passes for a shorter journal.
// 3. The first one gets its name, and the directory is synced.
pub(crate) fn snapshot(
    options: &Options,
    directory: &Path,
    state: &JournalState,
    destination: &Path,
) -> Result<SnapshotReport, Error> {
    let options = Options {
        create: true,
        ..options.clone()
    };
    let vfs = options.vfs.clone();
    let _lock = options.clone().lock(destination)?;
    check_empty(vfs.as_ref(), destination)?;
    let mut snapshot = Snapshot {
        options: &options,
        directory,
        destination,
        report: SnapshotReport {
            journal: state.journal,
            head: state.head,
            linked: 0,
            copied: 0,
        },
    };
    if let Some((last, sealed)) = state.segments.split_last() {
        snapshot.copy(last)?;
        for segment in sealed.iter().rev() {
            if segment.number == 1 {
                snapshot.sync()?;
            }
            snapshot.link_or_copy(segment)?;
        }
    }
    snapshot.sync()?;
    Ok(snapshot.report)
}

struct Snapshot<'a> {
    options: &'a Options,
    directory: &'a Path,
    destination: &'a Path,
    report: SnapshotReport,
}

impl Snapshot<'_> {
    fn sync(&self) -> Result<(), Error> {
        let synced = self.options.vfs.sync_directory(self.destination);
        synced.context("sync", self.destination)
    }

    /// A sealed segment. Nobody writes to it any more: recovery, which may make it the last one again, copies a file with two names.
    fn link_or_copy(&mut self, segment: &SegmentInfo) -> Result<(), Error> {
        let vfs = self.options.vfs.as_ref();
        let file = SegmentFile::open(vfs, self.directory, segment.number)?;
        if file.bytes != end_of(segment) {
            return self.copy(segment);
        }
        let path = segment_path(self.destination, segment.number);
        match vfs.link(&file.path, &path) {
            Ok(()) => {
                self.report.linked += 1;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(error).context("link", &path)
            }
            // Another file system, one without links, or a file of somebody else's.
            Err(_) => self.copy(segment),
        }
    }

    /// Copies the groups of a segment; each is verified.
    fn copy(&mut self, segment: &SegmentInfo) -> Result<(), Error> {
        let bytes = match self.read_sound(segment) {
            Err(Error::Corruption(_)) => self.read_sound(segment)?,
            read => read?,
        };
        let vfs = self.options.vfs.as_ref();
        let aside = self
            .destination
            .join(format!("spare-{:016x}.tmp", segment.number));
        write_new(vfs, &aside, &bytes)?;
        let path = segment_path(self.destination, segment.number);
        vfs.rename(&aside, &path).context("rename", &aside)?;
        self.report.copied += 1;
        Ok(())
    }

    fn read_sound(&self, segment: &SegmentInfo) -> Result<Vec<u8>, Error> {
        let vfs = self.options.vfs.as_ref();
        let file = SegmentFile::open(vfs, self.directory, segment.number)?;
        let bytes = file.read(0, end_of(segment))?;
        let header = bytes.first_chunk::<SEGMENT_HEADER_BYTES>();
        let header = header.and_then(|raw| SegmentHeader::decode(raw).ok());
        let header = header.ok_or_else(|| corruption(&file.path, 0, Fault::SegmentHeader))?;
        let scan = Segment {
            journal: self.report.journal,
            number: segment.number,
            bytes: &bytes,
        }
        .scan(ChainEnd::before(&header));
        let fault = match scan.tail {
            Tail::Exact if scan.end == end_of(segment) => return Ok(bytes),
            Tail::Exact => Fault::Short,
            Tail::Zeros => Fault::NoGroup,
            Tail::Damaged(fault) => fault,
        };
        Err(Corruption {
            path: file.path,
            offset: scan.end,
            group: Some(scan.chain.next_group),
            sequence: Some(scan.chain.next_sequence),
            fault,
        }
        .into())
    }
}

/// Where the groups of a segment end, in bytes.
fn end_of(segment: &SegmentInfo) -> u64 {
    SEGMENT_HEADER_BYTES as u64 + segment.group_bytes
}
