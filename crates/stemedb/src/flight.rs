//! Records in flight: appended or being appended, and not yet readable in the store.
//!
//! Whoever submits a record that is in flight waits for the first one's outcome instead of appending it again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stemedb_core::RecordId;

use crate::outcome::Outcome;

/// Where a record in flight will be: the outcome of its request, and which record of it this is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) index: u64,
}

/// One request in flight.
#[derive(Debug)]
struct Request {
    outcome: Arc<Outcome>,
    ids: Vec<RecordId>,
}

/// The map of records in flight.
///
/// Invariant: a record is in the map from before its append until after it is readable, so that one who finds it neither here nor,
/// afterwards, in the store may append it.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    places: HashMap<RecordId, Place>,
    requests: VecDeque<Request>,
    /// Everything up to this sequence may have been forgotten.
    forgotten_upto: u64,
}

/// The map behind its lock.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<Flight>);

impl InFlight {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Flight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Where a record in flight will be; one whose append has failed is in flight no longer.
    pub(crate) fn get(&self, id: RecordId) -> Option<Place> {
        let place = self.places.get(&id)?;
        let has_failed = place.outcome.get().is_some_and(|answer| answer.is_err());
        (!has_failed).then(|| place.clone())
    }

    /// Everything up to this sequence may have been forgotten: a view that is older cannot tell that a record is new.
    pub(crate) fn forgotten_upto(&self) -> u64 {
        self.forgotten_upto
    }

    /// Adds the records of one request.
    pub(crate) fn add(&mut self, outcome: &Arc<Outcome>, ids: Vec<RecordId>) {
        for (index, id) in (0..).zip(&ids) {
            let place = Place {
                outcome: Arc::clone(outcome),
                index,
            };
            self.places.insert(*id, place);
        }
        let outcome = Arc::clone(outcome);
        self.requests.push_back(Request { outcome, ids });
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
            for id in over.ids {
                // A record whose append failed may be in flight again, with another request.
                let is_same = |place: &Place| Arc::ptr_eq(&place.outcome, &over.outcome);
                if self.places.get(&id).is_some_and(is_same) {
                    self.places.remove(&id);
                }
            }
        }
    }

    /// The outcome of the oldest request, if more than `records_max` records are in flight.
    pub(crate) fn oldest_above(&self, records_max: usize) -> Option<Arc<Outcome>> {
        let oldest = self
            .requests
            .front()
            .filter(|_| self.places.len() > records_max);
        oldest.map(|request| Arc::clone(&request.outcome))
    }
}
