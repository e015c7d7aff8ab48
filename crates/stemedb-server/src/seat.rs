//! Places counted by who has them, so that one client cannot take those of all others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rate::Client;

#[cfg(test)]
mod tests;

/// How many seats each client has.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    most: usize,
    taken: Arc<Mutex<HashMap<Client, usize>>>,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// A seat; `None` where the client has as many as it may.
    pub(crate) fn take(&self, client: Client) -> Option<Seat> {
        let mut taken = self.lock();
        let count = taken.entry(client.clone()).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(taken);
        let seats = self.clone();
        Some(Seat { seats, client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        match self.taken.lock() {
            Ok(taken) => taken,
            // Counts are whole whatever happened.
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// A place of one client, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    client: Client,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.seats.lock().entry(self.client.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Places for what goes on for as long as a client likes. One client has at most half of them, so that others find some.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    all: Arc<Semaphore>,
    seats: Seats,
}

/// A place among all and among those of its client, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _among_all: OwnedSemaphorePermit,
    /// None of a client that cannot be told from others.
    _of_client: Option<Seat>,
}

/// There is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// For nobody: there are so many.
    All(usize),
    /// For this client: it has so many.
    OfClient(usize),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(most) => write!(f, "{most} go on already"),
            Self::OfClient(most) => write!(
                f,
                "{most} of this client go on already, which may have half of all"
            ),
        }
    }
}

/// How many of some places are taken, for whoever watches.
#[derive(Clone, Debug)]
pub(crate) struct Occupancy {
    places: Arc<Semaphore>,
    most: usize,
}

impl Occupancy {
    /// Of places of which there are `most`.
    pub(crate) fn new(places: Arc<Semaphore>, most: usize) -> Self {
        Self { places, most }
    }

    pub(crate) fn taken(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }

    pub(crate) const fn most(&self) -> usize {
        self.most
    }
}

impl Places {
    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy::new(Arc::clone(&self.all), self.most)
    }

    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            all: Arc::new(Semaphore::new(most)),
            seats: Seats::new(most.div_ceil(2)),
        }
    }

    /// A place for `client`, if there is one now.
    pub(crate) fn take(&self, client: Client) -> Result<Place, Full> {
        let of_client = match client {
            Client::Crowd => None,
            client => Some(
                self.seats
                    .take(client)
                    .ok_or(Full::OfClient(self.seats.most))?,
            ),
        };
        let among_all = Arc::clone(&self.all).try_acquire_owned();
        Ok(Place {
            _among_all: among_all.or(Err(Full::All(self.most)))?,
            _of_client: of_client,
        })
    }
}
