//! The outcome of an append that many may wait for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use stemedb_wal::{AppendError, Appended};

use crate::Error;
use crate::error::Cause;

type Answer = Result<Appended, AppendError>;

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    wakers: Vec<Waker>,
}

/// Set once by the journal's log thread, waited for by any number of threads and tasks.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    state: Mutex<State>,
    settled: Condvar,
}

impl Outcome {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, answer: Answer) {
        let mut state = self.state();
        if state.answer.is_some() {
            return;
        }
        state.answer = Some(answer);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.settled.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The answer, if it is there.
    pub(crate) fn get(&self) -> Option<Result<Appended, Error>> {
        self.state()
            .answer
            .clone()
            .map(|answer| answer.map_err(into_error))
    }

    /// Whether the append has failed.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.state().answer, Some(Err(_)))
    }

    /// Blocks until the answer is there.
    pub(crate) fn wait(&self) -> Result<Appended, Error> {
        let mut state = self.state();
        loop {
            if let Some(answer) = state.answer.clone() {
                return answer.map_err(into_error);
            }
            state = self
                .settled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Result<Appended, Error>> {
        let mut state = self.state();
        if let Some(answer) = state.answer.clone() {
            return Poll::Ready(answer.map_err(into_error));
        }
        if !state
            .wakers
            .iter()
            .any(|waker| waker.will_wake(context.waker()))
        {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

fn into_error(error: AppendError) -> Error {
    match error {
        AppendError::Closed => Cause::Closed.into(),
        other => other.into(),
    }
}

/// Settles an outcome; dropped without an answer it says that the journal is closed.
#[derive(Debug)]
pub(crate) struct Settle(pub(crate) Arc<Outcome>);

impl Settle {
    pub(crate) fn with(self, answer: Answer) {
        self.0.settle(answer);
    }
}

impl Drop for Settle {
    fn drop(&mut self) {
        self.0.settle(Err(AppendError::Closed));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Outcome, Settle};
    use crate::ErrorKind;

    #[test]
    fn whoever_waits_hears_of_a_journal_that_ended() {
        let outcome = Arc::new(Outcome::default());
        let settle = Settle(Arc::clone(&outcome));
        let waiter = std::thread::spawn({
            let outcome = Arc::clone(&outcome);
            move || outcome.wait()
        });
        assert!(outcome.get().is_none());
        drop(settle);
        assert_eq!(
            waiter.join().unwrap().unwrap_err().kind(),
            ErrorKind::Closed
        );
    }
}
