//! Reads while the store commits: the engine takes its time for each commit, and no read may wait for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stemedb_ingest::Ingestor;
use stemedb_storage::engine::{
    Engine, Fault, FjallEngine, Isolation, Level, Pair, Reader, RedbEngine,
};
use stemedb_storage::{HybridStore, KVStore};
use stemedb_wal::{Journal, Writer};

use super::Bench;
use crate::claim::Generator;
use crate::clock;
use crate::failure::{Doing, Failure, Result, joined};
use crate::load::Deadline;
use crate::number::{float, micros, percentile};
use crate::peer::engine::record_key;
use crate::report::Quantity;
use crate::subject::STEMEDB;

const NAME: &str = "read/commit";

/// What a commit takes.
const COMMIT: Duration = Duration::from_millis(200);
/// Commits during which others read.
const COMMITS: u32 = 5;
/// Records that are read, and records of a batch that is committed meanwhile.
const RECORDS: u64 = 1000;

/// One round.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    let directory = bench.directory()?;
    bench.tell(NAME, STEMEDB);
    let slow = Arc::new(AtomicBool::new(false));
    let store = Arc::new(open(directory.path(), &slow)?);
    let journal = Journal::open(directory.path().join("wal")).doing("open a journal")?;
    let writer = journal.writer();
    let journal = Arc::new(tokio::sync::Mutex::new(journal));
    let mut ingestor = Ingestor::new(Arc::clone(&journal), Arc::clone(&store));
    ingestor.start();
    let last = append(&writer, 0)?;
    ingestor
        .wait_applied(last)
        .wait()
        .doing("wait until all can be read")?;
    slow.store(true, Ordering::Relaxed);
    let times = read(&store, &writer)?;
    slow.store(false, Ordering::Relaxed);
    ingestor.stop().doing("stop the worker")?;
    let us = |part: f64| float(percentile(&times, part)) / 1e3;
    let mut figures = bench.report.of(NAME, STEMEDB);
    figures
        .add(Quantity::P50Us, us(0.5))
        .add(Quantity::P99Us, us(0.99));
    figures
        .add(Quantity::MaxUs, us(1.0))
        .add(Quantity::CommitUs, micros(COMMIT));
    Ok(())
}

fn open(directory: &Path, slow: &Arc<AtomicBool>) -> Result<HybridStore> {
    let stream = FjallEngine::open(&directory.join("stream")).doing("open fjall")?;
    let small = RedbEngine::open(&directory.join("small")).doing("open redb")?;
    let stream = SlowCommits {
        engine: stream,
        slow: Arc::clone(slow),
    };
    HybridStore::with_engines(Box::new(stream), Box::new(small)).doing("open a store")
}

/// Appends records and gives the sequence of the last one.
fn append(writer: &Writer, from: u64) -> Result<u64> {
    let generator = Generator::new(RECORDS);
    let mut payloads = Vec::new();
    for number in from..from + RECORDS {
        let record = generator.record(number).doing("make a record")?;
        payloads.push(stemedb_ingest::serialize(&record).doing("serialize a record")?);
    }
    let appended = writer
        .append_all(payloads)
        .wait()
        .doing("append to the journal")?;
    Ok(appended.last_sequence())
}

/// Reads while batches come in that are committed one after the other; nanoseconds of each read, sorted.
fn read(store: &HybridStore, writer: &Writer) -> Result<Vec<u64>> {
    let deadline = Deadline::after(COMMIT * COMMITS);
    let mut keys = Vec::new();
    for number in 0..RECORDS {
        let id = Generator::new(RECORDS)
            .record(number)
            .and_then(|record| record.id());
        keys.push(record_key(id.doing("name a record")?));
    }
    let mut times = std::thread::scope(|scope| {
        let appender = scope.spawn(|| {
            (1..=u64::from(COMMITS)).try_for_each(|batch| {
                clock::pause(COMMIT / 2);
                append(writer, batch * RECORDS).map(drop)
            })
        });
        let mut times = Vec::new();
        for key in keys.iter().cycle().take_while(|_| !deadline.is_over()) {
            let start = clock::now();
            let view = store.snapshot().doing("take a view")?;
            let found = view.get(key).doing("read a record")?;
            found.doing("find a record")?;
            times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        joined(appender.join())??;
        Ok::<_, Failure>(times)
    })?;
    times.sort_unstable();
    Ok(times)
}

/// fjall whose commits take their time once they are told to.
#[derive(Debug)]
struct SlowCommits {
    engine: FjallEngine,
    slow: Arc<AtomicBool>,
}

impl Engine for SlowCommits {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn isolation(&self) -> Isolation {
        self.engine.isolation()
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        if self.slow.load(Ordering::Relaxed) {
            clock::pause(COMMIT);
        }
        self.engine.commit(writes, level)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.engine.sync()
    }

    fn sync_failed(&self) -> bool {
        self.engine.sync_failed()
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        self.engine.reader()
    }
}
