//! From records to a batch. Pure: what is stored already is an argument.

use stemedb_core::{Record, RecordId, Sequence};
use stemedb_storage::{Batch, Cursor, Entry, Key, Origin, Sealer};

use crate::RecordType;
use crate::arrival::Arrivals;
use crate::quarantine::Quarantined;

/// Entries of a record at most.
const ENTRIES_MAX: usize = 2;
/// Bytes of keys and of index entries that most records need besides their payload.
const KEYS_BYTES_COMMON: usize = 160;

/// What the entries of a record are made of, besides its id and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outline<'a> {
    /// An assertion.
    Assertion {
        /// Its subject.
        subject: &'a str,
        /// Its predicate.
        predicate: &'a str,
    },
    /// A vote.
    Vote {
        /// The assertion that it is about.
        assertion: RecordId,
    },
    /// An epoch.
    Epoch,
}

impl<'a> Outline<'a> {
    /// The outline of a record.
    #[must_use]
    pub fn of(record: &'a Record) -> Self {
        match record {
            Record::Assertion(assertion) => Self::Assertion {
                subject: assertion.subject.as_str(),
                predicate: assertion.predicate.as_str(),
            },
            Record::Vote(vote) => Self::Vote {
                assertion: vote.assertion,
            },
            Record::Epoch(_) => Self::Epoch,
        }
    }

    /// What type of record it is of.
    #[must_use]
    pub const fn record_type(self) -> RecordType {
        match self {
            Self::Assertion { .. } => RecordType::Assertion,
            Self::Vote { .. } => RecordType::Vote,
            Self::Epoch => RecordType::Epoch,
        }
    }
}

/// A record of the journal after everything about it was checked.
#[derive(Debug)]
pub struct Checked<'a> {
    /// Where it comes from.
    pub origin: Origin,
    /// Its bytes, as the journal holds them.
    pub payload: &'a [u8],
    /// What it is, or why it can't be applied.
    pub outcome: Result<(RecordId, Outline<'a>), &'a str>,
    /// The sequence under which its id is stored already, or will be once everything before its batch is applied.
    pub stored: Option<Sequence>,
}

/// The key under which a record is found by its id.
#[must_use]
pub fn identity_key(id: RecordId, record_type: RecordType) -> Key {
    match record_type {
        RecordType::Assertion => Key::Assertion(id),
        RecordType::Vote => Key::VoteIndex(id),
        RecordType::Epoch => Key::Epoch(id),
    }
}

/// Consecutive records with their entries, sealed as if each were new. They need nothing of those before them, so that chunks can be made
/// side by side.
#[derive(Debug, Default)]
pub struct Chunk {
    records: Vec<Sealed>,
    sealer: Sealer,
    bytes: u64,
}

/// A record whose entries are sealed.
#[derive(Clone, Copy, Debug)]
struct Sealed {
    sequence: Sequence,
    /// Absent for one that goes to quarantine.
    id: Option<RecordId>,
    stored: Option<Sequence>,
    /// How many entries are its own.
    entries: usize,
}

impl Chunk {
    /// A chunk that needs no more memory before it holds so many records, with so many bytes of payloads.
    #[must_use]
    pub fn with_room_for(records: usize, bytes: usize) -> Self {
        let keys = records.saturating_mul(KEYS_BYTES_COMMON);
        let entries = records.saturating_mul(ENTRIES_MAX);
        Self {
            records: Vec::with_capacity(records),
            sealer: Sealer::with_room_for(entries, bytes.saturating_add(keys)),
            bytes: 0,
        }
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// Those of [`Sealer::put`], which no record within its limits gives.
    pub fn push(&mut self, checked: &Checked<'_>) -> stemedb_storage::Result<()> {
        let sequence = checked.origin.sequence;
        let is_new = checked.stored.is_none_or(|stored| stored == sequence);
        let before = self.sealer.len();
        match &checked.outcome {
            Err(reason) => {
                let quarantined = Quarantined {
                    reason: (*reason).to_owned(),
                    payload: checked.payload.to_vec(),
                };
                let key = Key::Quarantine(sequence);
                self.sealer
                    .put(&key, checked.origin, &quarantined.encode())?;
            }
            Ok((id, outline)) if is_new => {
                seal(&mut self.sealer, (*id, *outline), checked)?;
            }
            Ok(_) => {}
        }
        self.bytes += checked.payload.len() as u64;
        self.records.push(Sealed {
            sequence,
            id: checked.outcome.as_ref().ok().map(|(id, _)| *id),
            stored: checked.stored,
            entries: self.sealer.len() - before,
        });
        Ok(())
    }
}

/// Seals the entries of a record that is stored for the first time.
fn seal(
    sealer: &mut Sealer,
    (id, outline): (RecordId, Outline<'_>),
    Checked {
        origin, payload, ..
    }: &Checked<'_>,
) -> stemedb_storage::Result<()> {
    match outline {
        Outline::Assertion { subject, predicate } => {
            sealer.put(&Key::Assertion(id), *origin, payload)?;
            sealer.put_subject((subject, predicate), *origin, id.as_bytes())
        }
        Outline::Vote { assertion } => {
            let vote = id;
            sealer.put(&Key::Vote { assertion, vote }, *origin, payload)?;
            sealer.put(&Key::VoteIndex(vote), *origin, assertion.as_bytes())
        }
        Outline::Epoch => sealer.put(&Key::Epoch(id), *origin, payload),
    }
}

/// Builds the batch of consecutive records.
///
/// A record is new if its id is absent, or present with this very sequence, which is how a replay finds what it has applied before.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    first: Option<Sequence>,
    entries: Vec<Entry>,
    duplicates: Vec<Sequence>,
    arrivals: Arrivals,
    bytes: u64,
}

impl BatchBuilder {
    /// A builder that needs no more memory before it holds so many records.
    #[must_use]
    pub fn with_room_for(records: usize) -> Self {
        Self {
            entries: Vec::with_capacity(records.saturating_mul(ENTRIES_MAX)),
            arrivals: Arrivals::with_room_for(records),
            ..Self::default()
        }
    }

    /// Adds the records of a chunk, behind all that were added before.
    pub fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes;
        let mut entries = chunk.sealer.finish().into_iter();
        for record in chunk.records {
            self.first.get_or_insert(record.sequence);
            let own = entries.by_ref().take(record.entries);
            if self.is_duplicate(&record) {
                self.duplicates.push(record.sequence);
                own.for_each(drop);
            } else {
                self.entries.extend(own);
            }
        }
    }

    fn is_duplicate(&mut self, record: &Sealed) -> bool {
        let Some(id) = record.id else {
            return false;
        };
        let first_arrival = record.stored.unwrap_or(record.sequence);
        self.arrivals.first(id, first_arrival) != record.sequence
    }

    /// Bytes of the payloads so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The batch that ends with the group which `cursor` names; `None` where no record was added.
    #[must_use]
    pub fn finish(self, cursor: Cursor) -> Option<Batch> {
        self.finish_with_arrivals(cursor).0
    }

    /// The batch, and the ids of its records.
    pub(crate) fn finish_with_arrivals(self, cursor: Cursor) -> (Option<Batch>, Arrivals) {
        let batch = self.first.map(|first| Batch {
            first,
            cursor,
            entries: self.entries,
            duplicates: self.duplicates,
        });
        (batch, self.arrivals)
    }
}
