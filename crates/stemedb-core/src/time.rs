//! Times as claimed, and the order of arrival.

use std::num::NonZeroU64;

use crate::{
    invalid::{Invalid, Reason},
    limits::TIMESTAMP_MS_MAX,
};

/// A time that a writer claims: Unix milliseconds, 0..=2^53-1.
///
/// It is never filled in by the database: the same input has to give the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Validates a number of milliseconds.
    ///
    /// # Errors
    ///
    /// Refuses more than [`TIMESTAMP_MS_MAX`].
    pub fn from_ms(ms: u64) -> Result<Self, Invalid> {
        if ms > TIMESTAMP_MS_MAX {
            return Err(Invalid::record(outside_range(&ms.to_string())).in_field("timestamp"));
        }
        Ok(Self(ms))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// The refusal of a time, given as the literal that stated it.
pub(crate) fn outside_range(literal: &str) -> Reason {
    Reason::OutsideRange {
        value: crate::invalid::excerpt(literal),
        range: "0..=9007199254740991 (Unix milliseconds)",
    }
}

/// The place of a record in the total order of a database: dense, from 1.
///
/// ```
/// use stemedb_core::Sequence;
///
/// assert_eq!(Sequence::FIRST.get(), 1);
/// assert_eq!(Sequence::FIRST.next(), Sequence::new(2));
/// assert_eq!(Sequence::new(0), None);
/// assert_eq!(Sequence::new(u64::MAX).and_then(Sequence::next), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(NonZeroU64);

impl Sequence {
    /// The sequence of the first record.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The sequence with this number; there is none with 0.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number, at least 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The sequence after this one, or none after the last that a `u64` holds.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for Sequence {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.get())
    }
}
