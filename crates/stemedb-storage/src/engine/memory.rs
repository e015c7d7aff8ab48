//! A sorted map in memory as an engine.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use super::{Bytes, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader};

/// Name of this engine.
pub(crate) const NAME: &str = "memory";

/// Pairs that a scan takes under one lock.
const CHUNK: usize = 256;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Key and envelope, as the map has them.
type Owned = (Vec<u8>, Vec<u8>);

/// A sorted map in memory. Clones are the same map, and nothing of it outlives the last of them.
#[derive(Clone, Debug, Default)]
pub struct MemoryEngine(Arc<RwLock<Map>>);

impl MemoryEngine {
    pub(crate) fn bytes(&self) -> u64 {
        let lengths = self.map().iter().fold(0_usize, |sum, (key, envelope)| {
            sum.saturating_add(key.len()).saturating_add(envelope.len())
        });
        u64::try_from(lengths).unwrap_or(u64::MAX)
    }

    fn map(&self) -> RwLockReadGuard<'_, Map> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn chunk(&self, range: &Range) -> Vec<Owned> {
        let bounds = (range.start.as_ref(), range.end.as_ref());
        let map = self.map();
        let pairs = map.range::<Vec<u8>, _>(bounds).take(CHUNK);
        pairs
            .map(|(key, envelope)| (key.clone(), envelope.clone()))
            .collect()
    }
}

impl Engine for MemoryEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn isolation(&self) -> Isolation {
        Isolation::Live
    }

    fn commit(&self, writes: Vec<Pair>, _: Level) -> Result<(), Fault> {
        let owned = |(key, envelope): Pair| (key.into_vec(), envelope.into_vec());
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(writes.into_iter().map(owned));
        Ok(())
    }

    fn sync(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn sync_failed(&self) -> bool {
        false
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        Ok(Arc::new(self.clone()))
    }
}

impl Reader for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.map().get(key).cloned().map(Bytes::from))
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        let chunks = Chunks {
            engine: self.clone(),
            range: Some(range),
        };
        let pairs = chunks.flatten();
        Ok(Box::new(
            pairs.map(|(key, envelope)| Ok((key.into(), envelope.into()))),
        ))
    }
}

/// Takes a scan in chunks, so that no lock is held between two items.
struct Chunks {
    engine: MemoryEngine,
    range: Option<Range>,
}

impl Iterator for Chunks {
    type Item = Vec<Owned>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut range = self.range.take()?;
        let chunk = self.engine.chunk(&range);
        let (last, _) = chunk.last()?;
        // An upper bound just above the last key would leave an empty range, on which the map panics.
        if chunk.len() == CHUNK {
            range.start = Bound::Excluded(last.clone());
            self.range = Some(range);
        }
        Some(chunk)
    }
}
