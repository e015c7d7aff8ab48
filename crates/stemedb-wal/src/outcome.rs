//! What became of the requests that went into one group: settled once, by the log thread, for all who wait.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::AppendError;
use crate::sync::{Condvar, Mutex, MutexGuard};

#[cfg(test)]
mod tests;

/// What a group is answered with.
pub(crate) type Written = Result<(), AppendError>;

#[derive(Debug, Default)]
struct State {
    written: Option<Written>,
    wakers: Vec<Waker>,
    sleepers: usize,
}

/// One for all the requests of a group, so that they cost one allocation, and their threads are woken by one call.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    state: Mutex<State>,
    settled: Condvar,
}

impl Outcome {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until it is settled.
    pub(crate) fn wait(&self) -> Written {
        let mut state = self.state();
        loop {
            if let Some(written) = &state.written {
                return written.clone();
            }
            state.sleepers += 1;
            state = self
                .settled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
    }

    /// Asks whether it is settled, and has the task woken otherwise. `place` is where its waker stands, from its first poll on.
    pub(crate) fn poll(&self, context: &Context<'_>, place: &mut Option<usize>) -> Poll<Written> {
        let mut state = self.state();
        if let Some(written) = &state.written {
            return Poll::Ready(written.clone());
        }
        if let Some(waker) = place.and_then(|place| state.wakers.get_mut(place)) {
            waker.clone_from(context.waker());
        } else {
            *place = Some(state.wakers.len());
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn settle(&self, written: Written) {
        let mut state = self.state();
        if state.written.is_some() {
            return;
        }
        state.written = Some(written);
        let wakers = std::mem::take(&mut state.wakers);
        let is_slept_on = state.sleepers > 0;
        drop(state);
        if is_slept_on {
            self.settled.notify_all();
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The right to settle an outcome; dropped without that it says that the journal is closed.
#[derive(Debug, Default)]
pub(crate) struct Settle(Arc<Outcome>);

impl Settle {
    pub(crate) fn outcome(&self) -> Arc<Outcome> {
        Arc::clone(&self.0)
    }

    pub(crate) fn with(self, written: Written) {
        self.0.settle(written);
    }
}

impl Drop for Settle {
    fn drop(&mut self) {
        self.0.settle(Err(AppendError::Closed));
    }
}
