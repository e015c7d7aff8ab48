//! The first byte of a payload.

use stemedb_core::Record;

/// What kind of record a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordType {
    /// An assertion.
    Assertion = 0,
    /// A vote.
    Vote = 1,
    /// An epoch.
    Epoch = 2,
}

impl RecordType {
    /// The type of a record.
    #[must_use]
    pub const fn of(record: &Record) -> Self {
        match record {
            Record::Assertion(_) => Self::Assertion,
            Record::Vote(_) => Self::Vote,
            Record::Epoch(_) => Self::Epoch,
        }
    }

    /// The type that a byte stands for; `None` for a byte that no version so far has written.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Assertion),
            1 => Some(Self::Vote),
            2 => Some(Self::Epoch),
            _ => None,
        }
    }

    /// The byte that stands for the type.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Assertion => 0,
            Self::Vote => 1,
            Self::Epoch => 2,
        }
    }
}
