//! Scanning the bytes of one segment: which groups continue the chain, and what is behind them. Pure.

use crate::format::{
    ALIGNMENT_BYTES, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader, Place, SEGMENT_HEADER_BYTES,
    SegmentHeader,
};
use crate::group::check_group;
use crate::{Fault, GroupHash, JournalId};

#[cfg(test)]
mod tests;

/// The end of the chain so far: what the next group must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainEnd {
    pub(crate) next_group: u64,
    pub(crate) next_sequence: u64,
    pub(crate) hash: GroupHash,
}

impl ChainEnd {
    /// Before the first group of a journal.
    pub(crate) const START: Self = Self {
        next_group: 1,
        next_sequence: 1,
        hash: GroupHash::ZERO,
    };

    /// What a segment header says came before the segment.
    pub(crate) fn before(header: &SegmentHeader) -> Self {
        Self {
            next_group: header.first_group,
            next_sequence: header.first_sequence,
            hash: header.previous_hash,
        }
    }

    /// The chain's end after a group, or nothing if the group does not continue it.
    pub(crate) fn extend(self, header: &GroupHeader) -> Option<Self> {
        let continues = header.number == self.next_group
            && header.first_sequence == self.next_sequence
            && header.previous == self.hash
            && header.durable_upto < header.number;
        if !continues {
            return None;
        }
        Some(Self {
            next_group: header.number.checked_add(1)?,
            next_sequence: header.next_sequence()?,
            hash: header.hash,
        })
    }
}

/// A group that was found sound, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) header: GroupHeader,
    pub(crate) place: Place,
}

impl Found {
    pub(crate) fn end(&self) -> u64 {
        self.place.offset + self.header.group_bytes()
    }
}

/// What is behind the last group that continues the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// The file ends there.
    Exact,
    /// Nothing but zeros.
    Zeros,
    /// Something else.
    Damaged(Fault),
}

/// Outcome of a scan.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) groups: Vec<Found>,
    pub(crate) chain: ChainEnd,
    /// Where the groups end, in bytes.
    pub(crate) end: u64,
    pub(crate) tail: Tail,
}

/// The segment whose bytes are scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) journal: JournalId,
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
}

impl Segment<'_> {
    pub(crate) fn place(&self, offset: usize) -> Place {
        Place {
            journal: self.journal,
            segment: self.number,
            offset: offset as u64,
        }
    }

    /// Follows the chain from the first group on, for as long as it holds.
    pub(crate) fn scan(&self, start: ChainEnd) -> Scan {
        let mut groups = Vec::new();
        let mut chain = start;
        let mut offset = SEGMENT_HEADER_BYTES;
        let tail = loop {
            let rest = self.bytes.get(offset..).unwrap_or_default();
            if rest.is_empty() {
                break Tail::Exact;
            }
            let checked = check_group(rest, self.place(offset))
                .and_then(|header| Ok((header, chain.extend(&header).ok_or(Fault::Chain)?)));
            match checked {
                Ok((header, next)) => {
                    let place = self.place(offset);
                    groups.push(Found { header, place });
                    chain = next;
                    offset += length(&header);
                }
                Err(_) if is_zero(rest) => break Tail::Zeros,
                Err(fault) => break Tail::Damaged(fault),
            }
        };
        Scan {
            groups,
            chain,
            end: offset as u64,
            tail,
        }
    }

    /// The first sound group at or behind `offset`, whatever chain it belongs to.
    ///
    /// Damage can hide where the next group begins, so every aligned offset is tried; the hash covers the offset, hence bytes within a
    /// payload that look like a group do not pass for one.
    pub(crate) fn next_sound(&self, offset: usize) -> Option<Found> {
        let mut at = offset.next_multiple_of(ALIGNMENT_BYTES);
        while let Some(rest) = self
            .bytes
            .get(at..)
            .filter(|r| r.len() >= GROUP_HEADER_BYTES)
        {
            if rest.starts_with(&GROUP_MAGIC)
                && let Ok(header) = check_group(rest, self.place(at))
            {
                let place = self.place(at);
                return Some(Found { header, place });
            }
            at += ALIGNMENT_BYTES;
        }
        None
    }

    /// The highest `durable_upto` of any sound group at or behind `offset`.
    pub(crate) fn proven_durable_behind(&self, offset: u64) -> Option<u64> {
        let mut at = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut proven = None;
        while let Some(found) = self.next_sound(at) {
            proven = proven.max(Some(found.header.durable_upto));
            at = usize::try_from(found.end()).unwrap_or(usize::MAX);
        }
        proven
    }
}

fn length(header: &GroupHeader) -> usize {
    usize::try_from(header.group_bytes()).unwrap_or(usize::MAX)
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| *chunk == [0; 16]) && rest.iter().all(|byte| *byte == 0)
}
