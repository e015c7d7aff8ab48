//! A batch on its way: what was taken from the source, and what it becomes before it is applied.

use std::sync::Arc;

use rayon::ThreadPool;
use stemedb_storage::{Batch, Cursor, Snapshot};
use stemedb_wal::{Group, Mark};

use crate::Error;
use crate::announced::Announcement;
use crate::apply::BatchBuilder;
use crate::arrival::Arrivals;
use crate::prepare::{Before, CHUNK_RECORDS, prepare};
use crate::worker::cursor;

/// Whole groups as they were taken, and how far the source was then.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) groups: Vec<Group>,
    /// What was announced of their records.
    pub(crate) announcements: Vec<Announcement>,
    pub(crate) records: u64,
    /// Bytes of these groups and all before them.
    pub(crate) passed_bytes: u64,
}

/// A batch that is ready to be applied.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The batch and its end; absent where the groups hold no record.
    pub(crate) batch: Option<(Batch, Cursor)>,
    pub(crate) records: u64,
    /// Bytes of its payloads.
    pub(crate) bytes: u64,
    pub(crate) passed_bytes: u64,
}

/// A batch that is ready, and what the one behind it must know of it.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) ready: Ready,
    /// The ids of its records.
    pub(crate) arrivals: Arrivals,
}

impl Taken {
    /// Whether it is too little to be worth another thread.
    pub(crate) fn is_small(&self) -> bool {
        self.records <= CHUNK_RECORDS as u64
    }

    /// Makes a batch of the groups. `view` shows everything before them but what is being applied meanwhile, whose ids are `applying`.
    pub(crate) fn prepare(
        &self,
        pool: &ThreadPool,
        view: &Arc<dyn Snapshot>,
        applying: &Arrivals,
    ) -> Result<Work, Error> {
        let view = view.as_ref();
        let prepared = prepare(pool, self, Before { view, applying })?;
        let records = usize::try_from(self.records).unwrap_or_default();
        let mut builder = BatchBuilder::with_room_for(records);
        for chunk in prepared {
            builder.push(chunk);
        }
        let bytes = builder.bytes();
        let end = self.groups.iter().rev().find_map(Group::mark);
        let (batch, arrivals) = end.map_or_else(Default::default, |end: Mark| {
            let cursor = cursor(&end);
            let (batch, arrivals) = builder.finish_with_arrivals(cursor);
            (batch.map(|batch| (batch, cursor)), arrivals)
        });
        let ready = Ready {
            batch,
            records: self.records,
            bytes,
            passed_bytes: self.passed_bytes,
        };
        Ok(Work { ready, arrivals })
    }
}
