//! Reading: a consistent view of the store.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use stemedb_core::{Predicate, Record, RecordId, Sequence, Subject};
use stemedb_ingest::{Quarantined, RecordType, deserialize, identity_key};
use stemedb_storage::{Key, KeyKind, Snapshot, Value, key};

use crate::entries::Entries;
use crate::error::{Cause, Result};
use crate::page::{Listed, Listing, Page, PageCursor};
use crate::subjects::{self, Subjects};

/// A record that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: RecordId,
    /// The sequence of its first arrival.
    pub sequence: Sequence,
    /// When it arrived, in Unix milliseconds, by the clock of the machine that wrote the journal. It may go backwards from one
    /// record to the next; the sequence does not.
    pub arrived_at_ms: u64,
    /// What it says.
    pub record: Record,
}

/// A subject, and how much is asserted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectCount {
    /// The subject.
    pub subject: Subject,
    /// How many assertions there are.
    pub assertions: u64,
}

/// A record that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRecord {
    /// Its sequence.
    pub sequence: Sequence,
    /// When it arrived, in Unix milliseconds.
    pub arrived_at_ms: u64,
    /// Why it could not be applied.
    pub reason: String,
    /// Its bytes, as the journal holds them.
    pub payload: Vec<u8>,
}

/// How much is stored.
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
    /// Records in the journal whose id was stored before them.
    pub duplicates: u64,
}

/// A consistent view of a database: it stays as it is while records are applied.
///
/// Listings are lazy, and resumable by the cursor of each item. An item that is damaged comes as an error of the kind
/// [`Corruption`](crate::ErrorKind::Corruption), and the listing goes on behind it. A view that is kept, or a listing of it, keeps old
/// data from being reclaimed.
#[derive(Clone, Debug)]
pub struct View {
    snapshot: Arc<dyn Snapshot>,
    as_of: Option<Sequence>,
    until: Option<Until>,
}

/// Whether whoever asked has given it up.
#[derive(Clone)]
struct Until(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Until")
    }
}

impl View {
    pub(crate) fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Self {
            snapshot,
            as_of: None,
            until: None,
        }
    }

    /// The same view for whoever may lose interest: once `is_given_up` says so, its reads end with an error of the kind
    /// [`GivenUp`](crate::ErrorKind::GivenUp), and so do its listings wherever they are, after which they are over.
    ///
    /// It is asked before each entry, by the thread that reads, which may also let others run there.
    #[must_use]
    pub fn until(self, is_given_up: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            until: Some(Until(Arc::new(is_given_up))),
            ..self
        }
    }

    /// Whether whoever asked has given it up.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.until.as_ref().is_some_and(|until| (until.0)())
    }

    /// The same view, showing only what had arrived by `sequence`; counts stay those of the whole.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) where that sequence is not applied yet.
    pub fn as_of(&self, sequence: Sequence) -> Result<Self> {
        self.check_applied(sequence)?;
        Ok(Self {
            as_of: Some(sequence),
            ..self.clone()
        })
    }

    fn check_applied(&self, wanted: Sequence) -> Result<()> {
        let applied = self.applied();
        if Some(wanted) > applied {
            let applied = applied.map_or(0, Sequence::get);
            return Err(Cause::NotYetApplied { wanted, applied }.into());
        }
        Ok(())
    }

    /// One entry, if it had arrived by then.
    fn entry(&self, key: &[u8]) -> Result<Option<Value>> {
        if self.is_given_up() {
            return Err(Cause::GivenUp.into());
        }
        let value = self.snapshot.get(key)?;
        Ok(value.filter(|value| self.as_of.is_none_or(|as_of| value.sequence <= as_of)))
    }

    /// The last sequence that this view shows, or up to which it was limited; `None` in an empty database.
    #[must_use]
    pub fn applied(&self) -> Option<Sequence> {
        let applied = self.snapshot.cursor().map(|cursor| cursor.sequence);
        self.as_of.or(applied)
    }

    /// How much is stored.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counts = self.snapshot.counts();
        Counts {
            assertions: counts.assertions,
            votes: counts.votes,
            epochs: counts.epochs,
            quarantined: counts.quarantined,
            duplicates: counts.duplicates,
        }
    }

    /// The record with an id, of any type.
    ///
    /// # Errors
    ///
    /// [`Corruption`](crate::ErrorKind::Corruption) where what is stored does not verify.
    pub fn get(&self, id: RecordId) -> Result<Option<Stored>> {
        if let Some(stored) = self.assertion(id)? {
            return Ok(Some(stored));
        }
        let index = Key::VoteIndex(id).encode();
        if let Some(value) = self.entry(&index)? {
            let assertion = record_id(&value.content, &index)?;
            return self.stored(
                &Key::Vote {
                    assertion,
                    vote: id,
                },
                id,
            );
        }
        self.stored(&Key::Epoch(id), id)
    }

    fn assertion(&self, id: RecordId) -> Result<Option<Stored>> {
        let value = self.entry(&key::assertion(id))?;
        value
            .map(|value| into_stored(&Key::Assertion(id), id, &value))
            .transpose()
    }

    fn stored(&self, key: &Key, id: RecordId) -> Result<Option<Stored>> {
        let value = self.entry(&key.encode())?;
        value.map(|value| into_stored(key, id, &value)).transpose()
    }

    /// The assertions about a subject, by predicate (in the order of its bytes) and then in the order of arrival; with a predicate, only
    /// those under it.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a cursor of another listing and for an `as_of` that is not applied yet.
    pub fn assertions(
        &self,
        subject: &Subject,
        predicate: Option<&Predicate>,
        page: &Page,
    ) -> Result<Listing<Stored>> {
        let prefix = match predicate {
            Some(predicate) => key::subject_predicate(subject.as_str(), predicate.as_str()),
            None => key::subject(subject.as_str()),
        };
        let view = self.clone();
        self.list(&prefix, page, move |found, value| {
            let id = record_id(&value.content, found)?;
            view.assertion(id)?.ok_or_else(|| malformed(found))
        })
    }

    /// The votes on an assertion, in the order of their ids.
    ///
    /// # Errors
    ///
    /// As [`assertions`](Self::assertions).
    pub fn votes(&self, assertion: RecordId, page: &Page) -> Result<Listing<Stored>> {
        self.list(&key::votes_of(assertion), page, |found, value| {
            let Ok(key @ Key::Vote { vote, .. }) = Key::decode(found) else {
                return Err(malformed(found));
            };
            into_stored(&key, vote, &value)
        })
    }

    /// The epochs, in the order of their ids.
    ///
    /// # Errors
    ///
    /// As [`assertions`](Self::assertions).
    pub fn epochs(&self, page: &Page) -> Result<Listing<Stored>> {
        self.list(&key::all(KeyKind::Epoch), page, |found, value| {
            let Ok(key @ Key::Epoch(id)) = Key::decode(found) else {
                return Err(malformed(found));
            };
            into_stored(&key, id, &value)
        })
    }

    /// An epoch, what it supersedes, what that supersedes, and so on as far as it is stored; empty where the epoch is not.
    ///
    /// # Errors
    ///
    /// [`Corruption`](crate::ErrorKind::Corruption) where what is stored does not verify.
    pub fn epoch_chain(&self, id: RecordId) -> Result<Vec<Stored>> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        // An id is a hash over the one it supersedes, so that a chain cannot come back to itself.
        while let Some(stored) = next
            .map(|id| self.stored(&Key::Epoch(id), id))
            .transpose()?
            .flatten()
        {
            next = match &stored.record {
                Record::Epoch(epoch) => epoch.supersedes,
                Record::Assertion(_) | Record::Vote(_) => None,
            };
            chain.push(stored);
        }
        Ok(chain)
    }

    /// The records that could not be applied, in the order of arrival.
    ///
    /// # Errors
    ///
    /// As [`assertions`](Self::assertions).
    pub fn quarantine(&self, page: &Page) -> Result<Listing<QuarantinedRecord>> {
        self.list(&key::all(KeyKind::Quarantine), page, |found, value| {
            into_quarantined(&value).ok_or_else(|| malformed(found))
        })
    }

    /// The record in quarantine under a sequence.
    ///
    /// # Errors
    ///
    /// [`Corruption`](crate::ErrorKind::Corruption) where what is stored does not verify.
    pub fn quarantined(&self, sequence: Sequence) -> Result<Option<QuarantinedRecord>> {
        let key = Key::Quarantine(sequence).encode();
        let value = self.entry(&key)?;
        value
            .map(|value| into_quarantined(&value).ok_or_else(|| malformed(&key)))
            .transpose()
    }

    /// The subjects whose names begin with `prefix`, in the order of their bytes, with the number of assertions about each.
    ///
    /// It reads one index entry for each assertion, and holds one subject in memory.
    ///
    /// # Errors
    ///
    /// As [`assertions`](Self::assertions).
    pub fn subjects(&self, prefix: &str, page: &Page) -> Result<Listing<SubjectCount>> {
        if let Some(cursor) = &page.after {
            subjects::check_cursor(cursor)?;
        }
        let entries = self.entries(&key::subjects(prefix), page)?;
        Ok(Box::new(Subjects::new(entries, page.as_of.or(self.as_of))))
    }

    fn list<T: 'static>(
        &self,
        prefix: &[u8],
        page: &Page,
        read: impl Fn(&[u8], Value) -> Result<T> + Send + 'static,
    ) -> Result<Listing<T>> {
        let as_of = page.as_of.or(self.as_of);
        let entries = self.entries(prefix, page)?;
        let list = entries.filter_map(move |entry| match entry {
            Err(error) => Some(Err(error)),
            Ok((_, value)) if as_of.is_some_and(|as_of| value.sequence > as_of) => None,
            Ok((key, value)) => Some(read(&key, value).map(|value| Listed {
                value,
                cursor: PageCursor::after(key),
            })),
        });
        Ok(Box::new(list))
    }

    fn entries(&self, prefix: &[u8], page: &Page) -> Result<Entries> {
        if let Some(wanted) = page.as_of {
            self.check_applied(wanted)?;
        }
        let start = match &page.after {
            Some(cursor) => Bound::Excluded(cursor.key_in(prefix)?),
            None => Bound::Unbounded,
        };
        let scan = self.snapshot.scan(prefix, start)?;
        Ok(Entries::new(scan, self.clone()))
    }

    /// What the journal has at `sequence`, if that is where the record arrived first; `None` for a duplicate and for what is in
    /// quarantine.
    ///
    /// Anything else means that the store has lost an entry without a word.
    pub(crate) fn first_arrival(
        &self,
        payload: &[u8],
        sequence: Sequence,
    ) -> Result<Option<(RecordId, Record)>> {
        let named = deserialize(payload).ok().and_then(|record| {
            let id = record.id().ok()?;
            Some((id, record))
        });
        if let Some((id, record)) = named {
            let key = identity_key(id, RecordType::of(&record)).encode();
            match self.entry(&key)?.map(|value| value.sequence.cmp(&sequence)) {
                Some(Ordering::Equal) => return Ok(Some((id, record))),
                Some(Ordering::Less) => return Ok(None),
                Some(Ordering::Greater) | None => {}
            }
        }
        match self.entry(&Key::Quarantine(sequence).encode())? {
            Some(_) => Ok(None),
            None => Err(Cause::Lost { sequence }.into()),
        }
    }
}

fn into_stored(key: &Key, id: RecordId, value: &Value) -> Result<Stored> {
    let record = deserialize(&value.content).map_err(|source| Cause::Stored {
        key: key.to_string(),
        source,
    })?;
    Ok(Stored {
        id,
        sequence: value.sequence,
        arrived_at_ms: value.arrived_at_ms,
        record,
    })
}

fn into_quarantined(value: &Value) -> Option<QuarantinedRecord> {
    let Quarantined { reason, payload } = Quarantined::decode(&value.content)?;
    Some(QuarantinedRecord {
        sequence: value.sequence,
        arrived_at_ms: value.arrived_at_ms,
        reason,
        payload,
    })
}

fn record_id(content: &[u8], key: &[u8]) -> Result<RecordId> {
    let bytes: Option<[u8; 32]> = content.try_into().ok();
    bytes
        .map(RecordId::from_bytes)
        .ok_or_else(|| malformed(key))
}

fn malformed(key: &[u8]) -> crate::Error {
    let key = key::text(key);
    Cause::Malformed { key }.into()
}
