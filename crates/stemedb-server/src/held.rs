//! Shares of the memory that bodies may take: bytes are held before they are allocated, which is as they come.
//!
//! Bodies that grow side by side could all come to want what the others hold. So one of them at a time may go over the
//! bound, by no more than the longest body: it is read to its end, and gives back what it had.
//!
//! The first bytes of every body come from a part of their own, so that a short one does not wait for long ones.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Settings;
use crate::limits::BODY_BYTES_RESERVED;

#[cfg(test)]
mod tests;

/// Memory of which so many bytes may be held.
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
    pub(crate) async fn grow(&self, held: &mut Share, bytes: usize) {
        if held.beyond.is_some() || bytes == 0 {
            return;
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        // What is released goes to those who wait first, so that nobody is passed over.
        if let Ok(more) = Arc::clone(&self.bytes).try_acquire_many_owned(permits) {
            return held.add(Some(more));
        }
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
pub(crate) struct Share {
    bytes: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Share {
    fn add(&mut self, more: Option<OwnedSemaphorePermit>) {
        match (&mut self.bytes, more) {
            (Some(bytes), Some(more)) => bytes.merge(more),
            (_, more) => self.bytes = more,
        }
    }
}

/// The memory that bodies may take.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    /// For the first [`BODY_BYTES_RESERVED`] of each.
    first: Memory,
    /// For what is beyond these.
    rest: Memory,
}

impl Bodies {
    /// Reserves enough for the first bytes of one body on every connection, or a quarter of all.
    pub(crate) fn new(settings: &Settings) -> Self {
        let all = settings.bodies_bytes_max;
        let first = settings.connections_max.saturating_mul(BODY_BYTES_RESERVED);
        let first = first.min(all / 4);
        Self {
            first: Memory::new(first),
            rest: Memory::new(all - first),
        }
    }

    /// How many bytes there are.
    pub(crate) const fn bytes_max(&self) -> usize {
        self.first.bytes_max() + self.rest.bytes_max()
    }

    /// How many of them are held; whoever went over the bound counts with what was held before.
    pub(crate) fn held_bytes(&self) -> usize {
        self.first.held_bytes() + self.rest.held_bytes()
    }

    /// Lets a body hold so many bytes in all, once there is room for those that are new.
    pub(crate) async fn grow(&self, held: &mut Held, bytes: usize) {
        let first = bytes.min(BODY_BYTES_RESERVED);
        let before = held.bytes.min(BODY_BYTES_RESERVED);
        let (more, more_rest) = (
            first.saturating_sub(before),
            (bytes - first).saturating_sub(held.bytes - before),
        );
        self.first.grow(&mut held.first, more).await;
        self.rest.grow(&mut held.rest, more_rest).await;
        held.bytes = held.bytes.max(bytes);
    }
}

/// What a body holds, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: usize,
    first: Share,
    rest: Share,
}

impl From<OwnedSemaphorePermit> for Held {
    fn from(bytes: OwnedSemaphorePermit) -> Self {
        let mut held = Self::default();
        held.rest.add(Some(bytes));
        held
    }
}
