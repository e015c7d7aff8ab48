//! Payloads: `[type: u8][7 zero bytes][rkyv bytes]`. Pure.

use rkyv::api::high::HighValidator;
use rkyv::api::serialize_using;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::{self, Strategy};
use rkyv::util::AlignedVec;
use rkyv::{Portable, Serialize};
use stemedb_core::{Assertion, Epoch, Invalid, Record, Vote};

use crate::RecordType;
use crate::apply::Outline;
use crate::archive::{
    ArchivedStoredAssertion, ArchivedStoredEpoch, ArchivedStoredVote, StoredAssertion, StoredEpoch,
    StoredVote,
};

/// Length of a payload's header in bytes; it keeps the archive behind it aligned.
pub const PAYLOAD_HEADER_BYTES: usize = 8;
/// Room that most payloads need, in bytes; an assertion without a text needs 288.
const PAYLOAD_BYTES_COMMON: usize = 448;
/// Alignment that an archive needs, in bytes.
const ARCHIVE_ALIGNMENT_BYTES: usize = 8;
const _: () = assert!(align_of::<ArchivedStoredAssertion<'_>>() <= ARCHIVE_ALIGNMENT_BYTES);
const _: () = assert!(align_of::<ArchivedStoredVote<'_>>() <= ARCHIVE_ALIGNMENT_BYTES);
const _: () = assert!(align_of::<ArchivedStoredEpoch<'_>>() <= ARCHIVE_ALIGNMENT_BYTES);

/// Why a record could not be serialized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerializeError {
    /// The record is over its limits.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The archive could not be written.
    #[error("the record cannot be archived")]
    Archive(#[source] rancor::Error),
}

/// Why bytes are no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecodable {
    /// Fewer bytes than a header has.
    #[error("{bytes} bytes are too few for a record")]
    Short {
        /// How many there are.
        bytes: usize,
    },
    /// A type that this version does not know.
    #[error("record type {0} is unknown: written by a newer version")]
    UnknownType(u8),
    /// A reserved byte is set.
    #[error("reserved byte {index} of the record is {value}: written by a newer version")]
    Reserved {
        /// Which byte of the payload.
        index: usize,
        /// What it holds.
        value: u8,
    },
    /// The archive is damaged, or no archive.
    #[error("the record's archive is damaged")]
    Archive,
    /// The archive is sound, and what it holds is no record.
    #[error("{0}")]
    Invalid(#[from] Invalid),
}

/// The payload of an assertion. Its signature is not checked: the worker does that, and puts a wrong one into quarantine.
///
/// # Errors
///
/// [`SerializeError::Invalid`] where the assertion is over the limit of a record
/// ([`CANONICAL_BYTES_MAX`](stemedb_core::limits::CANONICAL_BYTES_MAX)).
pub fn serialize_assertion(assertion: &Assertion) -> Result<Vec<u8>, SerializeError> {
    serialize(&Record::Assertion(assertion.clone()))
}

/// The payload of a vote.
///
/// # Errors
///
/// As [`serialize_assertion`].
pub fn serialize_vote(vote: &Vote) -> Result<Vec<u8>, SerializeError> {
    serialize(&Record::Vote(vote.clone()))
}

/// The payload of an epoch.
///
/// # Errors
///
/// As [`serialize_assertion`].
pub fn serialize_epoch(epoch: &Epoch) -> Result<Vec<u8>, SerializeError> {
    serialize(&Record::Epoch(epoch.clone()))
}

/// The payload of a record.
///
/// # Errors
///
/// As [`serialize_assertion`].
pub fn serialize(record: &Record) -> Result<Vec<u8>, SerializeError> {
    record.canonical_into(&mut Vec::new())?;
    serialize_checked(record)
}

/// The payload of a record whose limits were checked.
///
/// # Errors
///
/// [`SerializeError::Archive`].
pub fn serialize_checked(record: &Record) -> Result<Vec<u8>, SerializeError> {
    match record {
        Record::Assertion(assertion) => {
            write(RecordType::Assertion, &StoredAssertion::from(assertion))
        }
        Record::Vote(vote) => write(RecordType::Vote, &StoredVote::from(vote)),
        Record::Epoch(epoch) => write(RecordType::Epoch, &StoredEpoch::from(epoch)),
    }
}

fn write<T>(record_type: RecordType, stored: &T) -> Result<Vec<u8>, SerializeError>
where
    T: Serialize<Strategy<Vec<u8>, rancor::Error>>,
{
    // Places in the archive are counted from its beginning in this vector, so it may lie anywhere in memory.
    let mut payload = Vec::with_capacity(PAYLOAD_BYTES_COMMON);
    payload.extend_from_slice(&[record_type.to_byte(), 0, 0, 0, 0, 0, 0, 0]);
    serialize_using(stored, &mut payload).map_err(SerializeError::Archive)?;
    Ok(payload)
}

/// Reads a payload back: header, archive, the limits of each field. The size of the whole and the signature are not checked.
///
/// # Errors
///
/// [`Undecodable`]; no bytes make this panic.
pub fn deserialize(payload: &[u8]) -> Result<Record, Undecodable> {
    let Some((header, archive)) = payload.split_first_chunk::<PAYLOAD_HEADER_BYTES>() else {
        return Err(Undecodable::Short {
            bytes: payload.len(),
        });
    };
    let [first, reserved @ ..] = header;
    let record_type = RecordType::from_byte(*first).ok_or(Undecodable::UnknownType(*first))?;
    if let Some(index) = reserved.iter().position(|byte| *byte != 0) {
        return Err(Undecodable::Reserved {
            index: index + 1,
            value: reserved.get(index).copied().unwrap_or_default(),
        });
    }
    if archive.as_ptr().align_offset(ARCHIVE_ALIGNMENT_BYTES) == 0 {
        read(record_type, archive)
    } else {
        let mut aligned = AlignedVec::<16>::with_capacity(archive.len());
        aligned.extend_from_slice(archive);
        read(record_type, &aligned)
    }
}

/// The outline of a record that this process has serialized: the fields are within their limits, and only the archive is checked.
///
/// `None` where it cannot be told without a copy, or there is none: [`deserialize`] tells what it is.
pub(crate) fn outline(payload: &[u8]) -> Option<Outline<'_>> {
    let ([first, reserved @ ..], archive) = payload.split_first_chunk::<PAYLOAD_HEADER_BYTES>()?;
    let is_aligned = archive.as_ptr().align_offset(ARCHIVE_ALIGNMENT_BYTES) == 0;
    if !is_aligned || reserved.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(match RecordType::from_byte(*first)? {
        RecordType::Assertion => access::<ArchivedStoredAssertion<'_>>(archive)
            .ok()?
            .outline(),
        RecordType::Vote => access::<ArchivedStoredVote<'_>>(archive).ok()?.outline(),
        RecordType::Epoch => {
            access::<ArchivedStoredEpoch<'_>>(archive).ok()?;
            Outline::Epoch
        }
    })
}

fn read(record_type: RecordType, archive: &[u8]) -> Result<Record, Undecodable> {
    Ok(match record_type {
        RecordType::Assertion => {
            Record::Assertion(access::<ArchivedStoredAssertion<'_>>(archive)?.to_record()?)
        }
        RecordType::Vote => Record::Vote(access::<ArchivedStoredVote<'_>>(archive)?.to_record()?),
        RecordType::Epoch => {
            Record::Epoch(access::<ArchivedStoredEpoch<'_>>(archive)?.to_record()?)
        }
    })
}

fn access<T>(archive: &[u8]) -> Result<&T, Undecodable>
where
    T: Portable + for<'a> CheckBytes<HighValidator<'a, rancor::Failure>>,
{
    rkyv::access::<T, rancor::Failure>(archive).or(Err(Undecodable::Archive))
}
