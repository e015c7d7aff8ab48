//! Bytes looked at eight at a time.
//!
//! A mark is a word in which the highest bit of a byte says that this byte is one that is looked for.
//! Marks behind the first one may be wrong, because a subtraction borrows from the byte above.

#[cfg(test)]
mod tests;

const BYTES: usize = size_of::<u64>();
const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// Marks the bytes that are `byte`.
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ repeat(byte);
    difference.wrapping_sub(LOWEST) & !difference & HIGHEST
}

/// Marks the bytes that are less than `limit`, which is 128 at most.
pub(crate) const fn less(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(repeat(limit)) & !word & HIGHEST
}

/// Where the first byte stands that `mark` marks. It must not mark a space, with which a lone word is filled up.
#[inline]
pub(crate) fn find(bytes: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<BYTES>();
    for (word, index) in words.iter().zip(0..) {
        if let Some(place) = first(mark(u64::from_le_bytes(*word))) {
            return Some(index * BYTES + place);
        }
    }
    if rest.is_empty() {
        return None;
    }
    if let Some(last) = bytes.last_chunk() {
        // What it has in common with the word before is known to be unmarked.
        return first(mark(u64::from_le_bytes(*last))).map(|place| bytes.len() - BYTES + place);
    }
    let mut only = [b' '; BYTES];
    for (to, from) in only.iter_mut().zip(rest) {
        *to = *from;
    }
    first(mark(u64::from_le_bytes(only)))
}

const fn repeat(byte: u8) -> u64 {
    LOWEST.wrapping_mul(byte as u64)
}

fn first(marks: u64) -> Option<usize> {
    (marks != 0).then(|| (marks.trailing_zeros() / u8::BITS) as usize)
}
