//! Values as fjall keeps them: large ones are compressed, where that makes them smaller.
//!
//! fjall would compress what it keeps apart from its tables by itself. But it allocates by a length that no checksum covers, so that one
//! flipped bit asks for gigabytes. Here the length is under fjall's checksums like the rest, and compared with what the bytes can stand
//! for before anything is allocated.
//!
//! ```text
//! packed    length of the value + 2^63 as u64 LE, the value as one block of lz4
//! plain     the value as it is
//! ```
//!
//! Values are envelopes, which begin with a sequence: none is so high that it looks like the length of a packed value. A value that
//! begins like one all the same is packed, whatever its length, so that there are no two ways to read the bytes.

use std::borrow::Cow;

use lz4_flex::block::{self, CompressTable};

/// Marks the length of a packed value.
const MARK: u64 = 1 << 63;
const LENGTH_BYTES: usize = 8;

/// Shorter values stay as they are: most of them are index entries, which hold a hash and nothing that gets smaller.
const VALUE_BYTES_MIN: usize = 128;

/// A byte of lz4 stands for at most so many.
const RATIO_MAX: usize = 255;

/// Packs one value after the other in the same memory.
#[derive(Default)]
pub(super) struct Packer {
    table: CompressTable,
    room: Vec<u8>,
}

/// The bytes are not those of a value.
#[derive(Debug, thiserror::Error)]
#[error("a compressed value is damaged")]
pub(super) struct Damaged;

impl Packer {
    /// The value as it is to be kept.
    pub(super) fn pack<'a>(&'a mut self, value: &'a [u8]) -> &'a [u8] {
        let is_ambiguous = packed_length(value).is_some();
        if value.len() < VALUE_BYTES_MIN && !is_ambiguous {
            return value;
        }
        match self.compress(value) {
            Some(packed) if packed.len() < value.len() || is_ambiguous => packed,
            _ => value,
        }
    }

    fn compress(&mut self, value: &[u8]) -> Option<&[u8]> {
        let length = u64::try_from(value.len()).ok()? | MARK;
        let room = LENGTH_BYTES.checked_add(block::get_maximum_output_size(value.len()))?;
        if self.room.len() < room {
            self.room.resize(room, 0);
        }
        let (head, rest) = self.room.split_first_chunk_mut::<LENGTH_BYTES>()?;
        *head = length.to_le_bytes();
        let compressed = block::compress_into_with_table(value, rest, &mut self.table).ok()?;
        self.room.get(..LENGTH_BYTES.checked_add(compressed)?)
    }
}

/// The value that is kept as these bytes.
pub(super) fn unpack(kept: &[u8]) -> Result<Cow<'_, [u8]>, Damaged> {
    let Some(length) = packed_length(kept) else {
        return Ok(Cow::Borrowed(kept));
    };
    let compressed = kept.get(LENGTH_BYTES..).unwrap_or_default();
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= compressed.len().saturating_mul(RATIO_MAX));
    let mut value = vec![0; length.ok_or(Damaged)?];
    match block::decompress_into(compressed, &mut value) {
        Ok(written) if written == value.len() => Ok(Cow::Owned(value)),
        _ => Err(Damaged),
    }
}

/// The length at the beginning of a packed value; `None` if it is plain.
fn packed_length(kept: &[u8]) -> Option<u64> {
    let head = u64::from_le_bytes(*kept.first_chunk()?);
    (head & MARK != 0).then_some(head & !MARK)
}

#[cfg(test)]
mod tests;
