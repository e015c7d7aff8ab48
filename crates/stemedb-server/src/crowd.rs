//! Connections that wait for their clients, so that one of them makes room when all places are taken and somebody new comes.
//!
//! It is for the server to choose, which sees all of them, and for the connection to go, which alone knows that nothing has come meanwhile.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::WAIT_SECONDS_MIN;

#[cfg(test)]
mod tests;

/// What a connection waits for. Who stands first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// For the rest of a handshake or of a head, or for the client to close.
    Rest,
    /// For the next request.
    Request,
}

/// What a connection does, as others see it. Clones are of the same connection.
#[derive(Clone, Debug)]
pub(crate) struct Standing(Arc<Mutex<Doing>>);

#[derive(Debug)]
struct Doing {
    /// What it waits for, and since when; `None` while it answers.
    waits: Option<(Wait, Instant)>,
    is_to_go: bool,
    task: Option<Waker>,
}

impl Standing {
    /// That of a connection that begins.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Doing {
            waits: Some((Wait::Rest, Instant::now())),
            is_to_go: false,
            task: None,
        })))
    }

    /// From this moment on it waits, and may have to go.
    pub(crate) fn wait(&self, wait: Wait, now: Instant) {
        self.set(Some((wait, now)));
    }

    /// From now on it answers, and stays.
    pub(crate) fn answer(&self) {
        self.set(None);
    }

    fn set(&self, waits: Option<(Wait, Instant)>) {
        let mut doing = lock(&self.0);
        doing.waits = waits;
        doing.is_to_go = false;
    }

    /// Ready when it is to go.
    pub(crate) fn poll_leave(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut doing = lock(&self.0);
        if doing.is_to_go {
            return Poll::Ready(());
        }
        match &mut doing.task {
            Some(task) => task.clone_from(cx.waker()),
            task => *task = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Returns when it is to go.
    pub(crate) async fn leave(&self) {
        poll_fn(|cx| self.poll_leave(cx)).await;
    }

    /// What it waits for, and since when, if it may go.
    fn waits(&self) -> Option<(Wait, Instant)> {
        let doing = lock(&self.0);
        doing.waits.filter(|_| !doing.is_to_go)
    }

    /// Tells it to go, if it still waits as it did.
    fn dismiss(&self, waits: (Wait, Instant)) -> bool {
        let mut doing = lock(&self.0);
        if doing.waits != Some(waits) {
            return false;
        }
        doing.is_to_go = true;
        let task = doing.task.take();
        drop(doing);
        if let Some(task) = task {
            task.wake();
        }
        true
    }
}

/// The connections of a server. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowd(Arc<Mutex<Members>>);

#[derive(Debug, Default)]
struct Members {
    next: u64,
    standings: HashMap<u64, Standing>,
}

impl Crowd {
    /// A connection begins.
    pub(crate) fn enter(&self) -> Member {
        let standing = Standing::new();
        let mut members = lock(&self.0);
        let number = members.next;
        members.next += 1;
        members.standings.insert(number, standing.clone());
        drop(members);
        Member {
            crowd: self.clone(),
            number,
            standing,
        }
    }

    /// Tells the connection to go that has waited longest, if one has waited for long enough; says whether there was one.
    pub(crate) fn make_room(&self) -> bool {
        let now = Instant::now();
        let least = Duration::from_secs(WAIT_SECONDS_MIN);
        let members = lock(&self.0);
        let waiting = members.standings.values().filter_map(|standing| {
            let waits = standing.waits()?;
            (now.duration_since(waits.1) >= least).then_some((waits, standing))
        });
        let first = waiting.min_by_key(|(waits, _)| *waits);
        first.is_some_and(|(waits, standing)| standing.dismiss(waits))
    }
}

/// A connection among the others, until it is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    crowd: Crowd,
    number: u64,
    standing: Standing,
}

impl Member {
    pub(crate) fn standing(&self) -> Standing {
        self.standing.clone()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        lock(&self.crowd.0).standings.remove(&self.number);
    }
}

/// What is behind these locks is whole whatever happened.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
