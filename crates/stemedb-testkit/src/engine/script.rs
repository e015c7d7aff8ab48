//! One process and the calls of its engines: which of them fails, and how.

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use stemedb_storage::engine::{Bytes, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Engine::commit`].
    Commit,
    /// [`Engine::sync`].
    Sync,
    /// [`Engine::reader`].
    Reader,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It fails, and does nothing.
    Fail,
    /// It is done, and then fails: an outcome that is unknown.
    FailLate,
    /// It panics.
    Panic,
    /// The process is killed before it.
    Kill,
    /// The process is killed after it.
    KillLate,
    /// It waits until [`Script::release`], and is done then.
    Stall,
}

/// When an observer is called: in the middle of whatever the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before a call of the engine.
    Before(&'static str, Call),
    /// After it.
    After(&'static str, Call),
}

type Observer = Arc<dyn Fn(Moment) + Send + Sync>;

/// The calls of all engines of one process, in their order. Clones are the same process.
#[derive(Clone, Default)]
pub struct Script(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_killed: AtomicBool,
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    calls: Vec<(&'static str, Call)>,
    /// The call that is meddled with, by its number from 0.
    planned: Option<(usize, Deed)>,
    stalled: bool,
    observer: Option<Observer>,
}

impl Script {
    /// A process in which nothing goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an engine into this process.
    #[must_use]
    pub fn wrap(&self, inner: Box<dyn Engine>) -> Box<dyn Engine> {
        let process = self.clone();
        Box::new(Scripted { inner, process })
    }

    /// Meddles with the call that comes after `passing` others from now on.
    pub fn plan(&self, passing: usize, deed: Deed) {
        let mut state = self.state();
        state.planned = Some((state.calls.len() + passing, deed));
    }

    /// Has `observer` called before and after each call of an engine.
    pub fn observe(&self, observer: impl Fn(Moment) + Send + Sync + 'static) {
        self.state().observer = Some(Arc::new(observer));
    }

    /// Ends the observation.
    pub fn look_away(&self) {
        self.state().observer = None;
    }

    /// The calls so far, by the names of their engines.
    #[must_use]
    pub fn calls(&self) -> Vec<(&'static str, Call)> {
        self.state().calls.clone()
    }

    /// Kills the process: whatever it still asks for fails, and changes nothing.
    pub fn kill(&self) {
        self.0.is_killed.store(true, Ordering::Release);
        self.release();
    }

    /// Whether the process was killed.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.0.is_killed.load(Ordering::Acquire)
    }

    /// Waits until a call stalls.
    pub fn wait_stalled(&self) {
        let mut state = self.state();
        while !state.stalled {
            state = self.wait(state);
        }
    }

    /// Lets a stalled call go on.
    pub fn release(&self) {
        self.state().stalled = false;
        self.0.released.notify_all();
    }

    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_killed() {
            return Err(io::Error::other("the process was killed"));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.0.released.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, moment: Moment) {
        let observer = self.state().observer.clone();
        if let Some(observer) = observer {
            observer(moment);
        }
    }

    fn begin(&self, engine: &'static str, call: Call) -> Option<Deed> {
        let mut state = self.state();
        let number = state.calls.len();
        state.calls.push((engine, call));
        let deed = state.planned.filter(|(planned, _)| *planned == number)?.1;
        state.planned = None;
        Some(deed)
    }

    fn stall(&self) {
        let mut state = self.state();
        state.stalled = true;
        self.0.released.notify_all();
        while state.stalled {
            state = self.wait(state);
        }
    }

    fn run<T>(
        &self,
        (engine, call): (&'static str, Call),
        work: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.check().map_err(Fault::Io)?;
        self.tell(Moment::Before(engine, call));
        let deed = self.begin(engine, call);
        match deed {
            Some(Deed::Fail) => return Err(told_to_fail()),
            Some(Deed::Kill) => self.kill(),
            Some(Deed::Stall) => self.stall(),
            Some(Deed::FailLate | Deed::KillLate | Deed::Panic) | None => {}
        }
        if deed == Some(Deed::Panic) {
            // Without the panic hook: thousands of these are no news.
            std::panic::resume_unwind(Box::new(format!("told to panic in {call:?}")));
        }
        self.check().map_err(Fault::Io)?;
        let done = work()?;
        match deed {
            Some(Deed::FailLate) => return Err(told_to_fail()),
            Some(Deed::KillLate) => self.kill(),
            _ => {}
        }
        self.check().map_err(Fault::Io)?;
        self.tell(Moment::After(engine, call));
        Ok(done)
    }
}

impl Debug for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

fn told_to_fail() -> Fault {
    Fault::Io(io::Error::other("told to fail"))
}

#[derive(Debug)]
struct Scripted {
    inner: Box<dyn Engine>,
    process: Script,
}

impl Engine for Scripted {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn isolation(&self) -> Isolation {
        self.inner.isolation()
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        let call = (self.name(), Call::Commit);
        self.process.run(call, || self.inner.commit(writes, level))
    }

    fn sync(&self) -> Result<(), Fault> {
        let call = (self.name(), Call::Sync);
        self.process.run(call, || self.inner.sync())
    }

    fn sync_failed(&self) -> bool {
        self.inner.sync_failed()
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        let call = (self.name(), Call::Reader);
        let inner = self.process.run(call, || self.inner.reader())?;
        let process = self.process.clone();
        Ok(Arc::new(ScriptedReader { inner, process }))
    }
}

#[derive(Debug)]
struct ScriptedReader {
    inner: Arc<dyn Reader>,
    process: Script,
}

impl Reader for ScriptedReader {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.process.check().map_err(Fault::Io)?;
        self.inner.get(key)
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        self.process.check().map_err(Fault::Io)?;
        self.inner.range(range)
    }
}
