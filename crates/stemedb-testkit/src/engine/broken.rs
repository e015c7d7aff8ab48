//! Engines that lack what a store relies on: with each of them, what proves the store must fail.

use std::sync::Arc;

use stemedb_storage::engine::{Bytes, Engine, Fault, Isolation, Level, Pair, Pairs, Range, Reader};
use stemedb_storage::{Key, MetaKey};

/// What an engine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The cursor is committed after the data, in a commit of its own.
    CursorAfterData,
    /// The cursor is committed before the data, in a commit of its own.
    CursorBeforeData,
    /// A sync does nothing.
    SyncIgnored,
    /// Views show what is there when they are read, so that a commit is seen before the other engine has committed.
    ViewsMove,
}

/// An engine with a defect.
#[derive(Debug)]
pub struct Broken {
    inner: Arc<dyn Engine>,
    defect: Defect,
}

impl Broken {
    /// Takes something away from an engine.
    #[must_use]
    pub fn wrap(inner: Box<dyn Engine>, defect: Defect) -> Box<dyn Engine> {
        let inner = inner.into();
        Box::new(Self { inner, defect })
    }
}

impl Engine for Broken {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn isolation(&self) -> Isolation {
        self.inner.isolation()
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        let level = match self.defect {
            Defect::SyncIgnored => Level::Visible,
            _ => level,
        };
        let cursor = Key::Meta(MetaKey::Cursor).encode();
        let is_cursor = |(key, _): &Pair| key[..] == cursor[..];
        let [first, second]: [Vec<Pair>; 2] = match self.defect {
            Defect::CursorAfterData => writes.into_iter().partition(|pair| !is_cursor(pair)),
            Defect::CursorBeforeData => writes.into_iter().partition(is_cursor),
            Defect::SyncIgnored | Defect::ViewsMove => (writes, Vec::new()),
        }
        .into();
        for part in [first, second] {
            if !part.is_empty() {
                self.inner.commit(part, level)?;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), Fault> {
        match self.defect {
            Defect::SyncIgnored => Ok(()),
            _ => self.inner.sync(),
        }
    }

    fn sync_failed(&self) -> bool {
        self.inner.sync_failed()
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        match self.defect {
            Defect::ViewsMove => Ok(Arc::new(Moving(Arc::clone(&self.inner)))),
            _ => self.inner.reader(),
        }
    }
}

#[derive(Debug)]
struct Moving(Arc<dyn Engine>);

impl Reader for Moving {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.0.reader()?.get(key)
    }

    fn range(&self, range: Range) -> Result<Pairs, Fault> {
        self.0.reader()?.range(range)
    }
}
