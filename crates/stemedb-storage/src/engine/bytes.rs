//! Bytes that a reader gives.

use std::{
    fmt::{self, Debug, Formatter},
    ops::Deref,
};

use super::fjall;

/// Bytes that were read from an engine: its own, where it lends them, else a copy.
#[derive(Clone)]
pub struct Bytes(Holder);

#[derive(Clone)]
enum Holder {
    Copied(Vec<u8>),
    /// A part of a block or of a memtable, which stays in memory as long as this does.
    Lent(fjall::Slice),
}

impl Bytes {
    /// The bytes as a vector, copied only if the engine lends them.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Holder::Copied(bytes) => bytes,
            Holder::Lent(bytes) => bytes.to_vec(),
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Holder::Copied(bytes) => bytes,
            Holder::Lent(bytes) => bytes,
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

impl Debug for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}
