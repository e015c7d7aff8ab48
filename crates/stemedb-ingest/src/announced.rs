//! What whoever appends records through this process knows of them: the id of each, and that it is new.
//!
//! An announcement is what receipts are made of. It says of the records of one request, from a sequence on: each was checked in full,
//! its signature with it, and serialized by this process; this is its id; and that id is stored under no lower sequence, nor will be.
//! Whoever announces has made sure of that under a lock, before the append, and announces after the journal has answered under
//! which sequences the records are durable. So the worker need not hash, verify and look up again.
//!
//! It is never written down. Nothing is lost with it: of a record that is not announced (all of a replay, what was appended
//! through the journal alone, what the worker took before its announcement came) the worker finds everything out itself. And it checks
//! one record in [`CHECKED_EVERY`] all the same, in builds with debug assertions every one: an announcement that is wrong ends
//! the worker before anything of its batch is applied.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stemedb_core::RecordId;

#[cfg(test)]
mod tests;

/// Of so many announced records that follow each other one is checked as if it were not announced.
pub(crate) const CHECKED_EVERY: usize = if cfg!(debug_assertions) { 1 } else { 256 };

/// The records of one request.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    first_sequence: u64,
    ids: Arc<Vec<RecordId>>,
}

impl Announcement {
    fn end(&self) -> u64 {
        self.first_sequence.saturating_add(self.ids.len() as u64)
    }
}

/// What was announced and not taken by the worker yet.
///
/// It holds no more than what is durable and not taken: the worker drops what it passes.
#[derive(Debug, Default)]
pub struct Announcements(Mutex<VecDeque<Announcement>>);

impl Announcements {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Announcement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces the records of a request which the journal has answered: `ids` are those of the sequences from `first_sequence` on.
    ///
    /// The caller vouches for everything that the module says of them. Requests that come out of order are not announced.
    pub fn announce(&self, first_sequence: u64, ids: Arc<Vec<RecordId>>) {
        let announcement = Announcement {
            first_sequence,
            ids,
        };
        let mut waiting = self.waiting();
        let end = waiting.back().map_or(0, Announcement::end);
        if end <= first_sequence {
            waiting.push_back(announcement);
        }
    }

    /// Takes what was announced of the sequences up to `last`.
    pub(crate) fn take_upto(&self, last: u64) -> Vec<Announcement> {
        let mut waiting = self.waiting();
        let taken = waiting.partition_point(|announcement| announcement.first_sequence <= last);
        waiting.drain(..taken).collect()
    }
}

/// Finds what was announced of records that are asked for in the order of their sequences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced<'a>(&'a [Announcement]);

impl<'a> Announced<'a> {
    pub(crate) const fn new(announcements: &'a [Announcement]) -> Self {
        Self(announcements)
    }

    /// The id of the record with this sequence, if it was announced.
    pub(crate) fn id(&mut self, sequence: u64) -> Option<RecordId> {
        while let Some((first, rest)) = self.0.split_first() {
            if sequence < first.end() {
                let index = sequence.checked_sub(first.first_sequence)?;
                return first.ids.get(usize::try_from(index).ok()?).copied();
            }
            self.0 = rest;
        }
        None
    }
}
