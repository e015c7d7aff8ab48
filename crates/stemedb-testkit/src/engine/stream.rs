//! A model of fjall: a journal of batches, of which a crash keeps a prefix.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stemedb_storage::engine::{Bytes, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader};

use super::Script;
use crate::disk::Random;

type Shared = Arc<[u8]>;
type Map = BTreeMap<Shared, Shared>;

/// What a crash takes from a [`StreamModel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Any number of the last batches that were not synced.
    Unsynced,
    /// Any number of the last batches, synced or not: a disk that lies.
    Synced,
    /// One batch, synced or not, and none of those after it: damage in a sealed journal.
    Hole,
}

/// What a model of fjall has on its disk. Clones are the same disk.
///
/// A commit survives the process, and a crash only with everything that was committed before it.
#[derive(Clone, Debug, Default)]
pub struct StreamModel(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    batches: Vec<Vec<(Shared, Shared)>>,
    /// How many of them are durable.
    synced: usize,
    /// How many of those that are not durable no sync will bring to the disk: one that should have has failed.
    forsaken: usize,
    map: Arc<Map>,
    /// The next sync fails.
    is_sync_planned_to_fail: bool,
}

impl StreamModel {
    /// Name of the engine.
    pub const NAME: &'static str = "stream";

    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the engine, for as long as `process` lives.
    #[must_use]
    pub fn open(&self, process: &Script) -> Box<dyn Engine> {
        Box::new(Open {
            model: self.clone(),
            process: process.clone(),
            sync_failed: AtomicBool::new(false),
        })
    }

    /// Loses the power; the processes before it must be dead.
    pub fn crash(&self, random: &mut Random, loss: Loss) {
        let mut state = self.state();
        let length = state.batches.len() as u64;
        let least = match loss {
            Loss::Unsynced => state.synced as u64,
            Loss::Synced | Loss::Hole => 0,
        };
        let at = least + random.below(length - least + 1);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        match loss {
            Loss::Hole if at < state.batches.len() => drop(state.batches.remove(at)),
            _ => state.batches.truncate(at),
        }
        state.settle();
    }

    /// Loses all but the first batches, synced or not.
    pub fn truncate(&self, batches: usize) {
        let mut state = self.state();
        state.batches.truncate(batches);
        state.settle();
    }

    /// Another disk with the same on it, all of it durable.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut state = State {
            batches: self.state().batches.clone(),
            ..State::default()
        };
        state.settle();
        Self(Arc::new(Mutex::new(state)))
    }

    /// The keys of each batch, in the order of the commits.
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<Vec<u8>>> {
        let state = self.state();
        let keys =
            |batch: &Vec<(Shared, Shared)>| batch.iter().map(|(key, _)| key.to_vec()).collect();
        state.batches.iter().map(keys).collect()
    }

    /// Has the next sync fail. What it should have made durable can still be read, and no later sync makes it durable.
    pub fn fail_next_sync(&self) {
        self.state().is_sync_planned_to_fail = true;
    }

    /// Takes that back; says whether the sync was still to come.
    pub fn forget_plans(&self) -> bool {
        std::mem::take(&mut self.state().is_sync_planned_to_fail)
    }

    /// How many batches there are, and how many of them are durable.
    #[must_use]
    pub fn batches(&self) -> (usize, usize) {
        let state = self.state();
        (state.batches.len(), state.synced)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is there is durable, and all that there is.
    fn settle(&mut self) {
        self.synced = self.batches.len();
        self.forsaken = 0;
        let mut map = Map::new();
        map.extend(self.batches.iter().flatten().cloned());
        self.map = Arc::new(map);
    }
}

#[derive(Debug)]
struct Open {
    model: StreamModel,
    process: Script,
    sync_failed: AtomicBool,
}

impl Engine for Open {
    fn name(&self) -> &'static str {
        StreamModel::NAME
    }

    fn isolation(&self) -> Isolation {
        Isolation::Snapshot
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        self.process.check().map_err(Fault::Io)?;
        let batch: Vec<(Shared, Shared)> = writes
            .into_iter()
            .map(|(key, envelope)| (key[..].into(), envelope[..].into()))
            .collect();
        let mut state = self.model.state();
        Arc::make_mut(&mut state.map).extend(batch.iter().cloned());
        state.batches.push(batch);
        drop(state);
        match level {
            Level::Visible => Ok(()),
            Level::Durable => self.sync(),
        }
    }

    fn sync(&self) -> Result<(), Fault> {
        self.process.check().map_err(Fault::Io)?;
        let mut state = self.model.state();
        if std::mem::take(&mut state.is_sync_planned_to_fail) {
            state.forsaken = state.batches.len();
            self.sync_failed.store(true, Ordering::Release);
            return Err(Fault::Io(io::Error::other("told to fail in a sync")));
        }
        // What lies behind batches that never reach the disk is not recovered either: only a prefix is.
        if state.forsaken == 0 {
            state.synced = state.batches.len();
        }
        Ok(())
    }

    fn sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        self.process.check().map_err(Fault::Io)?;
        Ok(Arc::new(StreamReader(Arc::clone(&self.model.state().map))))
    }
}

#[derive(Debug)]
struct StreamReader(Arc<Map>);

impl Reader for StreamReader {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.0.get(key).map(|envelope| envelope.to_vec().into()))
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let bounds = (range.start.map(Shared::from), range.end.map(Shared::from));
        let found: Vec<(Shared, Shared)> = self
            .0
            .range(bounds)
            .map(|(key, envelope)| (Arc::clone(key), Arc::clone(envelope)))
            .collect();
        let pairs = found.into_iter();
        Ok(Box::new(pairs.map(|(key, envelope)| {
            Ok((key.to_vec().into(), envelope.to_vec().into()))
        })))
    }
}
