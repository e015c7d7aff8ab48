//! Groups: building one, and reading one back after its hash was checked.

use std::sync::Arc;

use crate::format::{
    ALIGNMENT_BYTES, GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, GroupHeader, Place,
    RECORD_BYTES_MAX, RECORD_FLAG_VERIFIED, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES,
    SegmentHeader, framed_bytes, group_hash,
};
use crate::{Fault, GroupHash, Mark};

/// Bytes in front of the payload: room for a segment header, so that it goes out in the same write, and for the group header.
const FRONT_BYTES: usize = SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES;

/// What a record says of itself beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing is known of it.
    Unverified,
    /// Its signature was checked before it was acknowledged.
    Verified,
}

impl Trust {
    fn flags(self) -> u32 {
        match self {
            Self::Unverified => 0,
            Self::Verified => RECORD_FLAG_VERIFIED,
        }
    }
}

/// A group in the making: records are framed straight into the bytes that will be written.
#[derive(Debug)]
pub struct GroupBuilder {
    bytes: Vec<u8>,
    first_sequence: u64,
    records: u32,
}

impl GroupBuilder {
    /// Begins a group whose first record gets `first_sequence`.
    #[must_use]
    pub fn new(first_sequence: u64) -> Self {
        Self::with_room_for(first_sequence, 0)
    }

    /// The same, with a buffer that need not grow before the payload is longer than that.
    pub(crate) fn with_room_for(first_sequence: u64, payload_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(FRONT_BYTES + payload_bytes);
        bytes.resize(FRONT_BYTES, 0);
        Self {
            bytes,
            first_sequence,
            records: 0,
        }
    }

    /// Bytes of the payload so far.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len() - FRONT_BYTES
    }

    /// How many records the group holds so far.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Sequence of the first record.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// Sequence that the next record gets. Where the numbers are used up it stays at the last one, and the group cannot be written.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.first_sequence.saturating_add(u64::from(self.records))
    }

    /// Adds a record.
    ///
    /// # Panics
    ///
    /// If the record is longer than [`RECORD_BYTES_MAX`] or does not fit the group: the caller has checked both.
    pub fn push(&mut self, record: &[u8], trust: Trust) {
        assert!(
            record.len() <= RECORD_BYTES_MAX,
            "a record is within its limit"
        );
        let end = self.bytes.len() + framed_bytes(record.len());
        assert!(
            end <= FRONT_BYTES + GROUP_PAYLOAD_BYTES_MAX,
            "a group is within its limit"
        );
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.bytes.reserve(end - self.bytes.len());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&trust.flags().to_le_bytes());
        self.bytes
            .extend_from_slice(&self.next_sequence().to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.bytes.resize(end, 0);
        self.records += 1;
    }

    /// Adds the records of another group behind those of this one, whatever their numbers were.
    ///
    /// # Panics
    ///
    /// If they do not fit the group: the caller has checked it.
    pub(crate) fn absorb(&mut self, other: &Self) {
        assert!(
            self.payload_bytes() + other.payload_bytes() <= GROUP_PAYLOAD_BYTES_MAX,
            "a group is within its limit"
        );
        let (from, first_sequence) = (self.bytes.len(), self.next_sequence());
        self.bytes.extend_from_slice(other.payload());
        self.records += other.records;
        self.renumber_from(from, first_sequence);
    }

    /// Numbers its records anew: they were framed before it was known where they go.
    pub(crate) fn renumber(&mut self, first_sequence: u64) {
        if self.first_sequence != first_sequence {
            self.first_sequence = first_sequence;
            self.renumber_from(FRONT_BYTES, first_sequence);
        }
    }

    fn renumber_from(&mut self, from: usize, first_sequence: u64) {
        let mut rest = self.bytes.get_mut(from..).unwrap_or_default();
        let mut sequence = first_sequence;
        while let Some((length, numbered)) = rest.split_first_chunk_mut::<4>() {
            let Some((_, numbered)) = numbered.split_first_chunk_mut::<4>() else {
                break;
            };
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((number, after)) = numbered.split_first_chunk_mut::<8>() else {
                break;
            };
            *number = sequence.to_le_bytes();
            sequence = sequence.saturating_add(1);
            rest = after
                .get_mut(framed_bytes(length) - RECORD_HEADER_BYTES..)
                .unwrap_or_default();
        }
    }

    fn payload(&self) -> &[u8] {
        self.bytes.get(FRONT_BYTES..).unwrap_or_default()
    }

    /// Completes the group for the place where it will lie.
    pub(crate) fn finish(mut self, fixed: GroupFields, place: Place) -> SealedGroup {
        let payload_bytes = u32::try_from(self.payload_bytes()).unwrap_or(u32::MAX);
        let mut header = GroupHeader {
            payload_bytes,
            number: fixed.number,
            first_sequence: self.first_sequence,
            records: self.records,
            flags: 0,
            durable_upto: fixed.durable_upto,
            arrived_at_ms: fixed.arrived_at_ms,
            previous: fixed.previous,
            hash: GroupHash::ZERO,
        };
        assert!(
            header.durable_upto < header.number,
            "a group never vouches for itself"
        );
        header.hash = group_hash(place, &header.encode(), self.payload());
        let encoded = header.encode();
        for (to, from) in self
            .bytes
            .iter_mut()
            .skip(SEGMENT_HEADER_BYTES)
            .zip(encoded)
        {
            *to = from;
        }
        SealedGroup {
            bytes: self.bytes,
            header,
            place,
        }
    }
}

/// What the log adds to the records of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupFields {
    pub(crate) number: u64,
    pub(crate) durable_upto: u64,
    pub(crate) arrived_at_ms: u64,
    pub(crate) previous: GroupHash,
}

/// A complete group with room for a segment header in front of it.
#[derive(Debug)]
pub(crate) struct SealedGroup {
    bytes: Vec<u8>,
    header: GroupHeader,
    place: Place,
}

impl SealedGroup {
    /// The group's bytes.
    pub(crate) fn group_bytes(&self) -> &[u8] {
        self.bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default()
    }

    /// Segment header and group in one piece, as they stand at the beginning of a segment.
    pub(crate) fn with_segment_header(&mut self, header: &SegmentHeader) -> &[u8] {
        for (to, from) in self.bytes.iter_mut().zip(header.encode()) {
            *to = from;
        }
        &self.bytes
    }

    pub(crate) fn header(&self) -> &GroupHeader {
        &self.header
    }

    /// The group as readers get it. They keep it for a while: room that it did not need is given back.
    pub(crate) fn into_group(mut self) -> Group {
        if self.bytes.capacity() / 2 > self.bytes.len() {
            self.bytes.shrink_to_fit();
        }
        Group {
            header: self.header,
            place: self.place,
            payload_start: FRONT_BYTES,
            bytes: Arc::new(self.bytes),
        }
    }
}

/// A group whose hash was checked.
#[derive(Clone, Debug)]
pub struct Group {
    header: GroupHeader,
    place: Place,
    payload_start: usize,
    bytes: Arc<Vec<u8>>,
}

impl Group {
    /// Checks the bytes of one whole group: hash, limits, framing.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that was found. Whether the group continues a chain is the caller's question.
    pub fn decode(bytes: &[u8], place: Place) -> Result<Self, Fault> {
        let header = check_group(bytes, place)?;
        let length = usize::try_from(header.group_bytes()).unwrap_or(usize::MAX);
        Ok(Self {
            header,
            place,
            payload_start: GROUP_HEADER_BYTES,
            bytes: Arc::new(bytes.get(..length).ok_or(Fault::Short)?.to_vec()),
        })
    }

    /// The group's header.
    #[must_use]
    pub fn header(&self) -> &GroupHeader {
        &self.header
    }

    /// Where the group lies.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Number of the group.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.header.number
    }

    /// When the group was built, in Unix milliseconds.
    #[must_use]
    pub fn arrived_at_ms(&self) -> u64 {
        self.header.arrived_at_ms
    }

    /// What stands for this group in a cursor; `None` for an empty group.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        mark_of(&self.header, self.place)
    }

    /// The records in order.
    pub fn records(&self) -> Records<'_> {
        Records {
            payload: self.bytes.get(self.payload_start..).unwrap_or_default(),
            sequence: self.header.first_sequence,
        }
    }
}

/// What stands for a group in a cursor; `None` for an empty group.
pub(crate) fn mark_of(header: &GroupHeader, place: Place) -> Option<Mark> {
    let last = u64::from(header.records).checked_sub(1)?;
    Some(Mark {
        journal: place.journal,
        sequence: header.first_sequence.checked_add(last)?,
        group: header.number,
        hash: header.hash,
    })
}

/// One record as the journal holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its sequence.
    pub sequence: u64,
    /// Whether its signature was checked before it was acknowledged.
    pub trust: Trust,
    /// Its bytes, which begin at a multiple of 16 in the file.
    pub bytes: &'a [u8],
}

/// Iterator over the records of a group whose framing was checked.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    payload: &'a [u8],
    sequence: u64,
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordRef<'a>;

    fn next(&mut self) -> Option<RecordRef<'a>> {
        let (record, rest) = split_record(self.payload, self.sequence)?;
        self.payload = rest;
        self.sequence += 1;
        Some(record)
    }
}

/// Takes the first record off a payload; `None` where it is not framed as it should be.
fn split_record(payload: &[u8], sequence: u64) -> Option<(RecordRef<'_>, &[u8])> {
    let (length, rest) = payload.split_first_chunk::<4>()?;
    let (flags, rest) = rest.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let trust = match u32::from_le_bytes(*flags) {
        0 => Trust::Unverified,
        RECORD_FLAG_VERIFIED => Trust::Verified,
        _ => return None,
    };
    if length > RECORD_BYTES_MAX || u64::from_le_bytes(*number) != sequence {
        return None;
    }
    let (bytes, rest) = rest.split_at_checked(length)?;
    let (padding, rest) =
        rest.split_at_checked(framed_bytes(length) - RECORD_HEADER_BYTES - length)?;
    let record = RecordRef {
        sequence,
        trust,
        bytes,
    };
    padding
        .iter()
        .all(|byte| *byte == 0)
        .then_some((record, rest))
}

/// Checks the group that begins at the first byte, and nothing about its place in the chain.
pub(crate) fn check_group(bytes: &[u8], place: Place) -> Result<GroupHeader, Fault> {
    let raw = bytes
        .first_chunk::<GROUP_HEADER_BYTES>()
        .ok_or(Fault::Short)?;
    let header = GroupHeader::read(raw).ok_or(Fault::NoGroup)?;
    let payload_bytes = check_limits(&header)?;
    let payload = bytes
        .get(GROUP_HEADER_BYTES..GROUP_HEADER_BYTES + payload_bytes)
        .ok_or(Fault::Short)?;
    if group_hash(place, raw, payload) != header.hash {
        return Err(Fault::Hash);
    }
    if header.flags != 0 || !is_framed(payload, &header) {
        return Err(Fault::Framing);
    }
    Ok(header)
}

/// Checks what a header says before anything is allocated for it; gives the payload's length.
pub(crate) fn check_limits(header: &GroupHeader) -> Result<usize, Fault> {
    let payload_bytes = usize::try_from(header.payload_bytes).unwrap_or(usize::MAX);
    let fits = payload_bytes <= GROUP_PAYLOAD_BYTES_MAX
        && payload_bytes.is_multiple_of(ALIGNMENT_BYTES)
        && header.next_sequence().is_some();
    if fits {
        Ok(payload_bytes)
    } else {
        Err(Fault::Length)
    }
}

fn is_framed(payload: &[u8], header: &GroupHeader) -> bool {
    let records = usize::try_from(header.records).unwrap_or(usize::MAX);
    let mut rest = payload;
    for sequence in (header.first_sequence..).take(records) {
        let Some((_, after)) = split_record(rest, sequence) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}
