//! What is counted of writing: preparing, appending, applying.

use std::collections::VecDeque;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb::{Prepared, Record};
use stemedb_ingest::{IngestWorker, Source, serialize};
use stemedb_storage::HybridStore;
use stemedb_wal::{Group, Options, Trust, Wake};

use crate::failure::Failure;

use super::line::{line, record};
use super::workload::{Extent, failed};

/// Records in a group of many.
pub(super) const GROUP_RECORDS: usize = 64;

/// Reads and checks lines, and prepares what they say for the journal.
pub(super) fn prepare(_: &Path, extent: Extent) -> Result<(), Failure> {
    let lines: Vec<_> = (0..extent.operations_max).map(line).collect();
    for (line, _) in lines.iter().zip(0..extent.operations) {
        let record = Record::from_json(black_box(line.as_bytes())).map_err(failed)?;
        black_box(Prepared::new(&record).map_err(failed)?);
    }
    Ok(())
}

/// Appends groups of one record, without a thread.
pub(super) fn append_single(directory: &Path, extent: Extent) -> Result<(), Failure> {
    append(
        directory,
        &requests(extent.operations_max, 1)?,
        extent.operations,
    )
    .map(drop)
}

/// Appends groups of many records, without a thread.
pub(super) fn append_groups(directory: &Path, extent: Extent) -> Result<(), Failure> {
    let requests = requests(extent.operations_max, GROUP_RECORDS)?;
    append(directory, &requests, extent.operations).map(drop)
}

/// Appends requests of many records through the handle that a journal's users have, one after the other.
pub(super) fn append_requests(directory: &Path, extent: Extent) -> Result<(), Failure> {
    let requests = requests(extent.operations_max, GROUP_RECORDS)?;
    let journal = options().open(directory).map_err(failed)?;
    let writer = journal.writer();
    for (request, _) in requests.into_iter().zip(0..extent.operations) {
        writer.append_all(request).wait().map_err(failed)?;
    }
    journal.close().map_err(failed)
}

/// Applies groups that are in memory to an empty store.
pub(super) fn apply(directory: &Path, extent: Extent) -> Result<(), Failure> {
    let requests = requests(extent.operations_max, GROUP_RECORDS)?;
    let written = append(&directory.join("wal"), &requests, extent.operations_max)?;
    let source = Groups {
        groups: written
            .into_iter()
            .zip(0..extent.operations)
            .map(|(group, _)| group)
            .collect(),
        passed_bytes: 0,
    };
    let store = Arc::new(HybridStore::open(directory.join("db")).map_err(failed)?);
    let options = stemedb_ingest::Options {
        threads: 1,
        ..stemedb_ingest::Options::default()
    };
    let mut worker = IngestWorker::on(source, store, options).map_err(failed)?;
    worker.run().map_err(failed)
}

/// A journal that does nothing of its own accord.
fn options() -> Options {
    Options {
        idle_after: Duration::from_hours(1),
        ..Options::default()
    }
}

/// Payloads of records, so many together.
fn requests(count: u64, records: usize) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
    let mut numbers = 0..;
    let payload = |number| serialize(&record(number)?).map_err(failed);
    let request = |_| numbers.by_ref().take(records).map(payload).collect();
    (0..count).map(request).collect()
}

/// Writes and syncs the first of the requests, each in a group of its own.
fn append(directory: &Path, requests: &[Vec<Vec<u8>>], count: u64) -> Result<Vec<Group>, Failure> {
    let mut log = options()
        .lock(directory)
        .and_then(|locked| locked.open(&[]))
        .map_err(failed)?;
    let mut groups = Vec::new();
    for (request, _) in requests.iter().zip(0..count) {
        let mut group = log.begin_group();
        for payload in request {
            group.push(payload, Trust::Verified);
        }
        groups.push(log.write(group).map_err(failed)?);
        log.sync().map_err(failed)?;
    }
    log.close().map_err(failed)?;
    Ok(groups)
}

/// Groups that are there from the beginning; then the source ends.
#[derive(Debug)]
struct Groups {
    groups: VecDeque<Group>,
    passed_bytes: u64,
}

impl Source for Groups {
    fn next_group(&mut self) -> Result<Option<Group>, stemedb_ingest::Error> {
        let group = self.groups.pop_front();
        self.passed_bytes += group.as_ref().map_or(0, |it| it.header().group_bytes());
        Ok(group)
    }

    fn wait(&self, _: Duration) -> Wake {
        if self.groups.is_empty() {
            Wake::Ended
        } else {
            Wake::Groups
        }
    }

    fn passed_bytes(&self) -> u64 {
        self.passed_bytes
    }

    /// The time stands still: a checkpoint is due by its bytes, and at the end.
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
