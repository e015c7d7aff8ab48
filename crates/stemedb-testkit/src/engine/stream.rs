//! A model of fjall: a journal of batches, of which a crash keeps a prefix.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stemedb_storage::engine::{Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader};

use super::Script;
use crate::disk::Random;

type Bytes = Arc<[u8]>;
type Map = BTreeMap<Bytes, Bytes>;

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
    batches: Vec<Vec<(Bytes, Bytes)>>,
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
        state.synced = state.batches.len();
        state.forsaken = 0;
        let mut map = Map::new();
        map.extend(state.batches.iter().flatten().cloned());
        state.map = Arc::new(map);
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
        let batch: Vec<(Bytes, Bytes)> = writes
            .into_iter()
            .map(|(key, envelope)| (key.into(), envelope.into()))
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
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(key).map(|envelope| envelope.to_vec()))
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let bounds = (range.start.map(Bytes::from), range.end.map(Bytes::from));
        let found: Vec<(Bytes, Bytes)> = self
            .0
            .range(bounds)
            .map(|(key, envelope)| (Arc::clone(key), Arc::clone(envelope)))
            .collect();
        let pairs = found.into_iter();
        Ok(Box::new(pairs.map(|(key, envelope)| {
            Ok((key.to_vec(), envelope.to_vec()))
        })))
    }
}
