//! Where the worker takes its groups from: the world goes on while it waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stemedb_ingest::Source;
use stemedb_wal::{Group, Wake};

use super::live::Live;

/// The world of one life, as the worker and the observer of the engines reach it.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Live>>);

impl Shared {
    pub(super) fn new(live: Live) -> Self {
        Self(Arc::new(Mutex::new(live)))
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the life; nobody else may hold on to it.
    pub(super) fn into_inner(self) -> Live {
        let live = Arc::into_inner(self.0).expect("the worker and the observer are gone");
        live.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The groups that are durable.
#[derive(Debug)]
pub(super) struct Groups(pub(super) Shared);

impl Source for Groups {
    fn next_group(&mut self) -> Result<Option<Group>, stemedb_ingest::Error> {
        let mut live = self.0.live();
        let group = live.durable.pop_front();
        live.passed_bytes += group.as_ref().map_or(0, |it| it.header().group_bytes());
        Ok(group)
    }

    fn wait(&self, _: Duration) -> Wake {
        self.0.live().wait()
    }

    fn passed_bytes(&self) -> u64 {
        self.0.live().passed_bytes
    }

    fn monotonic(&self) -> Duration {
        self.0.live().clock
    }
}
