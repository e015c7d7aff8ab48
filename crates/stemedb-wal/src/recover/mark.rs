//! Comparing a mark with the journal.

use std::path::Path;

use super::Recovered;
use crate::directory::{SegmentFile, corruption};
use crate::group::mark_of;
use crate::scan::{ChainEnd, Segment};
use crate::vfs::Vfs;
use crate::{Error, Fault, Mark};

/// Fails unless the journal holds the group that `mark` names, by number and by hash.
pub(crate) fn check_mark(
    vfs: &dyn Vfs,
    directory: &Path,
    recovered: &Recovered,
    mark: &Mark,
) -> Result<(), Error> {
    if mark.journal != recovered.journal {
        return Err(Error::foreign_id(
            mark.group,
            mark.journal,
            recovered.journal,
        ));
    }
    if recovered.head == Some(*mark) {
        return Ok(());
    }
    let ahead = || Error::StoreAheadOfJournal {
        store: mark.sequence,
        group: mark.group,
        journal: recovered.head.map_or(0, |head| head.sequence),
    };
    if recovered.head.is_none_or(|head| mark.group > head.group) {
        return Err(ahead());
    }
    let info = recovered
        .segments
        .iter()
        .rev()
        .find(|info| info.first_group <= mark.group);
    let number = info.ok_or_else(ahead)?.number;
    let file = SegmentFile::open(vfs, directory, number)?;
    let bytes = file.read(0, file.bytes)?;
    let header = file
        .header()?
        .ok_or_else(|| corruption(&file.path, 0, Fault::SegmentHeader))?;
    let segment = Segment {
        journal: recovered.journal,
        number,
        bytes: &bytes,
    };
    let scan = segment.scan(ChainEnd::before(&header));
    let found = scan
        .groups
        .iter()
        .find(|found| found.header.number == mark.group);
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
