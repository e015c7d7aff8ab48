//! What a running database tells of itself, for whoever watches it: counts since it was opened, and where it stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stemedb_storage::CacheLookups;
use stemedb_wal::Distribution;

use crate::Stall;
use crate::database::Inner;
use crate::error::Result;
use crate::view::{Counts, View};

#[cfg(test)]
mod tests;

/// What a running database tells of itself; see [`Database::observe`](crate::Database::observe).
///
/// Counts and distributions begin at zero when the database is opened. Parts are read one after the other while work goes on, so that
/// one may be a moment newer than another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observations {
    /// The journal.
    pub journal: JournalObservations,
    /// What was handed in.
    pub submitted: SubmittedObservations,
    /// What the worker applied.
    pub ingest: IngestObservations,
    /// How much is stored, over the whole life of the database.
    pub counts: Counts,
    /// Views that are held.
    pub views: ViewObservations,
    /// What is known of ids without asking the store.
    pub known_ids: KnownIdsObservations,
    /// What was looked up in each cache of the engines, where they count it: fjall's blocks of three kinds, and redb's pages.
    pub caches: Vec<CacheLookups>,
    /// The call into an engine that takes longer than it should right now.
    pub stall: Option<Stall>,
}

/// What the journal did, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalObservations {
    /// For each group of records that became durable: nanoseconds from the arrival of its first request in the queue until then.
    pub append_ns: Distribution,
    /// Nanoseconds of each fsync that appending waited for, those that failed included.
    pub sync_ns: Distribution,
    /// Records of each group.
    pub group_records: Distribution,
    /// Bytes of each group.
    pub group_bytes: Distribution,
    /// Last sequence that is durable, 0 where there is none.
    pub durable_sequence: u64,
    /// How many segments there are.
    pub segments: u64,
    /// Bytes of all groups.
    pub bytes: u64,
}

/// What became of records that were handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmittedObservations {
    /// New records that were acknowledged.
    pub stored: u64,
    /// Records that were stored before, or in flight.
    pub duplicates: u64,
    /// New records whose append failed: they may be there all the same.
    pub failed: u64,
}

/// What the worker applied, and how far it is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngestObservations {
    /// Last sequence that can be read, 0 where there is none.
    pub applied_sequence: u64,
    /// Records that are durable and cannot be read yet.
    pub lag_records: u64,
    /// Bytes of groups that are durable and not applied yet; `None` where the worker has ended.
    pub lag_bytes: Option<u64>,
    /// Batches applied.
    pub batches: u64,
    /// Records applied, duplicates and quarantined ones included.
    pub records: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
}

/// Views that are held although a newer one was published: they keep old data from being reclaimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewObservations {
    /// How many there are, listings and exports that go on included. Handles of one and the same view count once.
    pub outdated: u64,
    /// For how many milliseconds the oldest of them has been out of date, 0 where there is none.
    pub oldest_outdated_ms: u64,
}

/// What is known of ids without asking the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownIdsObservations {
    /// Bytes of memory that it takes.
    pub bytes: u64,
    /// Of which records the ids are known.
    pub extent: KnownIds,
    /// Ids that were new by it, so that the store was not asked.
    pub answered: u64,
    /// Ids for which the store was asked.
    pub passed_on: u64,
}

/// Of which records the ids are known without asking the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KnownIds {
    /// Of those that came since the database was opened: the store is asked for every id.
    Partial,
    /// The ids of the others are being read; the store is asked for every id until that is done.
    Scanning,
    /// Of all.
    Complete,
    /// There was no room for all: the store is asked for every id.
    #[default]
    Full,
}

/// Counts what becomes of submissions: once for each of them, and not for each record.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stored: AtomicU64,
    duplicates: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    pub(crate) fn add_duplicates(&self, records: usize) {
        if records > 0 {
            self.duplicates.fetch_add(records as u64, Ordering::Relaxed);
        }
    }

    /// Counts the records of a request that was answered.
    pub(crate) fn add_request<T, E>(&self, answer: &Result<T, E>, records: usize) {
        let count = if answer.is_ok() {
            &self.stored
        } else {
            &self.failed
        };
        count.fetch_add(records as u64, Ordering::Relaxed);
    }

    fn read(&self) -> SubmittedObservations {
        SubmittedObservations {
            stored: self.stored.load(Ordering::Relaxed),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

pub(crate) fn of(inner: &Inner) -> Result<Observations> {
    // Ordering: what is applied is read first, so that it is not ahead of what is durable.
    let counters = inner.ingestor.counters();
    let meters = inner.watch.meters();
    let counts = View::new(inner.store.snapshot()?).counts();
    let applied_sequence = counters.applied_sequence;
    Ok(Observations {
        submitted: inner.tally.read(),
        ingest: IngestObservations {
            applied_sequence,
            lag_records: meters.durable_sequence.saturating_sub(applied_sequence),
            lag_bytes: meters.behind_bytes,
            batches: counters.batches,
            records: counters.records,
            checkpoints: counters.checkpoints,
        },
        journal: JournalObservations {
            append_ns: meters.append_ns,
            sync_ns: meters.sync_ns,
            group_records: meters.group_records,
            group_bytes: meters.group_bytes,
            durable_sequence: meters.durable_sequence,
            segments: meters.segments,
            bytes: meters.bytes,
        },
        counts,
        views: views(inner),
        known_ids: known_ids(inner),
        caches: inner.store.cache_lookups(),
        stall: inner.store.stall().map(Stall::from),
    })
}

fn views(inner: &Inner) -> ViewObservations {
    let held = inner.store.held_views();
    let since = |since| inner.watch.monotonic().saturating_sub(since);
    let age = held.oldest_since.map_or(Duration::ZERO, since);
    ViewObservations {
        outdated: held.count,
        oldest_outdated_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
    }
}

fn known_ids(inner: &Inner) -> KnownIdsObservations {
    let (answered, passed_on) = inner.known.asked();
    KnownIdsObservations {
        bytes: inner.known.bytes(),
        extent: inner.in_flight.lock().filling().extent(),
        answered,
        passed_on,
    }
}
