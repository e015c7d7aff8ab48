//! Counts, sequences, bytes; and whether the database works.

use std::time::Duration;

use crate::database::Inner;
use crate::error::Result;
use crate::view::{Counts, View};
use crate::{EngineOperation, SyncStats};

/// Where a database stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// How much is stored.
    pub counts: Counts,
    /// Last sequence that is durable in the journal, 0 where there is none.
    pub durable_sequence: u64,
    /// Last sequence that can be read, 0 where there is none.
    pub applied_sequence: u64,
    /// The journal.
    pub journal: JournalStats,
    /// The store.
    pub store: StoreStats,
}

/// Where a journal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalStats {
    /// Its identity, in hex.
    pub id: String,
    /// Hash of the last group with records, in hex: it commits to everything before it. `None` in a journal without records.
    pub head_hash: Option<String>,
    /// How many segments it has.
    pub segments: u64,
    /// Bytes of its groups.
    pub bytes: u64,
    /// The fsyncs that appending has waited for: a slow disk shows here first.
    pub syncs: SyncStats,
}

/// The end of a journal, which commits to everything before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalHead {
    /// The identity of the journal, in hex.
    pub journal: String,
    /// Last sequence that is durable, 0 where there is none.
    pub sequence: u64,
    /// Hash of the last group with records, in hex. `None` in a journal without records.
    pub hash: Option<String>,
}

/// What a store takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStats {
    /// Its kind.
    pub kind: &'static str,
    /// Bytes of its files.
    pub bytes: u64,
    /// The call into one of its engines that takes longer than it should right now.
    pub stall: Option<Stall>,
}

/// A call into an engine that takes longer than it should; see [`Builder::stall_warning_after`](crate::Builder::stall_warning_after).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The engine.
    pub engine: &'static str,
    /// What it was asked to do.
    pub operation: EngineOperation,
    /// For how long it has been at it.
    pub waited: Duration,
    /// How many flushes are pending, where the engine tells.
    pub pending_flushes: Option<u64>,
    /// All of this as a sentence.
    pub text: String,
}

impl From<stemedb_storage::Stall> for Stall {
    fn from(stall: stemedb_storage::Stall) -> Self {
        Self {
            engine: stall.engine,
            operation: stall.operation,
            waited: stall.waited,
            pending_flushes: stall.backlog.map(|backlog| backlog.pending_flushes),
            text: stall.to_string(),
        }
    }
}

pub(crate) fn head(inner: &Inner) -> JournalHead {
    let state = inner.watch.state();
    JournalHead {
        journal: state.journal.to_string(),
        sequence: state.durable_sequence(),
        hash: state.head.map(|head| head.hash.to_string()),
    }
}

pub(crate) fn of(inner: &Inner) -> Result<Stats> {
    let state = inner.watch.state();
    let view = View::new(inner.store.snapshot()?);
    Ok(Stats {
        counts: view.counts(),
        durable_sequence: state.durable_sequence(),
        applied_sequence: view.applied().map_or(0, stemedb_core::Sequence::get),
        journal: JournalStats {
            id: state.journal.to_string(),
            head_hash: state.head.map(|head| head.hash.to_string()),
            segments: state.segments.len() as u64,
            bytes: state.group_bytes,
            syncs: inner.watch.sync_stats(),
        },
        store: StoreStats {
            kind: match inner.store.kind() {
                stemedb_storage::StoreKind::Memory => "memory",
                stemedb_storage::StoreKind::Hybrid => "hybrid",
                stemedb_storage::StoreKind::Sled => "sled",
            },
            bytes: inner.store.disk_bytes()?,
            stall: inner.store.stall().map(Stall::from),
        },
    })
}

/// Whether a database works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Health {
    /// It accepts, applies and shows records.
    Good,
    /// The journal accepts nothing more; what is stored can be read. Open the database again.
    NotWritable(crate::Error),
    /// Records are accepted, and not applied any more. Open the database again.
    NotApplying(crate::Error),
    /// Records are accepted, and an engine of the store holds up their application; if it does not go on, this becomes `NotApplying`.
    Stalled(Stall),
}

impl Health {
    pub(crate) fn of(inner: &Inner) -> Self {
        if let Some(failure) = inner.watch.failure() {
            return Self::NotWritable(failure.into());
        }
        match inner.ingestor.health() {
            stemedb_ingest::Health::Failed(error) => Self::NotApplying(error.into()),
            stemedb_ingest::Health::Stopped => {
                Self::NotApplying(crate::error::Cause::Closed.into())
            }
            _ => inner
                .store
                .stall()
                .map_or(Self::Good, |stall| Self::Stalled(stall.into())),
        }
    }
}
