//! An engine that fails on purpose.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use crate::engine::{
    Bytes, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader, memory::MemoryEngine,
};

/// What goes wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    Panics(Call),
    Fails(Call),
    /// The write happens, and then an error is answered: an unknown outcome.
    FailsAfterCommit,
    ReadsDamage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Commit,
    Sync,
    Reader,
    Get,
    Range,
    Next,
}

/// An engine in memory that does as it is told. Its content outlives the store on it.
#[derive(Clone, Debug)]
pub(super) struct Faulty {
    pub(super) inner: MemoryEngine,
    pub(super) trouble: Arc<Mutex<Trouble>>,
    pub(super) sync_failed: Arc<AtomicBool>,
}

impl Faulty {
    pub(super) fn new() -> Self {
        Self {
            inner: MemoryEngine::default(),
            trouble: Arc::new(Mutex::new(Trouble::None)),
            sync_failed: Arc::default(),
        }
    }

    pub(super) fn set(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn trouble(&self) -> Trouble {
        *self.trouble.lock().unwrap()
    }

    fn meet(&self, call: Call) -> Result<(), Fault> {
        let trouble = self.trouble();
        assert!(
            trouble != Trouble::Panics(call),
            "told to panic in {call:?}"
        );
        if trouble == Trouble::Fails(call) {
            return Err(Fault::Io(std::io::Error::other("told to fail")));
        }
        Ok(())
    }
}

impl Engine for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn isolation(&self) -> Isolation {
        Isolation::Live
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        self.meet(Call::Commit)?;
        self.inner.commit(writes, level)?;
        match self.trouble() {
            Trouble::FailsAfterCommit => Err(Fault::Failed("told to fail late".into())),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), Fault> {
        self.meet(Call::Sync)
            .inspect_err(|_| self.sync_failed.store(true, Ordering::Relaxed))
    }

    fn sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Relaxed)
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        self.meet(Call::Reader)?;
        Ok(Arc::new(self.clone()))
    }
}

impl Reader for Faulty {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.meet(Call::Get)?;
        match self.trouble() {
            Trouble::ReadsDamage => Err(Fault::Corrupt("told to find damage".into())),
            _ => Reader::get(&self.inner, key),
        }
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        self.meet(Call::Range)?;
        let this = self.clone();
        let pairs = self.inner.range(range)?;
        Ok(Box::new(
            pairs.map(move |pair| this.meet(Call::Next).and(pair)),
        ))
    }
}
