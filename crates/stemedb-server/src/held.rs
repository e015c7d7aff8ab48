//! Shares of the memory that bodies may take: bytes are held as they come.
//!
//! Bodies that grow side by side could all come to want what the others hold. So one of them at a time may go over the
//! bound, by no more than the longest body: it is read to its end, and gives back what it had.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[cfg(test)]
mod tests;

/// The memory that bodies may take.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    bytes_max: usize,
    /// A permit for each byte.
    bytes: Arc<Semaphore>,
    /// The right to go over that.
    beyond: Arc<Semaphore>,
}

impl Memory {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: Arc::new(Semaphore::new(bytes_max)),
            beyond: Arc::new(Semaphore::new(1)),
        }
    }

    /// How many bytes there are.
    pub(crate) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// How many of them are held; whoever went over the bound counts with what was held before.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes_max
            .saturating_sub(self.bytes.available_permits())
    }

    /// Holds so many bytes more, once there is room.
    pub(crate) async fn grow(&self, held: &mut Held, bytes: usize) {
        if held.beyond.is_some() || bytes == 0 {
            return;
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Neither is ever closed: what fails holds nothing.
        tokio::select! {
            biased;
            more = Arc::clone(&self.bytes).acquire_many_owned(permits) => held.add(more.ok()),
            beyond = Arc::clone(&self.beyond).acquire_owned() => held.beyond = beyond.ok(),
        }
    }
}

/// A share of memory, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Held {
    fn add(&mut self, more: Option<OwnedSemaphorePermit>) {
        match (&mut self.bytes, more) {
            (Some(bytes), Some(more)) => bytes.merge(more),
            (_, more) => self.bytes = more,
        }
    }
}

impl From<OwnedSemaphorePermit> for Held {
    fn from(bytes: OwnedSemaphorePermit) -> Self {
        Self {
            bytes: Some(bytes),
            beyond: None,
        }
    }
}
