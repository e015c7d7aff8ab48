//! The guard round every call of an engine: a panic becomes an error, and a failure is final.

use std::{
    any::Any,
    fmt::{self, Display, Formatter},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, OnceLock, Weak},
};

use crate::{
    engine::{Bytes, CacheLookups, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader},
    error::{Corruption, Damage, EngineError, Error, RebuildReason, Result},
    watchdog::{Operation, Stall, StallLimits, Watched},
};

/// Remembers the first failure of any engine of a store.
#[derive(Debug, Default)]
pub(crate) struct Fuse(OnceLock<(&'static str, EngineError)>);

impl Fuse {
    /// Answers the failure, if there was one.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some((engine, source)) => Err(Error::EngineFailed {
                engine,
                source: Arc::clone(source),
            }),
        }
    }

    fn blow(&self, engine: &'static str, source: EngineError) -> Error {
        self.0.get_or_init(|| (engine, Arc::clone(&source)));
        Error::EngineFailed { engine, source }
    }

    /// Runs a read: damage concerns what was read, anything else the engine.
    fn read<T>(&self, engine: &'static str, call: impl FnOnce() -> Result<T, Fault>) -> Result<T> {
        self.check()?;
        match catch(call) {
            Ok(value) => Ok(value),
            Err(Fault::Corrupt(source)) => {
                let damage = Damage::Engine(source.into());
                Err(Corruption {
                    engine,
                    key: None,
                    damage,
                }
                .into())
            }
            Err(fault) => Err(self.blow(engine, cause(fault))),
        }
    }

    /// Runs a write: whatever goes wrong, what was written is unknown.
    fn write<T>(&self, engine: &'static str, call: impl FnOnce() -> Result<T, Fault>) -> Result<T> {
        self.check()?;
        catch(call).map_err(|fault| self.blow(engine, cause(fault)))
    }
}

/// Runs the opening of an engine.
pub(crate) fn open<T>(
    engine: &'static str,
    path: &Path,
    call: impl FnOnce() -> Result<T, Fault>,
) -> Result<T> {
    catch(call).map_err(|fault| match fault {
        Fault::Locked => Error::Locked {
            path: path.to_owned(),
        },
        Fault::Io(source) => Error::Io {
            path: path.to_owned(),
            source: Arc::new(source),
        },
        Fault::Corrupt(source) | Fault::Failed(source) => RebuildReason::Unopenable {
            engine,
            source: source.into(),
        }
        .into(),
    })
}

/// Drops an engine's handles: one that has panicked may panic again.
pub(crate) fn release<T>(engine: &'static str, handles: Option<T>) {
    let dropped = catch(|| {
        drop(handles);
        Ok(())
    });
    if let Err(fault) = dropped {
        tracing::error!(engine, error = %cause(fault), "engine panicked while closing");
    }
}

/// An engine that is called only through its guard.
#[derive(Debug)]
pub(crate) struct Guarded {
    engine: Watched,
    fuse: Arc<Fuse>,
}

impl Guarded {
    /// An engine whose calls may take as long as they like.
    pub(crate) fn new(engine: Box<dyn Engine>, fuse: &Arc<Fuse>) -> Self {
        Self {
            engine: Watched::unwatched(engine),
            fuse: Arc::clone(fuse),
        }
    }

    /// An engine that has failed when a write, a sync or its end takes longer than the limits allow.
    pub(crate) fn watched(
        engine: Box<dyn Engine>,
        fuse: &Arc<Fuse>,
        limits: StallLimits,
    ) -> std::io::Result<Self> {
        Ok(Self {
            engine: Watched::new(engine, limits)?,
            fuse: Arc::clone(fuse),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.engine.engine().name()
    }

    pub(crate) fn isolation(&self) -> Isolation {
        self.engine.engine().isolation()
    }

    pub(crate) fn sync_failed(&self) -> bool {
        self.engine.engine().sync_failed()
    }

    /// The call that takes longer than it should right now.
    pub(crate) fn stall(&self) -> Option<Stall> {
        self.engine.stall()
    }

    /// What was looked up in the engine's caches: empty once an engine of the store has failed, and where this one cannot tell.
    ///
    /// A panic in it ends nothing: what the engine stores is not concerned.
    pub(crate) fn cache_lookups(&self) -> Vec<CacheLookups> {
        if self.fuse.check().is_err() {
            return Vec::new();
        }
        catch(|| Ok(self.engine.engine().cache_lookups())).unwrap_or_else(|fault| {
            let (engine, error) = (self.name(), cause(fault));
            tracing::warn!(engine, %error, "engine cannot tell of its caches");
            Vec::new()
        })
    }

    pub(crate) fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<()> {
        self.fuse
            .write(self.name(), || self.call_commit(writes, level))
    }

    fn call_commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        self.engine.call(Operation::Commit, move |engine| {
            engine.commit(writes, level)
        })
    }

    /// Commits although an engine of the store has failed: to record just that.
    pub(crate) fn commit_last_words(&self, writes: Vec<Pair>) {
        if let Err(fault) = catch(|| self.call_commit(writes, Level::Durable)) {
            tracing::error!(
                engine = self.name(),
                error = %cause(fault),
                "the failure of another engine could not be recorded",
            );
        }
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.fuse.write(self.name(), || {
            self.engine.call(Operation::Sync, |engine| engine.sync())
        })
    }

    pub(crate) fn reader(&self) -> Result<GuardedReader> {
        let reader = self
            .fuse
            .read(self.name(), || self.engine.engine().reader())?;
        Ok(GuardedReader {
            engine: self.name(),
            reader,
            fuse: Arc::clone(&self.fuse),
        })
    }
}

/// A view of an engine that is read only through its guard.
#[derive(Clone, Debug)]
pub(crate) struct GuardedReader {
    engine: &'static str,
    reader: Arc<dyn Reader>,
    fuse: Arc<Fuse>,
}

impl GuardedReader {
    pub(crate) const fn engine(&self) -> &'static str {
        self.engine
    }

    /// Tells whether anybody still reads from this view of the engine.
    pub(crate) fn downgrade(&self) -> Weak<dyn Reader> {
        Arc::downgrade(&self.reader)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.fuse.read(self.engine, || self.reader.get(key))
    }

    pub(crate) fn range(&self, range: Range) -> Result<GuardedPairs> {
        let pairs = self.fuse.read(self.engine, || self.reader.range(range))?;
        Ok(GuardedPairs {
            engine: self.engine,
            pairs: Some(pairs),
            fuse: Arc::clone(&self.fuse),
            _reader: Arc::clone(&self.reader),
        })
    }
}

/// Pairs that are taken out of an engine only through its guard. Ends after the engine's first error.
pub(crate) struct GuardedPairs {
    engine: &'static str,
    pairs: Option<Pairs>,
    fuse: Arc<Fuse>,
    /// The pairs pin what the view pins: while they are held, so is it.
    _reader: Arc<dyn Reader>,
}

impl GuardedPairs {
    pub(crate) const fn engine(&self) -> &'static str {
        self.engine
    }
}

impl Iterator for GuardedPairs {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        let pairs = self.pairs.as_mut()?;
        let item = self
            .fuse
            .read(self.engine, || pairs.next().transpose())
            .transpose();
        if !matches!(item, Some(Ok(_))) {
            self.pairs = None;
        }
        item
    }
}

pub(crate) fn catch<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // What an engine leaves behind after a panic is not used again: the fuse sees to that.
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(Fault::Failed(Box::new(Panic::new(&*panic)))))
}

fn cause(fault: Fault) -> EngineError {
    match fault {
        Fault::Locked => Arc::new(Panic(String::from("engine is locked"))),
        Fault::Io(error) => Arc::new(error),
        Fault::Corrupt(error) | Fault::Failed(error) => error.into(),
    }
}

/// What an engine said when it panicked.
#[derive(Debug)]
struct Panic(String);

impl Panic {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a message");
        Self(format!("panicked: {message}"))
    }
}

impl Display for Panic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Panic {}
