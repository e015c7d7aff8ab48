//! Comparing a mark with the journal: does it name a group that is there?

use std::path::Path;

use crate::directory::{SegmentFile, corruption};
use crate::group::mark_of;
use crate::scan::{ChainEnd, Segment};
use crate::vfs::Vfs;
use crate::{Error, Fault, JournalId, Mark, SegmentInfo};

/// What a mark is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent<'a> {
    pub(crate) journal: JournalId,
    pub(crate) head: Option<Mark>,
    pub(crate) segments: &'a [SegmentInfo],
}

/// Fails unless the journal holds the group that `mark` names, by number and by hash; what does not is read once more.
pub(crate) fn check_mark(
    vfs: &dyn Vfs,
    directory: &Path,
    extent: Extent<'_>,
    mark: &Mark,
) -> Result<(), Error> {
    match check_once(vfs, directory, extent, mark) {
        Err(Error::Corruption(_) | Error::ForeignStore { .. }) => {
            check_once(vfs, directory, extent, mark)
        }
        result => result,
    }
}

fn check_once(
    vfs: &dyn Vfs,
    directory: &Path,
    extent: Extent<'_>,
    mark: &Mark,
) -> Result<(), Error> {
    if mark.journal != extent.journal {
        return Err(Error::foreign_id(mark.group, mark.journal, extent.journal));
    }
    if extent.head == Some(*mark) {
        return Ok(());
    }
    let ahead = || Error::StoreAheadOfJournal {
        store: mark.sequence,
        group: mark.group,
        journal: extent.head.map_or(0, |head| head.sequence),
    };
    if extent.head.is_none_or(|head| mark.group > head.group) {
        return Err(ahead());
    }
    let holds = |info: &&SegmentInfo| info.first_group <= mark.group;
    let info = extent.segments.iter().rev().find(holds);
    let number = info.ok_or_else(ahead)?.number;
    let file = SegmentFile::open(vfs, directory, number)?;
    let header = file.header()?;
    let header = header.ok_or_else(|| corruption(&file.path, 0, Fault::SegmentHeader))?;
    let bytes = file.read(0, file.bytes)?;
    let segment = Segment {
        journal: extent.journal,
        number,
        bytes: &bytes,
    };
    let scan = segment.scan(ChainEnd::before(&header));
    let mut groups = scan.groups.iter();
    let found = groups.find(|found| found.header.number == mark.group);
    let found = found.ok_or_else(|| corruption(&file.path, scan.end, Fault::Chain))?;
    if mark_of(&found.header, found.place) == Some(*mark) {
        Ok(())
    } else {
        Err(Error::foreign_hash(
            mark.group,
            mark.hash,
            found.header.hash,
        ))
    }
}
