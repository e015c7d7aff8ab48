//! Whether bytes are a segment up to a certain group. Pure.

use std::path::Path;

use super::Extent;
use crate::directory::corruption;
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::scan::{ChainEnd, Scan, Segment, Tail};
use crate::{Corruption, Fault, GroupHash, JournalId};

/// What must lie before a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) hash: GroupHash,
    pub(crate) last_sequence: u64,
}

impl Before {
    /// What must lie before a segment, by the segments in front of it.
    pub(crate) fn of(segments: &[Extent], number: u64) -> Self {
        let before = segments.iter().rev().find(|extent| extent.number < number);
        before.map_or(Self::START, |extent| Self {
            hash: extent.end_hash,
            last_sequence: extent.last_sequence,
        })
    }

    /// Before the first segment.
    pub(crate) const START: Self = Self {
        hash: GroupHash::ZERO,
        last_sequence: 0,
    };
}

/// A segment that is to be verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) journal: JournalId,
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
    /// The file, as errors name it.
    pub(crate) path: &'a Path,
}

impl Candidate<'_> {
    /// Follows the chain through all of the bytes; they must end at a group.
    pub(crate) fn scan(&self, before: Before) -> Result<Scan, Corruption> {
        let header = self.bytes.first_chunk::<SEGMENT_HEADER_BYTES>();
        let header = header.and_then(|raw| SegmentHeader::decode(raw).ok());
        let header = header.ok_or_else(|| corruption(self.path, 0, Fault::SegmentHeader))?;
        let is_it = header.journal == self.journal
            && header.number == self.number
            && header.previous_hash == before.hash
            && header.first_sequence.checked_sub(1) == Some(before.last_sequence);
        if !is_it {
            return Err(corruption(self.path, 0, Fault::SegmentIdentity));
        }
        let segment = Segment {
            journal: self.journal,
            number: self.number,
            bytes: self.bytes,
        };
        let scan = segment.scan(ChainEnd::before(&header));
        match scan.tail {
            Tail::Exact => Ok(scan),
            Tail::Zeros => Err(self.damaged(&scan, Fault::NoGroup)),
            Tail::Damaged(fault) => Err(self.damaged(&scan, fault)),
        }
    }

    /// The same, and they must be all that the extent names.
    pub(crate) fn check(&self, extent: &Extent, before: Before) -> Result<Scan, Corruption> {
        let scan = self.scan(before)?;
        let fault = if scan.end < extent.bytes {
            Fault::Short
        } else if scan.end > extent.bytes {
            Fault::Trailing
        } else if scan.chain.hash != extent.end_hash
            || scan.chain.next_sequence.checked_sub(1) != Some(extent.last_sequence)
        {
            Fault::Chain
        } else {
            return Ok(scan);
        };
        Err(self.damaged(&scan, fault))
    }

    fn damaged(&self, scan: &Scan, fault: Fault) -> Corruption {
        Corruption {
            path: self.path.to_owned(),
            offset: scan.end,
            group: Some(scan.chain.next_group),
            sequence: Some(scan.chain.next_sequence),
            fault,
        }
    }
}

/// Whether a group ends at an offset with that hash.
pub(crate) fn passes(scan: &Scan, offset: u64, hash: GroupHash) -> bool {
    let mut groups = scan.groups.iter();
    groups.any(|found| found.end() == offset && found.header.hash == hash)
}
