//! The envelope round every stored value: sequence, arrival time, checksum, content.
//!
//! The checksum is xxh3-64 over the key and everything in the envelope but itself. It is verified at
//! every read, because not every engine does so, and because a value under a foreign key is damage too.

use std::mem;

use stemedb_core::Sequence;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::{
    error::{Corruption, Damage, Result},
    key,
};

const SEQUENCE_AT: usize = 0;
const ARRIVED_AT: usize = SEQUENCE_AT + 8;
const CHECKSUM_AT: usize = ARRIVED_AT + 8;
const CONTENT_AT: usize = CHECKSUM_AT + 8;

/// Bytes of key and envelope up to which they are put together to be hashed: parts cost twice as much.
const JOINED_BYTES_MAX: usize = 1024;

/// Bytes that an envelope adds to its content.
pub const ENVELOPE_BYTES: usize = CONTENT_AT;

/// A stored value, its checksum verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The journal record from which this value came.
    pub sequence: Sequence,
    /// When that record arrived, by the journal's clock: Unix milliseconds.
    pub arrived_at_ms: u64,
    /// The content; what it means, the key says.
    pub content: Vec<u8>,
}

/// Puts `content` into an envelope for `key`.
///
/// A sequence of 0 stands for "no record": only an engine's notes on itself carry it.
pub(crate) fn seal(key: &[u8], sequence: u64, arrived_at_ms: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = key.to_vec();
    seal_behind(&mut bytes, 0, (sequence, arrived_at_ms), content);
    bytes.split_off(key.len())
}

/// Puts `content` into an envelope for the key that stands at the end of `bytes`, from `key_at` on, and the envelope behind it.
pub(crate) fn seal_behind(
    bytes: &mut Vec<u8>,
    key_at: usize,
    (sequence, arrived_at_ms): (u64, u64),
    content: &[u8],
) {
    let envelope_at = bytes.len();
    bytes.reserve(CONTENT_AT.saturating_add(content.len()));
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&arrived_at_ms.to_le_bytes());
    // What the checksum is over stands in one piece as long as it is not there itself.
    bytes.extend_from_slice(content);
    let checksum = xxh3_64(bytes.get(key_at..).unwrap_or_default()).to_le_bytes();
    bytes.extend_from_slice(&checksum);
    let behind = bytes.get_mut(envelope_at.saturating_add(CHECKSUM_AT)..);
    behind.unwrap_or_default().rotate_right(checksum.len());
}

/// Takes the value of `key` out of its envelope.
pub(crate) fn open(engine: &'static str, key: &[u8], envelope: &[u8]) -> Result<Value> {
    Ok(Value {
        sequence: sequence(engine, key, envelope)?,
        arrived_at_ms: number(envelope, ARRIVED_AT).unwrap_or_default(),
        content: content(envelope).to_vec(),
    })
}

/// Takes the sequence of the value of `key` out of its envelope.
pub(crate) fn sequence(engine: &'static str, key: &[u8], envelope: &[u8]) -> Result<Sequence> {
    let sequence = verify(engine, key, envelope)?;
    Ok(Sequence::new(sequence).ok_or_else(|| corruption(engine, key, Damage::SequenceZero))?)
}

/// Takes a note that an engine keeps on itself out of its envelope.
pub(crate) fn open_note(engine: &'static str, key: &[u8], envelope: &[u8]) -> Result<Vec<u8>> {
    verify(engine, key, envelope)?;
    Ok(content(envelope).to_vec())
}

/// The content of an envelope that was verified.
fn content(envelope: &[u8]) -> &[u8] {
    envelope.get(CONTENT_AT..).unwrap_or_default()
}

/// Checks the envelope and returns its sequence.
pub(crate) fn verify(engine: &'static str, key: &[u8], envelope: &[u8]) -> Result<u64> {
    let (Some(head), Some(stored), Some(sequence), Some(content)) = (
        envelope.get(..CHECKSUM_AT),
        number(envelope, CHECKSUM_AT),
        number(envelope, SEQUENCE_AT),
        envelope.get(CONTENT_AT..),
    ) else {
        let damage = Damage::Length {
            expected: CONTENT_AT,
            found: envelope.len(),
        };
        return Err(corruption(engine, key, damage).into());
    };
    let computed = checksum(key, head, content);
    if computed != stored {
        let damage = Damage::Checksum {
            expected: stored,
            found: computed,
        };
        return Err(corruption(engine, key, damage).into());
    }
    Ok(sequence)
}

fn checksum(key: &[u8], head: &[u8], content: &[u8]) -> u64 {
    let parts = [key, head, content];
    let mut room = [0; JOINED_BYTES_MAX];
    if let Some(joined) = join(&mut room, parts) {
        return xxh3_64(joined);
    }
    let mut hasher = Xxh3Default::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.digest()
}

/// The parts one after the other, if there is room for them.
fn join<'a>(room: &'a mut [u8], parts: [&[u8]; 3]) -> Option<&'a [u8]> {
    let length = parts.iter().map(|part| part.len()).sum();
    let joined = room.get_mut(..length)?;
    let mut free = &mut *joined;
    for part in parts {
        let (place, rest) = mem::take(&mut free).split_at_mut_checked(part.len())?;
        place.copy_from_slice(part);
        free = rest;
    }
    Some(joined)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_le_bytes)
}

fn corruption(engine: &'static str, key: &[u8], damage: Damage) -> Corruption {
    Corruption {
        engine,
        key: Some(key::text(key)),
        damage,
    }
}

#[cfg(test)]
mod tests;
