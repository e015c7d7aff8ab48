//! The ingestor: a worker on a thread of its own.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};

use stemedb_storage::KVStore;
use stemedb_wal::{Interrupt, Journal, JournalWatch};
use tokio::sync::Mutex;

use crate::announced::Announcements;
use crate::options::BEHIND_BYTES_MIN;
use crate::progress::{Applied, Counters, Health, Progress};
use crate::{Error, IngestWorker, Options};

#[cfg(test)]
mod tests;

/// Applies a journal to a store in the background.
///
/// Dropping it stops the worker at the end of its batch; what was not applied then is applied after the next start.
#[derive(Debug)]
pub struct Ingestor {
    journal: Arc<Mutex<Journal>>,
    store: Arc<dyn KVStore>,
    options: Options,
    progress: Arc<Progress>,
    announcements: Arc<Announcements>,
    stopping: Arc<Stopping>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

/// The request to stop, which may come before the worker has a reader to interrupt.
#[derive(Debug, Default)]
struct Stopping(StdMutex<(bool, Option<Interrupt>)>);

impl Stopping {
    fn stop(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(interrupt) = &state.1 {
            interrupt.interrupt();
        }
    }

    fn is_asked_for(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn register(&self, interrupt: Interrupt) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            interrupt.interrupt();
        }
        state.1 = Some(interrupt);
    }
}

impl Ingestor {
    /// An ingestor that is not started yet.
    #[must_use]
    pub fn new<S: KVStore + 'static>(journal: Arc<Mutex<Journal>>, store: Arc<S>) -> Self {
        Self::with_options(journal, store, Options::default())
    }

    /// An ingestor with settings, not started yet.
    #[must_use]
    pub fn with_options(
        journal: Arc<Mutex<Journal>>,
        store: Arc<dyn KVStore>,
        options: Options,
    ) -> Self {
        Self {
            journal,
            store,
            options,
            progress: Arc::default(),
            announcements: Arc::default(),
            stopping: Arc::default(),
            thread: None,
        }
    }

    /// Spawns the worker; a second call does nothing.
    ///
    /// What goes wrong from here on comes out of [`wait_applied`](Self::wait_applied), [`health`](Self::health) and [`stop`](Self::stop).
    /// While somebody holds the journal's lock this returns as well, and the worker waits for it.
    pub fn start(&mut self) {
        if self.thread.is_some() {
            return;
        }
        self.progress.set_health(Health::Replaying);
        let job = Job {
            watch: self.watch(),
            journal: Arc::clone(&self.journal),
            store: Arc::clone(&self.store),
            options: self.options.clone(),
            progress: Arc::clone(&self.progress),
            announcements: Arc::clone(&self.announcements),
            stopping: Arc::clone(&self.stopping),
        };
        let thread = std::thread::Builder::new().name("stemedb-ingest".to_owned());
        match thread.spawn(move || job.run()) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => self.fail_to_start(error),
        }
    }

    fn watch(&self) -> Option<JournalWatch> {
        let journal = self.journal.try_lock().ok()?;
        Some(journal.watch())
    }

    fn fail_to_start(&self, error: io::Error) {
        if let Some(watch) = self.watch() {
            refuse_appends(&watch, &self.options);
        }
        let error = Error::Start(Arc::new(error));
        self.progress.end(Health::Failed(error.clone()), &error);
    }

    /// Where whoever appends tells the worker what is known of the records already.
    #[must_use]
    pub fn announcements(&self) -> Arc<Announcements> {
        Arc::clone(&self.announcements)
    }

    /// Waits until the record with this sequence is applied and readable; with 0, until the store can be read at all.
    pub fn wait_applied(&self, sequence: u64) -> Applied {
        self.progress.wait_applied(sequence)
    }

    /// Whether ingestion works.
    #[must_use]
    pub fn health(&self) -> Health {
        self.progress.health()
    }

    /// What the worker has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.progress.counters()
    }

    /// Stops the worker at the end of its batch, makes a checkpoint, and says how it went.
    ///
    /// # Errors
    ///
    /// The [`Error`] for which the worker had ended, or the failure of the checkpoint.
    pub fn stop(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        self.stopping.stop();
        let Some(thread) = self.thread.take() else {
            return match self.progress.health() {
                Health::Failed(error) => Err(error),
                _ => Ok(()),
            };
        };
        thread.thread().unpark();
        thread.join().unwrap_or_else(|panic| {
            Err(Error::Panicked {
                message: panic_message(panic.as_ref()),
            })
        })
    }
}

impl Drop for Ingestor {
    fn drop(&mut self) {
        // The worker has told everybody, and logged it.
        let (Ok(()) | Err(_)) = self.end();
    }
}

/// What the worker's thread does.
struct Job {
    /// `None` where somebody held the journal's lock when the worker was started.
    watch: Option<JournalWatch>,
    journal: Arc<Mutex<Journal>>,
    store: Arc<dyn KVStore>,
    options: Options,
    progress: Arc<Progress>,
    announcements: Arc<Announcements>,
    stopping: Arc<Stopping>,
}

impl Job {
    fn run(mut self) -> Result<(), Error> {
        let progress = Arc::clone(&self.progress);
        let result = caught(|| match self.wait_for_watch() {
            Some(watch) => self.work(&watch),
            None => Ok(()),
        });
        match &result {
            Ok(()) => progress.end(Health::Stopped, &Error::Stopped),
            Err(error) => {
                tracing::error!(%error, "ingestion ended");
                progress.end(Health::Failed(error.clone()), error);
            }
        }
        result
    }

    /// Waits for the journal's lock, which is held for as long as it takes to get a handle, once; `None` where the stop comes first.
    ///
    /// Whoever asks for the stop may be the one that holds the lock.
    fn wait_for_watch(&mut self) -> Option<JournalWatch> {
        if let Some(watch) = self.watch.take() {
            return Some(watch);
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut lock = pin!(self.journal.lock());
        loop {
            if let Poll::Ready(journal) = lock.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(journal.watch());
            }
            if self.stopping.is_asked_for() {
                return None;
            }
            std::thread::park();
        }
    }

    fn work(self, watch: &JournalWatch) -> Result<(), Error> {
        let Self {
            store,
            options,
            progress,
            announcements,
            stopping,
            ..
        } = self;
        let start = || IngestWorker::new(watch, store, options.clone(), progress);
        let mut worker = caught(start).inspect_err(|_| refuse_appends(watch, &options))?;
        worker.hear(announcements);
        stopping.register(worker.interrupt());
        let result = caught(|| worker.run());
        worker.end(&result);
        result
    }
}

/// Wakes the thread that waits for the journal's lock.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A worker that could not begin holds appends back like one that failed later: the store must not fall behind without end.
fn refuse_appends(watch: &JournalWatch, options: &Options) {
    watch.refuse_beyond(options.behind_bytes_max.max(BEHIND_BYTES_MIN));
}

fn caught<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Error::Panicked {
            message: panic_message(panic.as_ref()),
        })
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}
