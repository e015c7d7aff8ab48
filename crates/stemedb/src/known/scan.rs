//! The scan: inserting the ids of everything that was stored when the database was opened, while it is used.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use stemedb_core::{RecordId, Sequence};
use stemedb_storage::{Counts, KVStore, Key, KeyKind, Value, key};

use crate::error::{Cause, Result};
use crate::flight::InFlight;

#[cfg(test)]
mod tests;

/// Entries that are read from one view, so that none pins old data for long.
const VIEW_ENTRIES: usize = 1 << 14;
/// Ids that are inserted before whoever submits gets the lock.
const LOCK_IDS: usize = 1 << 10;

/// What was stored when the database was opened. Everything above this sequence is inserted when it is submitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) upto: Sequence,
    pub(crate) counts: Counts,
}

/// The scan of a database, which runs at most once. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Scan {
    job: Job,
    thread: OnceLock<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Job {
    store: Arc<dyn KVStore>,
    in_flight: Arc<InFlight>,
    base: Base,
    is_stopped: Arc<AtomicBool>,
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    /// It was stopped, or there is no room for more ids.
    Stopped,
    /// An index does not hold what the store counts.
    Miscounted {
        kind: KeyKind,
        found: u64,
        counted: u64,
    },
}

impl Scan {
    /// A scan that has not begun.
    pub(crate) fn new(store: Arc<dyn KVStore>, in_flight: Arc<InFlight>, base: Base) -> Self {
        let job = Job {
            store,
            in_flight,
            base,
            is_stopped: Arc::default(),
        };
        let thread = OnceLock::new();
        Self { job, thread }
    }

    /// Begins, on a thread of its own. What keeps it from that is logged: then the store is asked for every id, as before.
    pub(crate) fn start(&self) {
        let job = self.job.clone();
        let thread = thread::Builder::new().name("stemedb-known".to_owned());
        match thread.spawn(move || job.run()) {
            // It is started once, so that there is none yet.
            Ok(thread) => drop(self.thread.set(thread)),
            Err(error) => tracing::warn!(%error, "the stored ids are not scanned"),
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.job.is_stopped.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::warn!("the scan of the stored ids panicked");
        }
    }
}

impl Job {
    fn run(&self) {
        match self.scan() {
            Ok(End::Complete) => self.in_flight.lock().filling().complete(),
            Ok(End::Stopped) => {}
            Ok(End::Miscounted {
                kind,
                found,
                counted,
            }) => tracing::warn!(?kind, found, counted, "an index lacks stored ids"),
            Err(error) => tracing::warn!(%error, "the scan of the stored ids failed"),
        }
    }

    fn scan(&self) -> Result<End> {
        let counts = self.base.counts;
        // Where the ids are to be had without reading a record.
        let indexes = [
            (KeyKind::Subject, counts.assertions),
            (KeyKind::VoteIndex, counts.votes),
            (KeyKind::Epoch, counts.epochs),
        ];
        for (kind, counted) in indexes {
            match self.insert_all(kind)? {
                None => return Ok(End::Stopped),
                Some(found) if found != counted => {
                    return Ok(End::Miscounted {
                        kind,
                        found,
                        counted,
                    });
                }
                Some(_) => {}
            }
        }
        Ok(End::Complete)
    }

    /// Inserts the ids of an index; gives how many there were, or `None` where it was stopped.
    ///
    /// Nothing is ever removed from an index, so that what was there at first is found whichever view each part of it is read from.
    fn insert_all(&self, kind: KeyKind) -> Result<Option<u64>> {
        let mut found = 0;
        let mut last: Option<Vec<u8>> = None;
        loop {
            let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let entries = self.store.snapshot()?.scan(&key::all(kind), start)?;
            let mut ids = Vec::with_capacity(VIEW_ENTRIES);
            let mut read = 0;
            for entry in entries.take(VIEW_ENTRIES) {
                if self.is_stopped.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let (key, value) = entry?;
                if value.sequence <= self.base.upto {
                    ids.push(id_of(kind, &key, &value)?);
                }
                last = Some(key);
                read += 1;
            }
            found += ids.len() as u64;
            if !self.insert(&ids) {
                return Ok(None);
            }
            if read < VIEW_ENTRIES {
                return Ok(Some(found));
            }
        }
    }

    /// Inserts ids, as long as there is room for them.
    fn insert(&self, ids: &[RecordId]) -> bool {
        ids.chunks(LOCK_IDS).all(|ids| {
            let mut flight = self.in_flight.lock();
            let filling = flight.filling();
            for id in ids {
                filling.insert(*id);
            }
            !filling.is_full()
        })
    }
}

/// The id of the record for which an index entry stands.
fn id_of(kind: KeyKind, key: &[u8], value: &Value) -> Result<RecordId> {
    let id = match kind {
        KeyKind::Subject => value.content[..].try_into().ok().map(RecordId::from_bytes),
        _ => match Key::decode(key) {
            Ok(Key::VoteIndex(id) | Key::Epoch(id)) => Some(id),
            _ => None,
        },
    };
    id.ok_or_else(|| {
        let key = key::text(key);
        Cause::Malformed { key }.into()
    })
}
