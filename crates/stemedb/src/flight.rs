//! Records in flight: appended or being appended, and not yet readable in the store.
//!
//! Whoever submits a record that is in flight waits for the first one's outcome instead of appending it again.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stemedb_core::RecordId;

use crate::known::Filling;
use crate::outcome::Outcome;

#[cfg(test)]
mod tests;

/// Where a record in flight will be: the outcome of its request, and which record of it this is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) index: u64,
}

/// The same without the outcome: of a million records in flight each has one of these.
#[derive(Clone, Copy, Debug)]
struct Spot {
    request: u64,
    index: u64,
}

/// One request in flight.
#[derive(Debug)]
struct Request {
    outcome: Arc<Outcome>,
    /// Complete when the lock is released under which the request began; shared from then on.
    ids: Arc<Vec<RecordId>>,
}

/// An id is a hash already: its first bytes are taken as they are.
#[derive(Clone, Copy, Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length of an id, which says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The map of records in flight.
///
/// Invariant: a record is in the map from before its append until after it is readable, so that one who finds it neither here nor,
/// afterwards, in the store may append it.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    spots: HashMap<RecordId, Spot, BuildHasherDefault<IdHasher>>,
    requests: VecDeque<Request>,
    /// How many requests were forgotten: the number of the first that was not.
    first_request: u64,
    /// Everything up to this sequence may have been forgotten.
    forgotten_upto: u64,
    /// Every id that was ever in the map is inserted here first.
    filling: Filling,
}

/// The map behind its lock.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<Flight>);

impl InFlight {
    /// An empty map, whose ids are inserted there.
    pub(crate) fn new(filling: Filling) -> Self {
        Self(Mutex::new(Flight {
            filling,
            ..Flight::default()
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Flight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// What knows every id that was ever in the map.
    pub(crate) fn filling(&mut self) -> &mut Filling {
        &mut self.filling
    }

    /// Everything up to this sequence may have been forgotten: a view that is older cannot tell that a record is new.
    pub(crate) fn forgotten_upto(&self) -> u64 {
        self.forgotten_upto
    }

    /// Where a record in flight will be; one whose append has failed is in flight no longer.
    pub(crate) fn find(&self, id: RecordId) -> Option<Place> {
        let spot = self.spots.get(&id)?;
        let index = usize::try_from(spot.request.checked_sub(self.first_request)?).ok()?;
        let outcome = &self.requests.get(index)?.outcome;
        (!outcome.has_failed()).then(|| Place {
            outcome: Arc::clone(outcome),
            index: spot.index,
        })
    }

    /// Adds a request, whose records are those that [`add`](Self::add) gets next. It must have one, and be appended when the lock is
    /// released: until it is settled none that comes later is forgotten.
    pub(crate) fn begin_request(&mut self) -> Arc<Outcome> {
        let outcome = Arc::new(Outcome::default());
        self.requests.push_back(Request {
            outcome: Arc::clone(&outcome),
            ids: Arc::default(),
        });
        outcome
    }

    /// Adds a record to the request that was begun last; gives which record of it this is.
    pub(crate) fn add(&mut self, id: RecordId) -> u64 {
        let later = self.requests.len().saturating_sub(1) as u64;
        let Some(request) = self.requests.back_mut() else {
            return 0;
        };
        let spot = Spot {
            request: self.first_request + later,
            index: request.ids.len() as u64,
        };
        // Ordering: known before it is appended, and before the lock is released.
        self.filling.insert(id);
        Arc::make_mut(&mut request.ids).push(id);
        self.spots.insert(id, spot);
        spot.index
    }

    /// The ids of each of the requests that were begun last, so many of them, in the order of their records.
    pub(crate) fn ids_of_last(&self, requests: usize) -> impl Iterator<Item = Arc<Vec<RecordId>>> {
        let before = self.requests.len().saturating_sub(requests);
        let last = self.requests.iter().skip(before);
        last.map(|request| Arc::clone(&request.ids))
    }

    /// Forgets the requests whose records are readable, and those that failed.
    ///
    /// Requests are settled in the order of the queue, or nearly so; one that is not settled yet only keeps later ones a little longer.
    pub(crate) fn forget_applied(&mut self, applied: u64) {
        self.forgotten_upto = self.forgotten_upto.max(applied);
        while let Some(request) = self.requests.front() {
            let is_over = match request.outcome.get() {
                None => false,
                Some(Err(_)) => true,
                Some(Ok(appended)) => appended.last_sequence() <= applied,
            };
            if !is_over {
                break;
            }
            let Some(over) = self.requests.pop_front() else {
                break;
            };
            for id in over.ids.iter() {
                // A record whose append failed may be in flight again, with another request.
                let is_same = |spot: &Spot| spot.request == self.first_request;
                if self.spots.get(id).is_some_and(is_same) {
                    self.spots.remove(id);
                }
            }
            self.first_request += 1;
        }
    }

    /// The outcome of the oldest request, if more than `records_max` records are in flight.
    pub(crate) fn oldest_above(&self, records_max: usize) -> Option<Arc<Outcome>> {
        let oldest = self
            .requests
            .front()
            .filter(|_| self.spots.len() > records_max);
        oldest.map(|request| Arc::clone(&request.outcome))
    }
}
