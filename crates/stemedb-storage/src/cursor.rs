//! How far an engine has applied the journal, and what it has counted on the way.

use stemedb_core::Sequence;

/// The last journal group with records that is applied.
///
/// It names the group by its hash, so that it is comparable with a journal: a cursor that the journal
/// does not hold means another journal, or one that lost its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The journal's random id.
    pub journal: [u8; 16],
    /// The last record that is applied.
    pub sequence: Sequence,
    /// Number of the group that holds it.
    pub group: u64,
    /// Hash of that group.
    pub group_hash: [u8; 32],
}

/// Cursor of one engine of a store, as the engine has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineCursor {
    /// The engine.
    pub engine: &'static str,
    /// Its cursor, or `None` if it has applied nothing.
    pub cursor: Option<Cursor>,
}

/// Running counts of what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Assertions.
    pub assertions: u64,
    /// Votes.
    pub votes: u64,
    /// Epochs.
    pub epochs: u64,
    /// Records that could not be applied.
    pub quarantined: u64,
    /// Records that were there before.
    pub duplicates: u64,
}

const CURSOR_BYTES: usize = 16 + 8 + 8 + 32;
const COUNTS_BYTES: usize = 5 * 8;

impl Cursor {
    pub(crate) fn encode(&self) -> [u8; CURSOR_BYTES] {
        let mut bytes = [0; CURSOR_BYTES];
        let fields: [&[u8]; 4] = [
            &self.journal,
            &self.sequence.get().to_le_bytes(),
            &self.group.to_le_bytes(),
            &self.group_hash,
        ];
        for (to, from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (journal, bytes) = bytes.split_first_chunk()?;
        let (sequence, bytes) = bytes.split_first_chunk()?;
        let (group, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            journal: *journal,
            sequence: Sequence::new(u64::from_le_bytes(*sequence))?,
            group: u64::from_le_bytes(*group),
            group_hash: bytes.try_into().ok()?,
        })
    }
}

impl Counts {
    pub(crate) fn encode(&self) -> [u8; COUNTS_BYTES] {
        let mut bytes = [0; COUNTS_BYTES];
        let numbers = [
            self.assertions,
            self.votes,
            self.epochs,
            self.quarantined,
            self.duplicates,
        ];
        for (to, from) in bytes.chunks_exact_mut(8).zip(numbers) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; COUNTS_BYTES] = bytes.try_into().ok()?;
        let mut numbers = bytes
            .chunks_exact(8)
            .filter_map(|chunk| chunk.try_into().ok().map(u64::from_le_bytes));
        Some(Self {
            assertions: numbers.next()?,
            votes: numbers.next()?,
            epochs: numbers.next()?,
            quarantined: numbers.next()?,
            duplicates: numbers.next()?,
        })
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            assertions: self.assertions.saturating_add(other.assertions),
            votes: self.votes.saturating_add(other.votes),
            epochs: self.epochs.saturating_add(other.epochs),
            quarantined: self.quarantined.saturating_add(other.quarantined),
            duplicates: self.duplicates.saturating_add(other.duplicates),
        }
    }
}

/// Returns the sequence of a cursor, 0 where there is none.
pub(crate) fn reached(cursor: Option<&Cursor>) -> u64 {
    cursor.map_or(0, |cursor| cursor.sequence.get())
}
