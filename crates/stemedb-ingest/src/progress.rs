//! How far ingestion is: counters, health, and those who wait for a sequence.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Error;

#[cfg(test)]
mod tests;

/// Waiters that are kept without a look whether they still wait.
const WAITERS_UNSEEN_MAX: usize = 16;

/// Whether ingestion works.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Health {
    /// It was not started.
    #[default]
    NotStarted,
    /// It applies what the journal held when it was started; the store cannot be read yet.
    Replaying,
    /// It follows the journal.
    Following,
    /// It was stopped.
    Stopped,
    /// It failed, and what is appended from now on is not applied until the store is opened again.
    Failed(Error),
}

/// What the worker has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Last sequence whose record is applied and readable.
    pub applied_sequence: u64,
    /// Batches applied since the start.
    pub batches: u64,
    /// Records applied since the start, duplicates and quarantined ones included.
    pub records: u64,
    /// Checkpoints since the start.
    pub checkpoints: u64,
}

type Waiter = (u64, oneshot::Sender<Result<(), Error>>);

#[derive(Debug, Default)]
struct State {
    health: Health,
    counters: Counters,
    /// Whether the store shows what `counters.applied_sequence` says.
    is_published: bool,
    waiters: Vec<Waiter>,
    /// Of so many, those who have stopped waiting are forgotten.
    waiters_max: usize,
}

impl State {
    /// Adds a waiter. Whoever stopped waiting is forgotten, before they are as many as those who wait: a sequence may never come.
    fn add(&mut self, waiter: Waiter) {
        if self.waiters.len() >= self.waiters_max {
            self.waiters.retain(|(_, sender)| !sender.is_closed());
            self.waiters_max = (2 * self.waiters.len()).max(WAITERS_UNSEEN_MAX);
        }
        self.waiters.push(waiter);
    }
}

/// Shared by the worker, which advances it, and by those who ask.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<State>);

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> Health {
        self.state().health.clone()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.state().counters
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.state().health = health;
    }

    /// Counts a batch; it is readable only once [`publish`](Self::publish) says so.
    pub(crate) fn count_batch(&self, records: u64) {
        let mut state = self.state();
        state.counters.batches += 1;
        state.counters.records += records;
    }

    pub(crate) fn count_checkpoint(&self) {
        self.state().counters.checkpoints += 1;
    }

    /// Everything up to `sequence` is readable: wakes whoever waited for it.
    pub(crate) fn publish(&self, sequence: u64) {
        let mut state = self.state();
        state.health = Health::Following;
        state.is_published = true;
        state.counters.applied_sequence = sequence;
        let (ready, waiting) = std::mem::take(&mut state.waiters)
            .into_iter()
            .partition(|(wanted, _)| *wanted <= sequence);
        state.waiters = waiting;
        drop(state);
        answer(ready, &Ok(()));
    }

    /// Nothing more will be applied.
    pub(crate) fn end(&self, health: Health, error: &Error) {
        let mut state = self.state();
        state.health = health;
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        answer(waiters, &Err(error.clone()));
    }

    /// Whether anybody waits for a record behind `after`, up to `last`, to be readable.
    pub(crate) fn is_awaited(&self, after: u64, last: u64) -> bool {
        let is_there = |(wanted, sender): &Waiter| {
            (after.saturating_add(1)..=last).contains(wanted) && !sender.is_closed()
        };
        self.state().waiters.iter().any(is_there)
    }

    pub(crate) fn wait_applied(&self, sequence: u64) -> Applied {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let now = match &state.health {
            _ if state.is_published && state.counters.applied_sequence >= sequence => Some(Ok(())),
            Health::NotStarted => Some(Err(Error::NotStarted)),
            Health::Stopped => Some(Err(Error::Stopped)),
            Health::Failed(error) => Some(Err(error.clone())),
            Health::Replaying | Health::Following => None,
        };
        match now {
            Some(result) => answer(vec![(sequence, sender)], &result),
            None => state.add((sequence, sender)),
        }
        Applied(receiver)
    }
}

fn answer(waiters: Vec<Waiter>, result: &Result<(), Error>) {
    for (_, sender) in waiters {
        // Whoever stopped waiting gets no answer.
        drop(sender.send(result.clone()));
    }
}

/// The wait for a sequence to be applied: `.await` it, or block on [`wait`](Self::wait).
#[derive(Debug)]
#[must_use = "nothing waits unless this is awaited"]
pub struct Applied(oneshot::Receiver<Result<(), Error>>);

impl Applied {
    /// Blocks until the sequence is applied and readable, but no longer than `timeout`; `None` where the time was over first.
    #[must_use]
    pub fn wait_for(&self, timeout: Duration) -> Option<Result<(), Error>> {
        match self.0.recv_timeout(timeout) {
            Ok(result) => Some(result),
            Err(oneshot::RecvTimeoutError::Timeout) => None,
            Err(oneshot::RecvTimeoutError::Disconnected) => Some(Err(Error::Stopped)),
        }
    }

    /// Blocks until the sequence is applied and readable.
    ///
    /// # Errors
    ///
    /// The [`Error`] for which the worker ended, or was never started.
    pub fn wait(self) -> Result<(), Error> {
        self.0.recv().unwrap_or(Err(Error::Stopped))
    }
}

impl IntoFuture for Applied {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.0.await.unwrap_or(Err(Error::Stopped)) })
    }
}
