//! Export: the stored records in the order of their sequences, streamed from the journal.

use std::collections::VecDeque;
use std::sync::Arc;

use stemedb_core::Sequence;
use stemedb_storage::KVStore;
use stemedb_wal::{Group, JournalReader, Start};

use crate::database::Inner;
use crate::error::Result;
use crate::view::{Stored, View};

/// After so many records a fresh view is taken, so that none pins old data for long.
const RECORDS_PER_VIEW: u32 = 10_000;

/// The stored records in the order of their sequences, up to a last one that was fixed at the start.
///
/// A record of the journal is given if the store holds its id at that very sequence: duplicates and quarantined records are passed over.
/// It ends after its first error, of the kind [`Corruption`](crate::ErrorKind::Corruption) where the journal is damaged.
#[derive(Debug)]
pub struct Export {
    reader: JournalReader,
    store: Arc<dyn KVStore>,
    view: View,
    records_of_view: u32,
    last: Option<Sequence>,
    ready: VecDeque<Stored>,
    has_ended: bool,
}

impl Export {
    pub(crate) fn new(inner: &Inner) -> Result<Self> {
        let view = View::new(inner.store.snapshot()?);
        Ok(Self {
            reader: inner.watch.reader(Start::Beginning)?,
            store: Arc::clone(&inner.store),
            last: view.applied(),
            view,
            records_of_view: 0,
            ready: VecDeque::new(),
            has_ended: false,
        })
    }

    /// The last sequence that this export looks at; `None` where there is nothing.
    #[must_use]
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.last
    }

    /// Reads the next group; gives whether there may be more.
    fn read_group(&mut self) -> Result<bool> {
        let Some(group) = self.reader.next_group()? else {
            return Ok(false);
        };
        self.records_of_view += group.header().records;
        if self.records_of_view >= RECORDS_PER_VIEW {
            self.view = View::new(self.store.snapshot()?);
            self.records_of_view = 0;
        }
        self.take_stored(&group)
    }

    fn take_stored(&mut self, group: &Group) -> Result<bool> {
        for raw in group.records() {
            let sequence =
                Sequence::new(raw.sequence).filter(|sequence| Some(*sequence) <= self.last);
            let Some(sequence) = sequence else {
                return Ok(false);
            };
            if let Some(record) = self.view.first_arrival(raw.bytes, sequence)? {
                self.ready.push_back(Stored {
                    id: record.0,
                    sequence,
                    arrived_at_ms: group.arrived_at_ms(),
                    record: record.1,
                });
            }
        }
        Ok(true)
    }
}

impl Iterator for Export {
    type Item = Result<Stored>;

    fn next(&mut self) -> Option<Result<Stored>> {
        loop {
            if let Some(stored) = self.ready.pop_front() {
                return Some(Ok(stored));
            }
            if self.has_ended {
                return None;
            }
            match self.read_group() {
                Ok(more) => self.has_ended = !more,
                Err(error) => {
                    self.has_ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
