//! What a store must hold: a map that replays the journal, record by record.

use std::collections::{BTreeMap, HashMap};

use stemedb_core::{Record, RecordId, Sequence};
use stemedb_ingest::{Quarantined, deserialize};
use stemedb_storage::key::{Role, engine};
use stemedb_storage::{Counts, Key, KeyKind, RawEntry};

use super::Violation;

/// An entry: where it was, and what it says. For a record in quarantine that is its bytes, without the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Sequence of the record that it comes from.
    pub sequence: u64,
    /// Its content.
    pub content: Vec<u8>,
}

/// Which engines a store has, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One for everything.
    One(&'static str),
    /// One for the stream and one for what is small.
    Two {
        /// That of the stream.
        stream: &'static str,
        /// That of what is small.
        small: &'static str,
    },
}

impl Layout {
    /// `HybridStore`.
    pub const HYBRID: Self = Self::Two {
        stream: "fjall",
        small: "redb",
    };

    fn home(self, kind: KeyKind) -> &'static str {
        match (self, engine(kind)) {
            (Self::One(name), _) => name,
            (Self::Two { stream, .. }, Role::Stream) => stream,
            (Self::Two { small, .. }, Role::Small) => small,
        }
    }
}

/// What a store shows after a replay of some records: content by key, and counts.
#[derive(Clone, Debug, Default)]
pub struct Model {
    entries: BTreeMap<Vec<u8>, Entry>,
    first: HashMap<RecordId, u64>,
    counts: Counts,
    last: u64,
}

impl Model {
    /// Replays payloads, of which the first has sequence 1.
    #[must_use]
    pub fn replay<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut model = Self::default();
        for payload in payloads {
            model.push(payload);
        }
        model
    }

    /// Replays the next record.
    pub fn push(&mut self, payload: &[u8]) {
        self.last += 1;
        let sequence = Sequence::new(self.last).unwrap_or(Sequence::FIRST);
        let sound = deserialize(payload)
            .ok()
            .filter(|record| record.verify().is_ok())
            .and_then(|record| record.id().ok().map(|id| (record, id)));
        let Some((record, id)) = sound else {
            self.counts.quarantined += 1;
            return self.put(&Key::Quarantine(sequence), payload);
        };
        if self.first.contains_key(&id) {
            self.counts.duplicates += 1;
            return;
        }
        self.first.insert(id, self.last);
        match &record {
            Record::Assertion(it) => {
                self.counts.assertions += 1;
                let index = Key::Subject {
                    subject: it.subject.as_str().to_owned(),
                    predicate: it.predicate.as_str().to_owned(),
                    sequence,
                };
                self.put(&Key::Assertion(id), payload);
                self.put(&index, id.as_bytes());
            }
            Record::Vote(it) => {
                self.counts.votes += 1;
                let key = Key::Vote {
                    assertion: it.assertion,
                    vote: id,
                };
                self.put(&key, payload);
                self.put(&Key::VoteIndex(id), it.assertion.as_bytes());
            }
            Record::Epoch(_) => {
                self.counts.epochs += 1;
                self.put(&Key::Epoch(id), payload);
            }
        }
    }

    fn put(&mut self, key: &Key, content: &[u8]) {
        let entry = Entry {
            sequence: self.last,
            content: content.to_vec(),
        };
        let before = self.entries.insert(key.encode(), entry);
        assert!(before.is_none(), "a key is written once");
    }

    /// What a view shows, by its keys.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<Vec<u8>, Entry> {
        &self.entries
    }

    /// The running counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Sequence of the last record.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Compares everything that lies in the engines of a store; their own notes are only verified.
    ///
    /// # Errors
    ///
    /// The first entry that is damaged, wrong, in the wrong engine, there twice, not known, or missing.
    pub fn compare<E: std::fmt::Display>(
        &self,
        layout: Layout,
        entries: impl IntoIterator<Item = Result<RawEntry, E>>,
    ) -> Result<(), Violation> {
        let mut missing: BTreeMap<&[u8], &Entry> = self
            .entries
            .iter()
            .map(|(key, it)| (&key[..], it))
            .collect();
        for entry in entries {
            let entry = entry.map_err(|error| Violation::new(error.to_string()))?;
            let text = entry.key_text();
            self.compare_entry(layout, entry, &mut missing)
                .map_err(|violation| violation.within(text))?;
        }
        match missing.first_key_value() {
            None => Ok(()),
            Some((key, entry)) => Err(Violation::new(format!(
                "{} of sequence {} is missing from the store",
                stemedb_storage::key::text(key),
                entry.sequence
            ))),
        }
    }

    fn compare_entry(
        &self,
        layout: Layout,
        entry: RawEntry,
        missing: &mut BTreeMap<&[u8], &Entry>,
    ) -> Result<(), Violation> {
        let error = |error: stemedb_storage::Error| Violation::new(error.to_string());
        let kind = KeyKind::of(&entry.key).ok_or_else(|| Violation::new("is no key of ours"))?;
        if kind.is_internal() {
            return entry.verify().map_err(error);
        }
        if entry.engine != layout.home(kind) {
            return Err(Violation::new(format!("lies in {}", entry.engine)));
        }
        let Some(expected) = missing.remove(&entry.key[..]) else {
            let text = if self.entries.contains_key(&entry.key) {
                "is there twice"
            } else {
                "comes from no record of the journal"
            };
            return Err(Violation::new(text));
        };
        let value = entry.open().map_err(error)?;
        let content = match kind {
            KeyKind::Quarantine => {
                Quarantined::decode(&value.content)
                    .ok_or_else(|| Violation::new("is malformed"))?
                    .payload
            }
            _ => value.content,
        };
        if value.sequence.get() != expected.sequence {
            let text = format!("has sequence {}, not {}", value.sequence, expected.sequence);
            return Err(Violation::new(text));
        }
        if content != expected.content {
            return Err(Violation::new("has another content"));
        }
        Ok(())
    }
}
