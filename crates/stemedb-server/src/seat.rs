//! Connections counted by where they come from, so that one address cannot take the places of all others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::rate::network;

#[cfg(test)]
mod tests;

/// How many connections there are from each network.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    most: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// A seat for a connection from `address`; `None` where its network has as many as it may.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Seat> {
        let network = network(address);
        let mut taken = self.lock();
        let count = taken.entry(network).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(taken);
        let seats = self.clone();
        Some(Seat { seats, network })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        match self.taken.lock() {
            Ok(taken) => taken,
            // Counts are whole whatever happened.
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// A place of one network, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    network: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.seats.lock().entry(self.network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
