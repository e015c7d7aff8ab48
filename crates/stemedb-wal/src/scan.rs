//! Scanning the bytes of one segment: which groups continue the chain, and what is behind them. Pure.

use std::ops::Range;

use crate::format::{
    ALIGNMENT_BYTES, GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, GroupHeader, Place,
    RECORD_HEADER_BYTES, SEGMENT_FILE_BYTES_MAX, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::group::{check_group, check_limits};
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

    /// The first sound group that begins in a range, whatever chain it belongs to.
    ///
    /// Damage can hide where the next group begins, so every aligned offset is tried; the hash covers the offset, hence bytes within a
    /// payload that look like a group do not pass for one.
    fn next_sound(&self, range: Range<usize>, search: &mut Search) -> Option<Found> {
        let mut at = range.start.next_multiple_of(ALIGNMENT_BYTES);
        while at < range.end {
            let rest = self.bytes.get(at..)?;
            let raw = rest.first_chunk::<GROUP_HEADER_BYTES>()?;
            search.step();
            if let Some(header) = GroupHeader::read(raw)
                && search.may_check(&header, rest.len())
            {
                match self.sound_at(at) {
                    None => search.pay(&header),
                    found => return found,
                }
            }
            at += ALIGNMENT_BYTES;
        }
        None
    }

    fn sound_at(&self, offset: usize) -> Option<Found> {
        let place = self.place(offset);
        let header = check_group(self.bytes.get(offset..)?, place).ok()?;
        Some(Found { header, place })
    }

    /// The first sound group behind the damaged one at `offset`.
    ///
    /// Where the header of the damaged one can be read, it says where the next one begins and which hash that one gives. Whoever wrote
    /// the payload could not know this hash, so that nothing within leads astray, however much of it looks like groups.
    pub(crate) fn next_sound_behind(&self, offset: usize, search: &mut Search) -> Option<Found> {
        let damaged = self.header_at(offset);
        let next = damaged.and_then(|damaged| {
            let found = self.sound_at(offset.checked_add(length(&damaged))?)?;
            (found.header.previous == damaged.hash).then_some(found)
        });
        search.link = damaged.map(|damaged| damaged.hash);
        let found = next.or_else(|| self.next_sound(offset + ALIGNMENT_BYTES..usize::MAX, search));
        search.link = None;
        found
    }

    /// What the sound groups at or behind `offset` say is durable, where the group that continues `chain` is damaged.
    ///
    /// A header that continues the chain says what lies up to its end: itself, and nothing else if its hash is right. If it is not, then
    /// its length may be what is damaged, and swallow what follows: what whoever wrote the records has chosen lies there as well,
    /// and of that only a group that continues this very header can be one. Behind the last such header everything counts that may
    /// be a group.
    pub(crate) fn proven_durable_behind(&self, offset: u64, chain: ChainEnd) -> Proof {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let continued = self.follow_headers(offset, chain);
        let mut behind = Search {
            expected: Some(chain),
            ..Search::default()
        };
        let mut within = Search {
            passes_unlinked: true,
            ..behind.clone()
        };
        let mut upto = continued.durable_upto;
        upto = upto.max(self.durable_upto(continued.end..usize::MAX, &mut behind));
        for (range, hash) in continued.damaged {
            within.link = Some(hash);
            upto = upto.max(self.durable_upto(range, &mut within));
        }
        Proof {
            upto,
            gave_up: behind.gave_up || within.gave_up,
        }
    }

    /// Follows the headers that continue a chain, whether or not their groups are sound. None of them overlap, so each is hashed.
    fn follow_headers(&self, offset: usize, mut chain: ChainEnd) -> Continued {
        let mut continued = Continued {
            durable_upto: None,
            damaged: Vec::new(),
            end: offset,
        };
        while let Some(header) = self.header_at(continued.end)
            && check_limits(&header).is_ok()
            && let Some(next) = chain.extend(&header)
        {
            let start = continued.end;
            continued.end = start.saturating_add(length(&header));
            chain = next;
            if self.sound_at(start).is_some() {
                continued.durable_upto = continued.durable_upto.max(Some(header.durable_upto));
            } else {
                let swallowed = start + ALIGNMENT_BYTES..continued.end;
                continued.damaged.push((swallowed, header.hash));
            }
        }
        continued
    }

    fn header_at(&self, offset: usize) -> Option<GroupHeader> {
        let raw = self.bytes.get(offset..)?.first_chunk()?;
        GroupHeader::read(raw)
    }

    /// The highest `durable_upto` of the sound groups that begin in a range.
    fn durable_upto(&self, mut range: Range<usize>, search: &mut Search) -> Option<u64> {
        let mut upto = None;
        while let Some(found) = self.next_sound(range.clone(), search) {
            upto = upto.max(Some(found.header.durable_upto));
            search.link = Some(found.header.hash);
            range.start = usize::try_from(found.end()).unwrap_or(usize::MAX);
        }
        upto
    }
}

/// The headers that continue a chain behind its first damaged group, that one's included.
#[derive(Debug)]
struct Continued {
    /// The highest `durable_upto` of those whose groups are sound.
    durable_upto: Option<u64>,
    /// What the others may have swallowed, and their hashes.
    damaged: Vec<(Range<usize>, GroupHash)>,
    /// Where the last one ends.
    end: usize,
}

/// What is known to have been durable, behind damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The highest `durable_upto` of a sound group.
    upto: Option<u64>,
    /// Something that looks like a group was not looked at.
    gave_up: bool,
}

impl Proof {
    /// Whether a group was acknowledged, or it cannot be excluded.
    pub(crate) fn says_durable(&self, group: u64) -> bool {
        self.gave_up || self.upto.is_some_and(|upto| upto >= group)
    }
}

/// Bounds what a search behind damage costs.
///
/// A payload can be made of nothing but bytes that look like group headers, each of a group as long as can be. To hash them all would
/// take hours, so each search may hash a fixed number of bytes in vain, and some more for each step that it makes. What it cannot pay
/// for it passes over, and says so.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    allowance_bytes: u64,
    /// What is left for groups that continue the one before them: no payload can have spent it.
    reserve_bytes: u64,
    /// Hash of the damaged group, where its header gives one, or of the one that was found last.
    link: Option<GroupHash>,
    /// Nothing but a group that continues the damaged one is missed, if it cannot be paid for.
    passes_unlinked: bool,
    /// What the damaged group should continue, where that is known: it bounds the numbers of those behind it.
    expected: Option<ChainEnd>,
    gave_up: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            allowance_bytes: Self::VAIN_BYTES,
            reserve_bytes: Self::VAIN_BYTES,
            link: None,
            passes_unlinked: false,
            expected: None,
            gave_up: false,
        }
    }
}

impl Search {
    /// Bytes that may be hashed in vain anyhow: several groups of the greatest length.
    const VAIN_BYTES: u64 = 8 * GROUP_PAYLOAD_BYTES_MAX as u64;
    /// Further bytes for each one that is passed.
    const VAIN_BYTES_PER_BYTE: u64 = 8;

    fn step(&mut self) {
        let more = Self::VAIN_BYTES_PER_BYTE * ALIGNMENT_BYTES as u64;
        self.allowance_bytes = self.allowance_bytes.saturating_add(more);
    }

    /// Whether a group can be there by its header, and its hash can be paid for.
    fn may_check(&mut self, header: &GroupHeader, rest_bytes: usize) -> bool {
        let is_possible = check_limits(header).is_ok()
            && header.flags == 0
            && header.durable_upto < header.number
            && header.group_bytes() <= rest_bytes as u64
            && self.is_near(header);
        let can_pay = header.group_bytes() <= *self.purse(header);
        let is_missed = !self.passes_unlinked || self.is_linked(header);
        self.gave_up |= is_possible && !can_pay && is_missed;
        is_possible && can_pay
    }

    /// Whether as many groups and records as the numbers say fit between the damaged group and this one.
    fn is_near(&self, header: &GroupHeader) -> bool {
        let fit = |from: u64, to: u64, bytes: usize| {
            to.checked_sub(from)
                .is_some_and(|between| between <= SEGMENT_FILE_BYTES_MAX / bytes as u64)
        };
        self.expected.is_none_or(|chain| {
            fit(chain.next_group, header.number, GROUP_HEADER_BYTES)
                && fit(
                    chain.next_sequence,
                    header.first_sequence,
                    RECORD_HEADER_BYTES,
                )
        })
    }

    fn is_linked(&self, header: &GroupHeader) -> bool {
        self.link == Some(header.previous)
    }

    fn pay(&mut self, header: &GroupHeader) {
        let purse = self.purse(header);
        *purse = purse.saturating_sub(header.group_bytes());
    }

    fn purse(&mut self, header: &GroupHeader) -> &mut u64 {
        if self.is_linked(header) {
            &mut self.reserve_bytes
        } else {
            &mut self.allowance_bytes
        }
    }
}

fn length(header: &GroupHeader) -> usize {
    usize::try_from(header.group_bytes()).unwrap_or(usize::MAX)
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| *chunk == [0; 16]) && rest.iter().all(|byte| *byte == 0)
}
