//! The bytes of a journal on disk: constants, headers and the hash chain.
//!
//! Everything here is pure. Integers are little-endian. `docs/FORMAT.md` says the same in prose; the golden test holds both to it.
//!
//! ```text
//! segment  = segment header (128 bytes), group*, zeros while it is open
//! group    = group header (112 bytes), payload
//! payload  = record*
//! record   = length u32, flags u32, sequence u64, bytes, zeros up to the next multiple of 16
//! ```

use crate::{GroupHash, JournalId};

#[cfg(test)]
mod tests;

/// Version of the format that this crate writes, and the only one that it reads.
pub const FORMAT_VERSION: u32 = 1;
/// First bytes of every segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"STEMEWAL";
/// First bytes of every group.
pub const GROUP_MAGIC: [u8; 4] = *b"SGRP";

/// Every group, and the bytes of every record, begin at a multiple of this many bytes.
pub const ALIGNMENT_BYTES: usize = 16;
/// Length of a segment header in bytes.
pub const SEGMENT_HEADER_BYTES: usize = 128;
/// Length of a group header in bytes.
pub const GROUP_HEADER_BYTES: usize = 112;
/// Length of a record header in bytes.
pub const RECORD_HEADER_BYTES: usize = 16;
/// Longest record in bytes.
pub const RECORD_BYTES_MAX: usize = 4 << 20;
/// Longest payload of a group in bytes, record headers and padding included.
pub const GROUP_PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Size of the first segment in bytes; each further one is twice as large, up to [`SEGMENT_BYTES_MAX`].
pub const SEGMENT_BYTES_MIN: u64 = 1 << 20;
/// Largest size to which a segment is zero-filled, in bytes; a larger group gets a segment of its own.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// Longest file that can be a segment, in bytes; checked before anything is allocated for it.
pub const SEGMENT_FILE_BYTES_MAX: u64 = SEGMENT_BYTES_MAX + (1 << 20);

/// The record's signature was checked before it was acknowledged.
pub const RECORD_FLAG_VERIFIED: u32 = 1;

// Segment header: offsets as a chain.
const S_MAGIC: usize = 0;
const S_VERSION: usize = S_MAGIC + 8;
const S_RESERVED: usize = S_VERSION + 4;
const S_JOURNAL: usize = S_RESERVED + 4;
const S_NUMBER: usize = S_JOURNAL + 16;
const S_FIRST_GROUP: usize = S_NUMBER + 8;
const S_FIRST_SEQUENCE: usize = S_FIRST_GROUP + 8;
const S_PREVIOUS_OFFSET: usize = S_FIRST_SEQUENCE + 8;
const S_PREVIOUS_HASH: usize = S_PREVIOUS_OFFSET + 8;
const S_HASH: usize = S_PREVIOUS_HASH + 32;
const _: () = assert!(S_HASH + 32 == SEGMENT_HEADER_BYTES);

// Group header: offsets as a chain.
const G_MAGIC: usize = 0;
const G_PAYLOAD_BYTES: usize = G_MAGIC + 4;
const G_NUMBER: usize = G_PAYLOAD_BYTES + 4;
const G_FIRST_SEQUENCE: usize = G_NUMBER + 8;
const G_RECORDS: usize = G_FIRST_SEQUENCE + 8;
const G_FLAGS: usize = G_RECORDS + 4;
const G_DURABLE_UPTO: usize = G_FLAGS + 4;
const G_ARRIVED_AT: usize = G_DURABLE_UPTO + 8;
const G_PREVIOUS: usize = G_ARRIVED_AT + 8;
const G_HASH: usize = G_PREVIOUS + 32;
const _: () = assert!(G_HASH + 32 == GROUP_HEADER_BYTES);

const _: () = assert!(SEGMENT_HEADER_BYTES.is_multiple_of(ALIGNMENT_BYTES));
const _: () = assert!(GROUP_HEADER_BYTES.is_multiple_of(ALIGNMENT_BYTES));
const _: () = assert!(RECORD_HEADER_BYTES.is_multiple_of(ALIGNMENT_BYTES));
const _: () = assert!(RECORD_BYTES_MAX + RECORD_HEADER_BYTES <= GROUP_PAYLOAD_BYTES_MAX);
const _: () = assert!(GROUP_PAYLOAD_BYTES_MAX as u64 + 4096 <= SEGMENT_BYTES_MAX);

/// First bytes of a segment: who it is and what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The journal that the segment belongs to.
    pub journal: JournalId,
    /// Number of the segment, from 1, dense.
    pub number: u64,
    /// Number of its first group.
    pub first_group: u64,
    /// Sequence of the first record that it can hold.
    pub first_sequence: u64,
    /// Offset of the last group of the segment before it, 0 in the first segment.
    pub previous_offset: u64,
    /// Hash of the last group of the segment before it, zeros in the first segment.
    pub previous_hash: GroupHash,
}

/// Why bytes are no segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentHeaderFault {
    /// The magic or the checksum does not match.
    Damaged,
    /// Written by a newer version of the format.
    Version(u32),
}

impl SegmentHeader {
    /// Encodes the header, own hash included.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[S_MAGIC..S_VERSION].copy_from_slice(&SEGMENT_MAGIC);
        bytes[S_VERSION..S_RESERVED].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[S_JOURNAL..S_NUMBER].copy_from_slice(&self.journal.0);
        bytes[S_NUMBER..S_FIRST_GROUP].copy_from_slice(&self.number.to_le_bytes());
        bytes[S_FIRST_GROUP..S_FIRST_SEQUENCE].copy_from_slice(&self.first_group.to_le_bytes());
        bytes[S_FIRST_SEQUENCE..S_PREVIOUS_OFFSET]
            .copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[S_PREVIOUS_OFFSET..S_PREVIOUS_HASH]
            .copy_from_slice(&self.previous_offset.to_le_bytes());
        bytes[S_PREVIOUS_HASH..S_HASH].copy_from_slice(&self.previous_hash.0);
        let hash = blake3::hash(&bytes[..S_HASH]);
        bytes[S_HASH..].copy_from_slice(hash.as_bytes());
        bytes
    }

    /// Decodes and checks a header.
    ///
    /// # Errors
    ///
    /// [`SegmentHeaderFault::Version`] where magic and checksum are right and the version is newer than ours,
    /// [`SegmentHeaderFault::Damaged`] for anything else that is not what [`encode`](Self::encode) wrote. Every version keeps magic,
    /// version and checksum where they are, so that a flipped bit does not pass for a newer version.
    pub fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, SegmentHeaderFault> {
        if bytes[S_MAGIC..S_VERSION] != SEGMENT_MAGIC {
            return Err(SegmentHeaderFault::Damaged);
        }
        let version = u32_at(bytes, S_VERSION);
        let hash = blake3::hash(&bytes[..S_HASH]);
        if version > FORMAT_VERSION && bytes[S_HASH..] == *hash.as_bytes() {
            return Err(SegmentHeaderFault::Version(version));
        }
        let header = Self {
            journal: JournalId(array_at(bytes, S_JOURNAL)),
            number: u64_at(bytes, S_NUMBER),
            first_group: u64_at(bytes, S_FIRST_GROUP),
            first_sequence: u64_at(bytes, S_FIRST_SEQUENCE),
            previous_offset: u64_at(bytes, S_PREVIOUS_OFFSET),
            previous_hash: GroupHash(array_at(bytes, S_PREVIOUS_HASH)),
        };
        if header.encode() == *bytes {
            Ok(header)
        } else {
            Err(SegmentHeaderFault::Damaged)
        }
    }
}

/// First bytes of a group: the unit of write, fsync and atomicity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHeader {
    /// Length of the payload in bytes.
    pub payload_bytes: u32,
    /// Number of the group, from 1, dense, empty groups included.
    pub number: u64,
    /// Sequence of its first record; in an empty group the one that comes next.
    pub first_sequence: u64,
    /// How many records it holds.
    pub records: u32,
    /// Reserved, zero.
    pub flags: u32,
    /// The highest group whose fsync had finished when this header was built.
    pub durable_upto: u64,
    /// When the group was built, in Unix milliseconds.
    pub arrived_at_ms: u64,
    /// Hash of the group before it.
    pub previous: GroupHash,
    /// Hash of this group.
    pub hash: GroupHash,
}

impl GroupHeader {
    /// Encodes the header as it is, hash included.
    #[must_use]
    pub fn encode(&self) -> [u8; GROUP_HEADER_BYTES] {
        let mut bytes = [0; GROUP_HEADER_BYTES];
        bytes[G_MAGIC..G_PAYLOAD_BYTES].copy_from_slice(&GROUP_MAGIC);
        bytes[G_PAYLOAD_BYTES..G_NUMBER].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[G_NUMBER..G_FIRST_SEQUENCE].copy_from_slice(&self.number.to_le_bytes());
        bytes[G_FIRST_SEQUENCE..G_RECORDS].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[G_RECORDS..G_FLAGS].copy_from_slice(&self.records.to_le_bytes());
        bytes[G_FLAGS..G_DURABLE_UPTO].copy_from_slice(&self.flags.to_le_bytes());
        bytes[G_DURABLE_UPTO..G_ARRIVED_AT].copy_from_slice(&self.durable_upto.to_le_bytes());
        bytes[G_ARRIVED_AT..G_PREVIOUS].copy_from_slice(&self.arrived_at_ms.to_le_bytes());
        bytes[G_PREVIOUS..G_HASH].copy_from_slice(&self.previous.0);
        bytes[G_HASH..].copy_from_slice(&self.hash.0);
        bytes
    }

    /// Reads the fields of a header; `None` where the magic is wrong.
    ///
    /// Nothing but the magic is checked: only the hash over header and payload proves a group.
    #[must_use]
    pub fn read(bytes: &[u8; GROUP_HEADER_BYTES]) -> Option<Self> {
        if bytes[G_MAGIC..G_PAYLOAD_BYTES] != GROUP_MAGIC {
            return None;
        }
        Some(Self {
            payload_bytes: u32_at(bytes, G_PAYLOAD_BYTES),
            number: u64_at(bytes, G_NUMBER),
            first_sequence: u64_at(bytes, G_FIRST_SEQUENCE),
            records: u32_at(bytes, G_RECORDS),
            flags: u32_at(bytes, G_FLAGS),
            durable_upto: u64_at(bytes, G_DURABLE_UPTO),
            arrived_at_ms: u64_at(bytes, G_ARRIVED_AT),
            previous: GroupHash(array_at(bytes, G_PREVIOUS)),
            hash: GroupHash(array_at(bytes, G_HASH)),
        })
    }

    /// Length of the whole group in bytes.
    #[must_use]
    pub fn group_bytes(&self) -> u64 {
        GROUP_HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }

    /// Sequence that the record after this group gets; `None` where it would not fit a `u64`.
    #[must_use]
    pub fn next_sequence(&self) -> Option<u64> {
        self.first_sequence.checked_add(u64::from(self.records))
    }
}

/// Where a group lies; a part of what its hash covers, so that a copied or moved group never verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The journal.
    pub journal: JournalId,
    /// Number of the segment.
    pub segment: u64,
    /// Offset of the group header in the segment's file, in bytes.
    pub offset: u64,
}

/// Hash of a group: BLAKE3-256 over journal id, segment number, offset, header without its own hash, and payload.
#[must_use]
pub fn group_hash(place: Place, header: &[u8; GROUP_HEADER_BYTES], payload: &[u8]) -> GroupHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&place.journal.0);
    hasher.update(&place.segment.to_le_bytes());
    hasher.update(&place.offset.to_le_bytes());
    hasher.update(&header[..G_HASH]);
    hasher.update(payload);
    GroupHash(*hasher.finalize().as_bytes())
}

/// Bytes that a record of `length` bytes takes in a payload, header and padding included.
#[must_use]
pub const fn framed_bytes(length: usize) -> usize {
    RECORD_HEADER_BYTES + length.next_multiple_of(ALIGNMENT_BYTES)
}

/// Size in bytes to which segment `number` is zero-filled before it is used.
#[must_use]
pub fn segment_capacity_bytes(number: u64, capacity_bytes_max: u64) -> u64 {
    let doublings = number.saturating_sub(1).min(6);
    (SEGMENT_BYTES_MIN << doublings).min(capacity_bytes_max)
}

/// Name of the file of segment `number`.
#[must_use]
pub fn segment_file_name(number: u64) -> String {
    format!("{number:016x}.wal")
}

/// Number of the segment that a file name stands for, `None` for any other name. Segments are numbered from 1.
#[must_use]
pub fn parse_segment_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (number > 0 && segment_file_name(number) == name).then_some(number)
}

fn array_at<const LENGTH: usize, const N: usize>(bytes: &[u8; LENGTH], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes.iter().skip(offset)) {
        *to = *from;
    }
    out
}

fn u32_at<const LENGTH: usize>(bytes: &[u8; LENGTH], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, offset))
}

fn u64_at<const LENGTH: usize>(bytes: &[u8; LENGTH], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, offset))
}
