//! Changes: the stored records behind a sequence, a bounded batch at a time, from the journal.
//!
//! It never waits: whoever has read all there is waits for the next sequence to be applied, and asks again. Between two batches it holds
//! no view, so that a slow reader keeps no old data from being reclaimed.

use std::sync::Arc;

use stemedb_core::Sequence;
use stemedb_storage::KVStore;
use stemedb_wal::{Group, JournalReader, JournalWatch, Start};

use crate::database::Inner;
use crate::error::Result;
use crate::view::{Stored, View};

/// How much one batch of changes holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangesLimit {
    /// Records of the journal that are looked at, at most.
    pub records_max: usize,
    /// Bytes of those after which the batch ends; one record is always looked at.
    pub bytes_max: usize,
}

impl Default for ChangesLimit {
    fn default() -> Self {
        Self {
            records_max: 1000,
            bytes_max: 256 << 10,
        }
    }
}

/// Some changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesBatch {
    /// Records, in the order of their sequences.
    pub records: Vec<Stored>,
    /// The last sequence that was looked at: there is nothing else up to here. 0 where there is none.
    pub upto: u64,
    /// The last sequence that could be read when the batch was made, 0 where there is none.
    pub applied: u64,
}

impl ChangesBatch {
    /// Whether this was everything that could be read.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.upto >= self.applied
    }
}

/// The stored records behind a sequence, in the order of their sequences, with no end: what is applied later comes in later batches.
///
/// A record of the journal is given if the store holds its id at that very sequence: duplicates and quarantined records are passed over.
#[derive(Debug)]
pub struct Changes {
    journal: JournalWatch,
    store: Arc<dyn KVStore>,
    /// The last sequence that was looked at, 0 where there is none.
    upto: u64,
    place: Option<Place>,
}

/// Where the journal is read.
#[derive(Debug)]
struct Place {
    reader: JournalReader,
    /// The group that was not read to its end.
    group: Option<Group>,
}

impl Changes {
    pub(crate) fn new(inner: &Inner, after: Option<Sequence>) -> Self {
        Self {
            journal: inner.watch.clone(),
            store: Arc::clone(&inner.store),
            upto: after.map_or(0, Sequence::get),
            place: None,
        }
    }

    /// The last sequence that was looked at, 0 where there is none: changes behind it are those that were not given.
    #[must_use]
    pub fn upto(&self) -> u64 {
        self.upto
    }

    /// Lets go of the journal's files and of what was read of them; the next batch finds its place anew.
    pub fn rest(&mut self) {
        self.place = None;
    }

    /// The next changes, without waiting for any.
    ///
    /// # Errors
    ///
    /// [`Corruption`](crate::ErrorKind::Corruption) where the journal is damaged or the store has lost a record, after everything that
    /// stands before; [`Closed`](crate::ErrorKind::Closed) where the store has failed. Whoever asks again is answered from the same
    /// place.
    pub fn next_batch(&mut self, limit: ChangesLimit) -> Result<ChangesBatch> {
        self.next_batch_with(limit, || ())
    }

    /// The same, and `before` is called before each record that is looked at: there whoever reads much may let others go first.
    ///
    /// # Errors
    ///
    /// Those of [`next_batch`](Self::next_batch).
    pub fn next_batch_with(
        &mut self,
        limit: ChangesLimit,
        mut before: impl FnMut(),
    ) -> Result<ChangesBatch> {
        let view = View::new(self.store.snapshot()?);
        let mut taking = Taking {
            applied: view.applied().map_or(0, Sequence::get),
            view,
            limit,
            looked_at: 0,
            bytes: 0,
            upto: self.upto,
            records: Vec::new(),
        };
        if let Err(error) = self.fill(&mut taking, &mut before) {
            // What was read by a wrong way is read anew.
            self.place = None;
            if taking.upto == self.upto {
                return Err(error);
            }
        }
        self.upto = taking.upto;
        Ok(ChangesBatch {
            upto: taking.upto,
            applied: taking.applied,
            records: taking.records,
        })
    }

    fn fill(&mut self, taking: &mut Taking, before: &mut impl FnMut()) -> Result<()> {
        while taking.upto < taking.applied && !taking.is_full() {
            let Some(group) = self.next_group(taking.upto)? else {
                break;
            };
            taking.take(&group, before)?;
            let has_more = taking.upto < last_sequence(&group);
            if let Some(place) = self.place.as_mut().filter(|_| has_more) {
                place.group = Some(group);
            }
        }
        Ok(())
    }

    /// The group with what comes behind `upto`.
    fn next_group(&mut self, upto: u64) -> Result<Option<Group>> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => Place {
                reader: self
                    .journal
                    .reader(Start::AtSequence(upto.saturating_add(1)))?,
                group: None,
            },
        };
        let group = match place.group.take() {
            Some(group) => Some(group),
            None => place.reader.next_group()?,
        };
        self.place = Some(place);
        Ok(group)
    }
}

/// The last sequence of a group, or that before it where it is empty.
fn last_sequence(group: &Group) -> u64 {
    let header = group.header();
    let end = header
        .first_sequence
        .saturating_add(u64::from(header.records));
    end.saturating_sub(1)
}

/// A batch in the making.
struct Taking {
    view: View,
    applied: u64,
    limit: ChangesLimit,
    looked_at: usize,
    bytes: usize,
    upto: u64,
    records: Vec<Stored>,
}

impl Taking {
    fn is_full(&self) -> bool {
        self.looked_at > 0
            && (self.looked_at >= self.limit.records_max || self.bytes >= self.limit.bytes_max)
    }

    /// Takes what a group has behind what was looked at, as far as it is applied and there is room.
    fn take(&mut self, group: &Group, before: &mut impl FnMut()) -> Result<()> {
        for raw in group.records() {
            if raw.sequence <= self.upto {
                continue;
            }
            if raw.sequence > self.applied || self.is_full() {
                break;
            }
            let Some(sequence) = Sequence::new(raw.sequence) else {
                continue;
            };
            before();
            if let Some((id, record)) = self.view.first_arrival(raw.bytes, sequence)? {
                self.records.push(Stored {
                    id,
                    sequence,
                    arrived_at_ms: group.arrived_at_ms(),
                    record,
                });
            }
            self.looked_at += 1;
            self.bytes += raw.bytes.len();
            self.upto = raw.sequence;
        }
        Ok(())
    }
}
