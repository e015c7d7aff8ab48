//! From records to a batch. Pure: what is stored already is an argument.

use stemedb_core::{Record, RecordId, Sequence};
use stemedb_storage::{Batch, Cursor, Key, Put};

use crate::RecordType;
use crate::arrival::Arrivals;
use crate::quarantine::Quarantined;

/// A record of the journal after everything about it was checked that needs no store.
#[derive(Debug)]
pub struct Checked {
    /// Its sequence.
    pub sequence: Sequence,
    /// When its group arrived, in Unix milliseconds.
    pub arrived_at_ms: u64,
    /// Its bytes, as the journal holds them.
    pub payload: Vec<u8>,
    /// What it is, or why it can't be applied.
    pub outcome: Result<(RecordId, Record), String>,
}

impl Checked {
    /// The key under which the record is found by its id, if it is one.
    #[must_use]
    pub fn identity_key(&self) -> Option<Key> {
        let (id, record) = self.outcome.as_ref().ok()?;
        Some(identity_key(*id, RecordType::of(record)))
    }
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

/// The entries of a record that is stored for the first time.
#[must_use]
pub fn entries(
    id: RecordId,
    record: &Record,
    payload: Vec<u8>,
    sequence: Sequence,
) -> Vec<(Key, Vec<u8>)> {
    match record {
        Record::Assertion(assertion) => {
            let index = Key::Subject {
                subject: assertion.subject.as_str().to_owned(),
                predicate: assertion.predicate.as_str().to_owned(),
                sequence,
            };
            let hash = id.as_bytes().to_vec();
            vec![(Key::Assertion(id), payload), (index, hash)]
        }
        Record::Vote(vote) => {
            let key = Key::Vote {
                assertion: vote.assertion,
                vote: id,
            };
            let assertion = vote.assertion.as_bytes().to_vec();
            vec![(key, payload), (Key::VoteIndex(id), assertion)]
        }
        Record::Epoch(_) => vec![(Key::Epoch(id), payload)],
    }
}

/// Builds the batch of consecutive records.
///
/// A record is new if its id is absent, or present with this very sequence, which is how a replay finds what it has applied before.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    first: Option<Sequence>,
    puts: Vec<Put>,
    duplicates: Vec<Sequence>,
    arrivals: Arrivals,
    bytes: u64,
}

impl BatchBuilder {
    /// Adds a record; `stored` is the sequence under which its id is stored already, or will be once everything before this batch is applied.
    pub fn push(&mut self, checked: Checked, stored: Option<Sequence>) {
        let Checked {
            sequence,
            arrived_at_ms,
            payload,
            outcome,
        } = checked;
        self.first.get_or_insert(sequence);
        self.bytes += payload.len() as u64;
        let entries = match outcome {
            Err(reason) => {
                let content = Quarantined { reason, payload }.encode();
                vec![(Key::Quarantine(sequence), content)]
            }
            Ok((id, record)) => {
                let first_arrival = stored.unwrap_or(sequence);
                if self.arrivals.first(id, first_arrival) != sequence {
                    self.duplicates.push(sequence);
                    return;
                }
                entries(id, &record, payload, sequence)
            }
        };
        self.puts
            .extend(entries.into_iter().map(|(key, content)| Put {
                key,
                sequence,
                arrived_at_ms,
                content,
            }));
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
            puts: self.puts,
            duplicates: self.duplicates,
        });
        (batch, self.arrivals)
    }
}
