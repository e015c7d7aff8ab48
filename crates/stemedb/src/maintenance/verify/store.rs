//! Checking a store: every envelope, every id, every index entry in both directions.

use stemedb_core::{Record, RecordId, Sequence};
use stemedb_ingest::{Quarantined, RecordType, deserialize, identity_key};
use stemedb_storage::{Counts, Key, KeyKind, RawEntry, Snapshot, Value};

use super::{Depth, Findings};
use crate::error::{Result, error_chain};

/// Looks at every entry of a store.
pub(super) struct StoreCheck<'a> {
    pub(super) view: &'a dyn Snapshot,
    pub(super) depth: Depth,
    pub(super) found: Counts,
    pub(super) index_entries: u64,
}

impl<'a> StoreCheck<'a> {
    pub(super) fn new(view: &'a dyn Snapshot, depth: Depth) -> Self {
        Self {
            view,
            depth,
            found: Counts::default(),
            index_entries: 0,
        }
    }

    pub(super) fn run(&mut self, findings: &mut Findings<'_>) -> Result<()> {
        let counts = self.view.counts();
        let total = counts.assertions * 2 + counts.votes * 2 + counts.epochs + counts.quarantined;
        let mut looked_at = 0;
        for entry in self.view.scan_raw()? {
            looked_at += 1;
            findings.progress("store entries checked", looked_at, total);
            match entry {
                Err(error) => findings.key_problem("an entry of the store", error_chain(&error)),
                Ok(entry) => self.entry(entry, findings),
            }
        }
        self.compare_counts(&counts, findings);
        Ok(())
    }

    fn entry(&mut self, entry: RawEntry, findings: &mut Findings<'_>) {
        let text = entry.key_text();
        let key = Key::decode(&entry.key);
        let kind = KeyKind::of(&entry.key);
        if kind.is_some_and(KeyKind::is_internal) {
            if let Err(error) = entry.verify() {
                findings.key_problem(text, error_chain(&error));
            }
            return;
        }
        let value = match entry.open() {
            Ok(value) => value,
            Err(error) => return findings.key_problem(text, error_chain(&error)),
        };
        let checked = match key {
            Ok(key) => self.content(&key, &value),
            Err(_) => Err("is no key of this program".to_owned()),
        };
        if let Err(problem) = checked {
            findings.key_problem(text, problem);
        }
    }

    fn content(&mut self, key: &Key, value: &Value) -> Result<(), String> {
        match key {
            Key::Assertion(id) => {
                self.found.assertions += 1;
                self.assertion(*id, value)
            }
            Key::Vote { assertion, vote } => self.vote(*assertion, *vote, value),
            Key::VoteIndex(vote) => {
                self.found.votes += 1;
                self.vote_index(*vote, value)
            }
            Key::Epoch(id) => {
                self.found.epochs += 1;
                let record = self.record(*id, value)?;
                expect_type(&record, RecordType::Epoch)
            }
            Key::Subject { sequence, .. } => {
                self.index_entries += 1;
                self.subject_entry(key, *sequence, value)
            }
            Key::Quarantine(sequence) => {
                self.found.quarantined += 1;
                let sound = Quarantined::decode(&value.content).is_some();
                let sound = sound && value.sequence == *sequence;
                sound.then_some(()).ok_or_else(|| "is malformed".to_owned())
            }
            Key::Batch(_) | Key::Meta(_) => Ok(()),
        }
    }

    /// Decodes a payload; its id must be the one of its key.
    fn record(&self, id: RecordId, value: &Value) -> Result<Record, String> {
        let record = deserialize(&value.content).map_err(|error| error.to_string())?;
        if self.depth == Depth::Full {
            let found = record.id().map_err(|error| error.to_string())?;
            if found != id {
                return Err(format!("holds the record {found}"));
            }
        }
        Ok(record)
    }

    fn assertion(&self, id: RecordId, value: &Value) -> Result<(), String> {
        let record = self.record(id, value)?;
        let Record::Assertion(assertion) = &record else {
            return expect_type(&record, RecordType::Assertion);
        };
        let index = Key::Subject {
            subject: assertion.subject.as_str().to_owned(),
            predicate: assertion.predicate.as_str().to_owned(),
            sequence: value.sequence,
        };
        let entry = self.get(&index)?;
        match entry {
            Some(entry) if entry.content == id.as_bytes() => Ok(()),
            Some(_) => Err(format!("{index} names another assertion")),
            None => Err(format!("{index} is missing")),
        }
    }

    fn subject_entry(&self, key: &Key, sequence: Sequence, value: &Value) -> Result<(), String> {
        let id = record_id(value)?;
        let assertion = self.get(&Key::Assertion(id))?;
        let assertion =
            assertion.ok_or_else(|| format!("names the assertion {id}, which is missing"))?;
        if assertion.sequence != sequence || value.sequence != sequence {
            return Err(format!(
                "names the assertion {id}, which has another sequence"
            ));
        }
        let record = deserialize(&assertion.content).map_err(|error| error.to_string())?;
        let names_it = matches!((&record, key), (Record::Assertion(assertion), Key::Subject { subject, predicate, .. })
            if assertion.subject.as_str() == subject && assertion.predicate.as_str() == predicate);
        names_it
            .then_some(())
            .ok_or_else(|| format!("names the assertion {id}, which is about something else"))
    }

    fn vote(&self, assertion: RecordId, vote: RecordId, value: &Value) -> Result<(), String> {
        let record = self.record(vote, value)?;
        match &record {
            Record::Vote(found) if found.assertion == assertion => {}
            Record::Vote(found) => return Err(format!("is a vote on {}", found.assertion)),
            other => return expect_type(other, RecordType::Vote),
        }
        let index = Key::VoteIndex(vote);
        match self.get(&index)? {
            Some(entry) if entry.content == assertion.as_bytes() => Ok(()),
            Some(_) => Err(format!("{index} names another assertion")),
            None => Err(format!("{index} is missing")),
        }
    }

    fn vote_index(&self, vote: RecordId, value: &Value) -> Result<(), String> {
        let assertion = record_id(value)?;
        let key = Key::Vote { assertion, vote };
        match self.get(&key)? {
            Some(entry) if entry.sequence == value.sequence => Ok(()),
            Some(_) => Err(format!("{key} has another sequence")),
            None => Err(format!("{key} is missing")),
        }
    }

    fn get(&self, key: &Key) -> Result<Option<Value>, String> {
        self.view
            .get(&key.encode())
            .map_err(|error| error_chain(&error))
    }

    /// What the store has counted must be what is there.
    fn compare_counts(&self, counted: &Counts, findings: &mut Findings<'_>) {
        let pairs = [
            ("assertions", counted.assertions, self.found.assertions),
            ("votes", counted.votes, self.found.votes),
            ("epochs", counted.epochs, self.found.epochs),
            (
                "records in quarantine",
                counted.quarantined,
                self.found.quarantined,
            ),
        ];
        for (what, counted, found) in pairs {
            if counted != found {
                findings.store_problem(format!(
                    "the store counts {counted} {what} and holds {found}"
                ));
            }
        }
    }

    /// A record of the journal must be stored as it is, or have arrived before.
    pub(super) fn expect(&self, payload: &[u8], sequence: Sequence) -> Result<(), String> {
        if self.depth == Depth::Quick && self.is_indexed(payload, sequence)? {
            return Ok(());
        }
        let named = deserialize(payload).ok().and_then(|record| {
            let id = record.id().ok()?;
            Some((id, RecordType::of(&record), record))
        });
        if let Some((id, record_type, record)) = named {
            let stored = self.get(&identity_key(id, record_type))?;
            match stored {
                Some(value) if value.sequence < sequence => return Ok(()),
                Some(value) if value.sequence == sequence => {
                    return self.expect_payload((id, &record), &value, payload);
                }
                Some(value) => {
                    let stored = value.sequence;
                    return Err(format!("record {id} is stored with sequence {stored}"));
                }
                None => {}
            }
        }
        let entry = self.get(&Key::Quarantine(sequence))?;
        let kept = entry.and_then(|value| Quarantined::decode(&value.content));
        match kept {
            Some(kept) if kept.payload == payload => Ok(()),
            Some(_) => Err("is in quarantine with other bytes".to_owned()),
            None => Err("is neither stored nor in quarantine".to_owned()),
        }
    }

    /// Whether the index leads to this very payload: the quick way for a new assertion, without its id.
    fn is_indexed(&self, payload: &[u8], sequence: Sequence) -> Result<bool, String> {
        let Ok(Record::Assertion(assertion)) = deserialize(payload) else {
            return Ok(false);
        };
        let index = Key::Subject {
            subject: assertion.subject.as_str().to_owned(),
            predicate: assertion.predicate.as_str().to_owned(),
            sequence,
        };
        let Some(entry) = self.get(&index)? else {
            return Ok(false);
        };
        let stored = self.get(&Key::Assertion(record_id(&entry)?))?;
        Ok(stored.is_some_and(|value| value.sequence == sequence && value.content == payload))
    }

    fn expect_payload(
        &self,
        (id, record): (RecordId, &Record),
        identity: &Value,
        payload: &[u8],
    ) -> Result<(), String> {
        let stored = match record {
            Record::Vote(vote) => {
                let assertion = vote.assertion;
                let value = self.get(&Key::Vote {
                    assertion,
                    vote: id,
                })?;
                value.is_some_and(|value| value.content == payload)
            }
            Record::Assertion(_) | Record::Epoch(_) => identity.content == payload,
        };
        stored
            .then_some(())
            .ok_or_else(|| format!("record {id} is stored with other bytes than the journal has"))
    }
}

fn record_id(value: &Value) -> Result<RecordId, String> {
    let bytes: Option<[u8; 32]> = value.content.as_slice().try_into().ok();
    bytes
        .map(RecordId::from_bytes)
        .ok_or_else(|| "does not hold an id".to_owned())
}

fn expect_type(record: &Record, expected: RecordType) -> Result<(), String> {
    let is_right = RecordType::of(record) == expected;
    let found = record.type_name();
    is_right
        .then_some(())
        .ok_or_else(|| format!("holds a record of type {found}"))
}
