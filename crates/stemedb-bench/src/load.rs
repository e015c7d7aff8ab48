//! Loading our database as fast as its public interface allows: as many threads as cores, each with a few batches in flight.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use stemedb::{Database, Invalid, Prepared, Record, Sequence, Submission};

use crate::claim::{Generator, Keys};
use crate::clock;
use crate::failure::{Doing, Result, joined};
use crate::machine::cores;

/// Records of a batch.
pub(crate) const BATCH: u64 = 1024;
/// Batches that a thread has in flight.
const FLYING_MAX: usize = 4;

/// Where records come from, for any number of threads.
pub(crate) trait Source: Sync {
    /// The next batch, until there are no more.
    fn next(&self) -> Result<Option<Vec<Record>>>;
}

/// Whether generated records are signed.
#[derive(Debug)]
pub(crate) enum Signing {
    Unsigned,
    Signed(Keys),
}

/// Records that are made as they are asked for.
#[derive(Debug)]
pub(crate) struct Generated {
    generator: Generator,
    signing: Signing,
    next: AtomicU64,
    end: u64,
}

impl Generated {
    /// The records with the numbers from `from` up to `end`.
    pub(crate) fn new(generator: Generator, signing: Signing, (from, end): (u64, u64)) -> Self {
        Self {
            generator,
            signing,
            next: AtomicU64::new(from),
            end,
        }
    }

    fn record(&self, number: u64) -> Result<Record, Invalid> {
        match &self.signing {
            Signing::Unsigned => self.generator.record(number),
            Signing::Signed(keys) => self.generator.signed(number, keys),
        }
    }

    /// No more than the batches that were taken already.
    pub(crate) fn stop(&self) {
        self.next.store(self.end, Ordering::Relaxed);
    }
}

impl Source for Generated {
    fn next(&self) -> Result<Option<Vec<Record>>> {
        let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
        if from >= self.end {
            return Ok(None);
        }
        let numbers = from..self.end.min(from + BATCH);
        let records: Result<Vec<_>, _> = numbers.map(|number| self.record(number)).collect();
        records.doing("make records").map(Some)
    }
}

/// Records that are in memory.
#[derive(Debug)]
pub(crate) struct Ready(Mutex<VecDeque<Vec<Record>>>);

impl Ready {
    /// Makes all records of another source, on all cores.
    pub(crate) fn make(source: &dyn Source) -> Result<Self> {
        let ready = Mutex::new(VecDeque::new());
        on_all_cores(&|| {
            while let Some(batch) = source.next()? {
                ready
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_back(batch);
            }
            Ok(None)
        })?;
        Ok(Self(ready))
    }
}

impl Source for Ready {
    fn next(&self) -> Result<Option<Vec<Record>>> {
        Ok(self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front())
    }
}

/// How long a load took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    /// Until everything was acknowledged and could be read.
    pub(crate) time: Duration,
    /// From the last acknowledgement to that moment.
    pub(crate) readable: Duration,
}

/// Loads everything; every receipt is looked at.
pub(crate) fn load(database: &Database, source: &dyn Source) -> Result<Loaded> {
    let start = clock::now();
    let last = on_all_cores(&|| submit_all(database, source))?;
    let acknowledged = start.elapsed();
    if let Some(last) = last {
        database
            .wait_applied(last)
            .wait()
            .doing("wait until all can be read")?;
    }
    let time = start.elapsed();
    Ok(Loaded {
        time,
        readable: time.saturating_sub(acknowledged),
    })
}

type Work<'a> = &'a (dyn Fn() -> Result<Option<Sequence>> + Sync);

/// Does the same on every core, and gives the greatest answer.
fn on_all_cores(work: Work<'_>) -> Result<Option<Sequence>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(work)).collect();
        let mut last = None;
        for thread in threads {
            last = last.max(joined(thread.join())??);
        }
        Ok(last)
    })
}

fn submit_all(database: &Database, source: &dyn Source) -> Result<Option<Sequence>> {
    let mut flying = VecDeque::new();
    let mut last = None;
    while let Some(batch) = source.next()? {
        let prepared = Prepared::all(batch.into_iter().map(Ok::<_, Invalid>));
        let prepared: Result<Vec<_>, _> = prepared.into_iter().collect();
        flying.push_back(database.submit(prepared.doing("prepare records")?));
        if flying.len() >= FLYING_MAX {
            last = last.max(settle(flying.pop_front())?);
        }
    }
    while !flying.is_empty() {
        last = last.max(settle(flying.pop_front())?);
    }
    Ok(last)
}

/// The highest sequence of a submission.
fn settle(submission: Option<Submission>) -> Result<Option<Sequence>> {
    let mut last = None;
    for receipt in submission.into_iter().flat_map(Submission::wait) {
        last = last.max(Some(receipt.doing("store a record")?.sequence));
    }
    Ok(last)
}

/// Until when something goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    start: Instant,
    time: Duration,
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        Self {
            start: clock::now(),
            time,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.start.elapsed() >= self.time
    }
}
