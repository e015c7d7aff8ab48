//! The watchdog on an engine: whoever waits for a call that does not come back stops waiting.
//!
//! fjall holds writers back in loops that look at nothing but its own background threads: where one of these has died, as it does
//! after an I/O error, a commit never returns. So what writes, syncs or closes runs on a thread of the engine's own, and the
//! caller waits for it with bounded patience. A thread that is stuck is left to itself and never joined.

use std::{
    fmt::{self, Debug, Display, Formatter},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::engine::{Engine, Fault};

/// How often the watchdog looks, as a part of the shorter limit; and the limits of that.
const TICKS_PER_LIMIT: u32 = 8;
const TICK_MIN: Duration = Duration::from_millis(1);
const TICK_MAX: Duration = Duration::from_secs(1);

/// How long a call into an engine may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StallLimits {
    /// After that long it is told of, once in the log, and by [`KVStore::stall`](crate::KVStore::stall). Default: 5 s.
    pub warn_after: Duration,
    /// After that long without any progress the store is declared failed, more than 0. Default: 60 s.
    pub fail_after: Duration,
}

impl Default for StallLimits {
    fn default() -> Self {
        Self {
            warn_after: Duration::from_secs(5),
            fail_after: Duration::from_mins(1),
        }
    }
}

impl StallLimits {
    fn tick(&self) -> Duration {
        let shorter = self.warn_after.min(self.fail_after);
        (shorter / TICKS_PER_LIMIT).clamp(TICK_MIN, TICK_MAX)
    }
}

/// What an engine was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Writing a batch.
    Commit,
    /// Bringing what was written to the disk.
    Sync,
    /// Letting go of its files and threads.
    Close,
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Sync => "sync",
            Self::Close => "close",
        })
    }
}

/// What an engine still has to do in the background. As long as it changes, a call that waits for it makes progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Sealed memtables in the queue to be flushed.
    pub pending_flushes: u64,
    /// Bytes that were written and not flushed.
    pub unflushed_bytes: u64,
    /// Compactions that go on now.
    pub running_compactions: u64,
    /// Compactions that were finished since the engine was opened.
    pub finished_compactions: u64,
}

/// A call into an engine that takes longer than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The engine.
    pub engine: &'static str,
    /// What it was asked to do.
    pub operation: Operation,
    /// For how long it has been at it.
    pub waited: Duration,
    /// What holds it back, where the engine tells.
    pub backlog: Option<Backlog>,
}

impl Display for Stall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            engine,
            operation,
            waited,
            backlog,
        } = self;
        let seconds = waited.as_secs_f64();
        write!(
            f,
            "{operation} of engine {engine} has not returned for {seconds:.1} s"
        )?;
        let Some(backlog) = backlog else {
            return Ok(());
        };
        let Backlog {
            pending_flushes,
            unflushed_bytes,
            ..
        } = backlog;
        write!(
            f,
            ": write stall, {pending_flushes} flushes pending, {unflushed_bytes} bytes not flushed"
        )
    }
}

impl std::error::Error for Stall {}

/// What to do after another moment of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Wait,
    Warn,
    GiveUp,
}

/// How long one call has been waited for. Pure: time comes in as ticks, so that a machine that slept does not count.
#[derive(Debug)]
struct Patience {
    limits: StallLimits,
    waited: Duration,
    idle: Duration,
    seen: Option<Backlog>,
    has_warned: bool,
}

impl Patience {
    const fn new(limits: StallLimits) -> Self {
        Self {
            limits,
            waited: Duration::ZERO,
            idle: Duration::ZERO,
            seen: None,
            has_warned: false,
        }
    }

    fn tick(&mut self, by: Duration, backlog: Option<Backlog>) -> Verdict {
        self.waited = self.waited.saturating_add(by);
        self.idle = if self.seen.is_some() && self.seen != backlog {
            Duration::ZERO
        } else {
            self.idle.saturating_add(by)
        };
        self.seen = backlog;
        if self.idle >= self.limits.fail_after {
            return Verdict::GiveUp;
        }
        if self.has_warned || self.waited < self.limits.warn_after {
            return Verdict::Wait;
        }
        self.has_warned = true;
        Verdict::Warn
    }
}

type Job = Box<dyn FnOnce(&dyn Engine) + Send>;

/// An engine with a watchdog, or without one.
pub(crate) struct Watched {
    // Ordering: dropped before the watchdog, which waits until its thread has dropped the last handle.
    engine: Arc<dyn Engine>,
    watchdog: Option<Watchdog>,
}

impl Watched {
    /// An engine whose calls run where they are made, and may take as long as they like.
    pub(crate) fn unwatched(engine: Box<dyn Engine>) -> Self {
        Self {
            engine: engine.into(),
            watchdog: None,
        }
    }

    /// An engine whose writes, syncs and end run on a thread of its own.
    pub(crate) fn new(engine: Box<dyn Engine>, limits: StallLimits) -> io::Result<Self> {
        let engine: Arc<dyn Engine> = engine.into();
        let watchdog = Watchdog::start(&engine, limits)?;
        Ok(Self {
            engine,
            watchdog: Some(watchdog),
        })
    }

    /// The engine, for calls that never wait.
    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The call that takes longer than it should right now.
    pub(crate) fn stall(&self) -> Option<Stall> {
        self.watchdog
            .as_ref()
            .and_then(|watchdog| *watchdog.stall())
    }

    pub(crate) fn call<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&dyn Engine) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        match &self.watchdog {
            None => work(self.engine()),
            Some(watchdog) => watchdog.call(self.engine(), operation, work),
        }
    }
}

impl Debug for Watched {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.engine).finish()
    }
}

/// The thread on which an engine works, and the patience of those who wait for it.
struct Watchdog {
    name: &'static str,
    limits: StallLimits,
    /// Absent only while this is dropped: its end ends the thread.
    jobs: Option<Sender<Job>>,
    /// Says nothing, and ends when the thread has dropped the engine.
    closed: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    /// Written by whoever waits for a call.
    stall: Mutex<Option<Stall>>,
    /// Whether a call was given up: the thread may be stuck for ever.
    is_abandoned: AtomicBool,
}

impl Watchdog {
    fn start(engine: &Arc<dyn Engine>, limits: StallLimits) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (closing, closed) = mpsc::channel::<()>();
        let name = engine.name();
        let engine = Arc::clone(engine);
        let thread = thread::Builder::new()
            .name(format!("stemedb-{name}"))
            .spawn(move || {
                for job in queue {
                    job(&*engine);
                }
                drop(engine);
                drop(closing);
            })?;
        Ok(Self {
            name,
            limits,
            jobs: Some(jobs),
            closed: Mutex::new(closed),
            thread: Some(thread),
            stall: Mutex::default(),
            is_abandoned: AtomicBool::new(false),
        })
    }

    fn stall(&self) -> MutexGuard<'_, Option<Stall>> {
        self.stall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T: Send + 'static>(
        &self,
        engine: &dyn Engine,
        operation: Operation,
        work: impl FnOnce(&dyn Engine) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |engine| {
            // Whoever asked may have given up.
            drop(answer.send(crate::guard::catch(|| work(engine))));
        });
        let ended = || Fault::Failed("its thread has ended".into());
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_gone| ended())?;
        match self.wait(operation, &answered, &|| engine.backlog()) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(ended()),
            Err(stall) => Err(Fault::Failed(Box::new(stall))),
        }
    }

    /// Waits for an answer or the end of its sender, as long as there is progress.
    fn wait<T>(
        &self,
        operation: Operation,
        answered: &Receiver<T>,
        backlog: &dyn Fn() -> Option<Backlog>,
    ) -> Result<Option<T>, Stall> {
        let tick = self.limits.tick();
        let mut patience = Patience::new(self.limits);
        loop {
            let answer = match answered.recv_timeout(tick) {
                Ok(answer) => Some(answer),
                Err(RecvTimeoutError::Disconnected) => None,
                Err(RecvTimeoutError::Timeout) => {
                    self.tell(operation, &mut patience, backlog())?;
                    continue;
                }
            };
            if self.stall().take().is_some() {
                tracing::info!(engine = self.name, %operation, "engine goes on");
            }
            return Ok(answer);
        }
    }

    fn tell(
        &self,
        operation: Operation,
        patience: &mut Patience,
        backlog: Option<Backlog>,
    ) -> Result<(), Stall> {
        let verdict = patience.tick(self.limits.tick(), backlog);
        let stall = Stall {
            engine: self.name,
            operation,
            waited: patience.waited,
            backlog,
        };
        if verdict == Verdict::Warn {
            let (engine, waited) = (self.name, stall.waited);
            tracing::warn!(engine, %operation, ?waited, ?backlog, "{stall}");
        }
        if patience.has_warned {
            *self.stall() = Some(stall);
        }
        if verdict == Verdict::GiveUp {
            *self.stall() = Some(stall);
            // Ordering: read by the drop of this alone, which comes after every call.
            self.is_abandoned.store(true, Ordering::Relaxed);
            return Err(stall);
        }
        Ok(())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.jobs = None;
        if self.is_abandoned.load(Ordering::Relaxed) {
            return;
        }
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(stall) = self.wait(Operation::Close, &closed, &|| None) {
            tracing::error!(engine = self.name, "{stall}; it is left to itself");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(engine = self.name, "engine panicked while closing");
        }
    }
}

#[cfg(test)]
mod tests;
