//! The way out: reads run on threads that may block, few at a time, each on a view of its own, and for as long as anybody waits for them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};
use stemedb::{Sequence, View};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::Span;

use crate::courtesy::{Turns, in_turns, let_others_run};
use crate::limits::{APPLIED_POLL_MS, PATIENT_NICENESS};
use crate::problem::{Asked, Problem};
use crate::query::At;
use crate::state::Shared;
use crate::wire::Code;

#[cfg(test)]
mod tests;

impl Shared {
    /// Reads from a view that shows what `at` asks for.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        at: At,
        read: impl FnOnce(&View) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let places = if at.is_long {
            Places::Patient(&self.patient)
        } else {
            Places::Prompt(&self.reads)
        };
        self.read_among(places, at, read).await
    }

    /// The same, when one of `places` is free.
    pub(crate) async fn read_among<T: Send + 'static>(
        self: &Arc<Self>,
        places: Places<'_>,
        at: At,
        read: impl FnOnce(&View) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        if let Some(wanted) = at.wanted() {
            self.wait_applied(wanted).await?;
        }
        let shared = Arc::clone(self);
        let waiting = Waiting::default();
        let given_up = Arc::clone(&waiting.given_up);
        let is_given_up = move || {
            let_others_run();
            // Ordering: nothing else is told by it.
            given_up.load(Ordering::Relaxed)
        };
        let read = move || {
            let view = shared.database.view();
            let view = view.map(|view| view.until(is_given_up));
            let view = view.and_then(|view| match at.as_of {
                Some(sequence) => view.as_of(sequence),
                None => Ok(view),
            });
            read(&view.map_err(|error| Problem::of(&error, Asked::Read))?)
        };
        let read = match places {
            Places::Prompt(places) => block(places, Turns::Usual, read).await,
            Places::Patient(patient) => patient.block(read).await,
        };
        drop(waiting);
        read
    }

    /// Waits until a sequence can be read, but not for long.
    async fn wait_applied(&self, wanted: Sequence) -> Result<(), Problem> {
        let limit = Duration::from_secs(self.settings.wait_seconds_max);
        let waited = timeout(limit, self.until_applied(wanted)).await;
        waited.unwrap_or_else(|_| Err(not_yet_applied(wanted)))
    }

    async fn until_applied(&self, wanted: Sequence) -> Result<(), Problem> {
        let failed = |error: stemedb::Error| Problem::of(&error, Asked::Read);
        loop {
            if self.database.view().map_err(failed)?.applied() >= Some(wanted) {
                return Ok(());
            }
            // The database remembers whoever waits until the sequence comes, so that it is asked only for one that will.
            if wanted.get() <= self.intake.acknowledged_upto() {
                return self.database.wait_applied(wanted).await.map_err(failed);
            }
            sleep(Duration::from_millis(APPLIED_POLL_MS)).await;
        }
    }
}

/// A place for each piece of work that goes on at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Places<'a> {
    /// Of what is done at once.
    Prompt(&'a Arc<Semaphore>),
    /// Of what others go before.
    Patient(&'a Patient),
}

/// Somebody who waits for a read, and gives it up when this is dropped: it has ended, its time is over, or its client is gone.
#[derive(Debug, Default)]
struct Waiting {
    given_up: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Ordering: nothing else is told by it.
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// Runs what blocks on the blocking pool, when one of `places` is free, in turns with others.
///
/// Whoever stops waiting does not end it: it keeps its place until it is done, or finds that it is given up.
pub(crate) async fn block<T: Send + 'static>(
    places: &Arc<Semaphore>,
    turns: Turns,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let place = Arc::clone(places).acquire_owned().await;
    // What it says is said of the request that it is done for.
    let span = Span::current();
    let done = spawn_blocking(move || {
        let _place = place;
        in_turns(turns, || span.in_scope(work))
    });
    done.await.unwrap_or_else(|error| unanswered(&error))
}

/// What others go before: places for it, and a thread for each that leaves the processors to all others where they want them.
///
/// A thread that has yielded may not be allowed to stop doing so, so that these do nothing else.
#[derive(Debug)]
pub(crate) struct Patient {
    pub(crate) places: Arc<Semaphore>,
    threads: ThreadPool,
}

impl Patient {
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("stemedb-patient-{index}"))
            .start_handler(|_| yield_to_others())
            // Whoever waits for it is told that there is no answer.
            .panic_handler(|_| tracing::error!("work that takes long panicked"))
            .build();
        Ok(Self {
            places: Arc::new(Semaphore::new(count)),
            threads: threads.map_err(io::Error::other)?,
        })
    }

    /// The same as [`block`], on one of these threads.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let span = Span::current();
        let (answer, answered) = oneshot::channel();
        self.threads.spawn(move || {
            let _place = place;
            // Whoever stopped waiting gets no answer.
            drop(answer.send(in_turns(Turns::Short, || span.in_scope(work))));
        });
        answered.await.unwrap_or_else(|error| unanswered(&error))
    }
}

/// Lets this thread have what processors others leave.
#[cfg(target_os = "linux")]
fn yield_to_others() {
    // A niceness is that of a thread here.
    let this = rustix::thread::gettid();
    let yielded = rustix::process::setpriority_process(Some(this), PATIENT_NICENESS);
    if let Err(error) = yielded {
        tracing::debug!(%error, "a thread that takes long does not yield to others");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}

fn unanswered<T>(error: &impl std::error::Error) -> Result<T, Problem> {
    tracing::error!(%error, "work on a thread ended without an answer");
    Err(Problem::internal("an internal failure"))
}

fn not_yet_applied(wanted: Sequence) -> Problem {
    let detail = format!("sequence {wanted} cannot be read yet; ask again, or for a lower one");
    Problem::new(Code::NotYetApplied, detail)
}
