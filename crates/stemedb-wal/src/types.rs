//! Small types that name things: the journal, a hash, a place in the chain.

use std::fmt;
use std::str::FromStr;

/// Identity of a journal: 16 random bytes, chosen when it is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub [u8; 16]);

/// BLAKE3-256 hash of a group; the hash of the last group commits to the whole history before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupHash(pub [u8; 32]);

impl GroupHash {
    /// What stands for the predecessor of the first group.
    pub const ZERO: Self = Self([0; 32]);
}

/// A point in the journal that can be compared with it later: a group with records, its last sequence and its hash.
///
/// It is what a store keeps as its cursor, and what the head of a journal is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The journal.
    pub journal: JournalId,
    /// Sequence of the group's last record.
    pub sequence: u64,
    /// Number of the group.
    pub group: u64,
    /// Hash of the group.
    pub hash: GroupHash,
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalId({self})")
    }
}

impl fmt::Display for GroupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for GroupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupHash({self})")
    }
}

/// Text that is not the lower-case hex of as many bytes as are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0} lower-case hex digits")]
pub struct NotHex(usize);

impl FromStr for JournalId {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        parse_hex(text).map(Self)
    }
}

impl FromStr for GroupHash {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        parse_hex(text).map(Self)
    }
}

fn parse_hex<const BYTES: usize>(text: &str) -> Result<[u8; BYTES], NotHex> {
    let digit = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; BYTES];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != BYTES || !rest.is_empty() {
        return Err(NotHex(2 * BYTES));
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let value = digit(high)
            .zip(digit(low))
            .map(|(high, low)| high << 4 | low);
        *byte = value.ok_or(NotHex(2 * BYTES))?;
    }
    Ok(bytes)
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
