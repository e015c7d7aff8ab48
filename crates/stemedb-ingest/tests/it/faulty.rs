//! A store that blocks, fails or panics when it is told to.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use stemedb_storage::{
    Batch, Cursor, EngineCursor, Error, KVStore, MemoryStore, Result, Snapshot, StoreKind,
};

/// What happens to the next batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Pass,
    Block,
    Fail,
    Panic,
}

impl Mode {
    fn unblock(&mut self) {
        if *self == Self::Block {
            *self = Self::Pass;
        }
    }
}

/// What was asked of the store.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    mode: Mode,
    persists: u64,
    is_applying: bool,
}

/// A store in memory behind a gate.
#[derive(Debug, Default)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    state: Mutex<State>,
    changed: Condvar,
}

impl FaultyStore {
    pub(crate) fn new(mode: Mode) -> Arc<Self> {
        let store = Self::default();
        store.set(mode);
        Arc::new(store)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state().mode = mode;
        self.changed.notify_all();
    }

    /// How often a checkpoint was made.
    pub(crate) fn persists(&self) -> u64 {
        self.state().persists
    }

    /// Waits until a batch is held at the gate, which opens at the end of what is returned.
    pub(crate) fn wait_until_blocked(&self) -> Held<'_> {
        let mut state = self.state();
        while !(state.is_applying && state.mode == Mode::Block) {
            state = self.changed.wait(state).unwrap();
        }
        Held(self)
    }

    fn pass(&self) -> Result<()> {
        let mut state = self.state();
        state.is_applying = true;
        self.changed.notify_all();
        while state.mode == Mode::Block {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_applying = false;
        match state.mode {
            Mode::Pass | Mode::Block => Ok(()),
            Mode::Fail => Err(Error::EngineFailed {
                engine: "faulty",
                source: Arc::new(std::io::Error::other("it was told to fail")),
            }),
            Mode::Panic => panic!("it was told to panic"),
        }
    }
}

/// A batch at the gate. A test that fails drops its ingestor, which waits for the worker: the gate must be open by then.
#[must_use]
pub(crate) struct Held<'a>(&'a FaultyStore);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.state().mode.unblock();
        self.0.changed.notify_all();
    }
}

impl KVStore for FaultyStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.inner.snapshot()
    }

    fn working_snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.inner.working_snapshot()
    }

    fn apply(&self, batch: Batch) -> Result<()> {
        self.pass()?;
        self.inner.apply(batch)
    }

    fn publish(&self) -> Result<()> {
        self.inner.publish()
    }

    fn cursor(&self) -> Result<Option<Cursor>> {
        self.inner.cursor()
    }

    fn cursors(&self) -> Result<Vec<EngineCursor>> {
        self.inner.cursors()
    }

    fn persist(&self) -> Result<()> {
        self.state().persists += 1;
        self.inner.persist()
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn disk_bytes(&self) -> Result<u64> {
        self.inner.disk_bytes()
    }
}
