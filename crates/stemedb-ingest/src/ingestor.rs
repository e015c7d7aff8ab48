//! The ingestor: a worker on a thread of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::thread::JoinHandle;

use stemedb_storage::KVStore;
use stemedb_wal::{Interrupt, Journal};
use tokio::sync::Mutex;

use crate::progress::{Applied, Counters, Health, Progress};
use crate::{Error, IngestWorker, Options};

/// Applies a journal to a store in the background.
///
/// Dropping it stops the worker at the end of its batch; what was not applied then is applied after the next start.
#[derive(Debug)]
pub struct Ingestor {
    journal: Arc<Mutex<Journal>>,
    store: Arc<dyn KVStore>,
    options: Options,
    progress: Arc<Progress>,
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
            stopping: Arc::default(),
            thread: None,
        }
    }

    /// Spawns the worker; a second call does nothing.
    ///
    /// What goes wrong from here on comes out of [`wait_applied`](Self::wait_applied), [`health`](Self::health) and [`stop`](Self::stop).
    pub fn start(&mut self) {
        if self.thread.is_some() {
            return;
        }
        self.progress.set_health(Health::Replaying);
        let journal = Arc::clone(&self.journal);
        let store = Arc::clone(&self.store);
        let options = self.options.clone();
        let progress = Arc::clone(&self.progress);
        let stopping = Arc::clone(&self.stopping);
        let thread = std::thread::Builder::new().name("stemedb-ingest".to_owned());
        let spawned = thread.spawn(move || {
            let work = || work(&journal, store, options, (&progress, &stopping));
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                Err(Error::Panicked {
                    message: panic_message(panic.as_ref()),
                })
            });
            match &result {
                Ok(()) => progress.end(Health::Stopped, &Error::Stopped),
                Err(error) => {
                    tracing::error!(%error, "ingestion ended");
                    progress.end(Health::Failed(error.clone()), error);
                }
            }
            result
        });
        match spawned {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => {
                let error = Error::Start(Arc::new(error));
                self.progress.end(Health::Failed(error.clone()), &error);
            }
        }
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
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(Error::Panicked {
                message: panic_message(panic.as_ref()),
            }),
        }
    }
}

impl Drop for Ingestor {
    fn drop(&mut self) {
        // The worker has told everybody, and logged it.
        let (Ok(()) | Err(_)) = self.end();
    }
}

fn work(
    journal: &Mutex<Journal>,
    store: Arc<dyn KVStore>,
    options: Options,
    (progress, stopping): (&Arc<Progress>, &Stopping),
) -> Result<(), Error> {
    // The lock is held for as long as it takes to get a handle, once.
    let watch = journal.blocking_lock().watch();
    let mut worker = IngestWorker::new(&watch, store, options, Arc::clone(progress))?;
    stopping.register(worker.interrupt());
    let result = catch_unwind(AssertUnwindSafe(|| worker.run())).unwrap_or_else(|panic| {
        Err(Error::Panicked {
            message: panic_message(panic.as_ref()),
        })
    });
    worker.end(&result);
    result
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}
