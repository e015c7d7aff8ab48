//! From records to a batch. Pure: what is stored already is an argument.

use std::collections::HashMap;

use stemedb_core::{Record, RecordId, Sequence};
use stemedb_storage::{Batch, Cursor, Key, Put};

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
        Some(identity_key(*id, record))
    }
}

/// The key under which a record is found by its id.
#[must_use]
pub fn identity_key(id: RecordId, record: &Record) -> Key {
    match record {
        Record::Assertion(_) => Key::Assertion(id),
        Record::Vote(_) => Key::VoteIndex(id),
        Record::Epoch(_) => Key::Epoch(id),
    }
}

/// The entries of a record that is stored for the first time.
#[must_use]
pub fn entries(id: RecordId, record: &Record, payload: Vec<u8>, sequence: Sequence) -> Vec<(Key, Vec<u8>)> {
    match record {
        Record::Assertion(assertion) => {
            let index = Key::Subject {
                subject: assertion.subject.as_str().to_owned(),
                predicate: assertion.predicate.as_str().to_owned(),
                sequence,
            };
            vec![
                (Key::Assertion(id), payload),
                (index, id.as_bytes().to_vec()),
            ]
        }
        Record::Vote(vote) => {
            let key = Key::Vote {
                assertion: vote.assertion,
                vote: id,
            };
            vec![
                (key, payload),
                (Key::VoteIndex(id), vote.assertion.as_bytes().to_vec()),
            ]
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
    ids: HashMap<RecordId, Sequence>,
    bytes: u64,
}

impl BatchBuilder {
    /// Adds a record; `stored` is the sequence under which its id is stored already.
    pub fn push(&mut self, checked: Checked, stored: Option<Sequence>) {
        let sequence = checked.sequence;
        self.first.get_or_insert(sequence);
        self.bytes += checked.payload.len() as u64;
        let (id, record) = match checked.outcome {
            Ok(found) => found,
            Err(reason) => {
                let payload = checked.payload;
                let content = Quarantined { reason, payload }.encode();
                return self.put(Key::Quarantine(sequence), content, sequence, checked.arrived_at_ms);
            }
        };
        let first_arrival = *self.ids.entry(id).or_insert(stored.unwrap_or(sequence));
        if first_arrival != sequence {
            self.duplicates.push(sequence);
            return;
        }
        for (key, content) in entries(id, &record, checked.payload, sequence) {
            self.put(key, content, sequence, checked.arrived_at_ms);
        }
    }

    fn put(&mut self, key: Key, content: Vec<u8>, sequence: Sequence, arrived_at_ms: u64) {
        self.puts.push(Put {
            key,
            sequence,
            arrived_at_ms,
            content,
        });
    }

    /// Bytes of the payloads so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The ids that the batch stores for the first time, with their sequences, and those that it met again.
    #[must_use]
    pub fn finish(self, cursor: Cursor) -> Option<Batch> {
        Some(Batch {
            first: self.first?,
            cursor,
            puts: self.puts,
            duplicates: self.duplicates,
        })
    }
}

#[cfg(test)]
mod tests;
