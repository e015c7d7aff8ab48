//! Bytes that an engine gives or gets.

use std::{
    cmp::Ordering,
    fmt::{self, Debug, Formatter},
    ops::{Deref, Range},
    sync::Arc,
};

use super::fjall;

/// Bytes of a key or an envelope: those of an engine, where it lends them, a part of a larger piece, or bytes of their own.
#[derive(Clone)]
pub struct Bytes(Holder);

#[derive(Clone)]
enum Holder {
    Copied(Vec<u8>),
    /// A part of a block or of a memtable, which stays in memory as long as this does.
    Lent(fjall::Slice),
    /// A part of a piece, which stays in memory as long as this does.
    Part {
        whole: Arc<Vec<u8>>,
        start: usize,
        end: usize,
    },
}

impl Bytes {
    /// A part of a piece of memory.
    pub(crate) const fn part(whole: Arc<Vec<u8>>, Range { start, end }: Range<usize>) -> Self {
        Self(Holder::Part { whole, start, end })
    }

    /// The bytes as a vector, copied unless they are their own.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Holder::Copied(bytes) => bytes,
            Holder::Lent(bytes) => bytes.to_vec(),
            Holder::Part { whole, start, end } => {
                whole.get(start..end).unwrap_or_default().to_vec()
            }
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Holder::Copied(bytes) => bytes,
            Holder::Lent(bytes) => bytes,
            Holder::Part { whole, start, end } => whole.get(*start..*end).unwrap_or_default(),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Holder::Copied(bytes))
    }
}

impl From<fjall::Slice> for Bytes {
    fn from(bytes: fjall::Slice) -> Self {
        Self(Holder::Lent(bytes))
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self[..].cmp(&other[..])
    }
}

impl Debug for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}
