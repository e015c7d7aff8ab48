//! Durable append: one record a request, by so many tasks; and batches of a thousand.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb::{Create, Database, Prepared, Record};
use stemedb_wal::{Journal, Options, Writer};

use super::Bench;
use crate::claim::{Generator, Row};
use crate::drive::{Client, drive};
use crate::failure::{Doing, Failure, Result};
use crate::file;
use crate::peer::{engine, nats, postgres, redis, sqlite};
use crate::report::Quantity;
use crate::subject::{
    BARE_LOOP, FJALL, JOURNAL, NATS, ONE_FSYNC, POSTGRES, REDB, REDIS, SQLITE, STEMEDB,
};
use crate::vfs::{SlowDisk, Syncs};

mod bare;

/// Tasks that append.
pub(crate) const PRODUCERS: [usize; 4] = [1, 8, 64, 512];
/// What is added to every fsync, in milliseconds.
pub(crate) const EXTRA_MS: [u64; 2] = [1, 5];
/// Tasks of those for which only the ends are measured.
const PEER_PRODUCERS: [usize; 2] = [1, 64];
/// Records of a batch.
const BATCH: usize = 1000;
/// Distinct records; they are appended over and over.
const POOL: u64 = 4000;

/// What every client appends.
#[derive(Debug)]
pub(super) struct Pool {
    payloads: Arc<Vec<Vec<u8>>>,
    rows: Arc<Vec<Row>>,
}

impl Pool {
    pub(super) fn new() -> Result<Self> {
        let generator = Generator::new(1_000_000);
        let (mut payloads, mut rows) = (Vec::new(), Vec::new());
        for number in 0..POOL {
            let record = generator.record(number).doing("make a record")?;
            payloads.push(stemedb_ingest::serialize(&record).doing("serialize a record")?);
            rows.push(Row::generate(generator, number)?);
        }
        Ok(Self {
            payloads: Arc::new(payloads),
            rows: Arc::new(rows),
        })
    }

    /// What is appended where bytes are.
    pub(super) fn payloads(&self) -> &Arc<Vec<Vec<u8>>> {
        &self.payloads
    }
}

/// The name of a benchmark.
pub(crate) fn name(producers: usize, extra_ms: u64) -> String {
    match extra_ms {
        0 => format!("append/producers={producers}"),
        _ => format!("append/producers={producers}/fsync={extra_ms}ms"),
    }
}

/// One round with the disk as it is.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    let pool = Pool::new()?;
    for producers in bench.rotated(&PRODUCERS) {
        let name = name(producers, 0);
        ours(bench, &pool, (&name, producers, Duration::ZERO))?;
        if PEER_PRODUCERS.contains(&producers) {
            database(bench, (&name, producers))?;
            servers(bench, &pool, (&name, producers, 1))?;
            engines(bench, &pool, (&name, producers, 1))?;
        }
        if producers == 1 {
            in_sqlite(bench, &pool, (&name, 1))?;
        }
    }
    Ok(())
}

/// One round of batches.
pub(crate) fn batches(bench: &mut Bench<'_>) -> Result<()> {
    let pool = Pool::new()?;
    let name = format!("append/batch={BATCH}");
    let directory = bench.directory()?;
    let journal = Journal::open(directory.path()).doing("open a journal")?;
    let client = Batching {
        writer: journal.writer(),
        payloads: Arc::clone(&pool.payloads),
    };
    run(bench, (&name, JOURNAL), vec![client])?;
    journal.close().doing("close a journal")?;
    let batch = BATCH as u64;
    servers(bench, &pool, (&name, 1, batch))?;
    in_sqlite(bench, &pool, (&name, BATCH))?;
    engines(bench, &pool, (&name, 1, batch))
}

/// One round with slower disks.
pub(crate) fn slow_round(bench: &mut Bench<'_>) -> Result<()> {
    let pool = Pool::new()?;
    for extra_ms in EXTRA_MS {
        for producers in bench.rotated(&PRODUCERS) {
            let name = name(producers, extra_ms);
            ours(
                bench,
                &pool,
                (&name, producers, Duration::from_millis(extra_ms)),
            )?;
        }
    }
    Ok(())
}

/// Lets clients work side by side, and writes down how they did.
pub(super) fn run<C: Client>(
    bench: &mut Bench<'_>,
    (name, subject): (&str, &str),
    clients: Vec<C>,
) -> Result<()> {
    let time = bench.options.slice();
    run_for(bench, (name, subject), clients, time)
}

/// The same for a time.
pub(super) fn run_for<C: Client>(
    bench: &mut Bench<'_>,
    (name, subject): (&str, &str),
    clients: Vec<C>,
    time: Duration,
) -> Result<()> {
    bench.tell(name, subject);
    let driven = drive(bench.runtime, clients, time)?;
    driven.report(bench.report, name, subject);
    Ok(())
}

/// Our journal, and the two ends between which it lies.
fn ours(
    bench: &mut Bench<'_>,
    pool: &Pool,
    (name, producers, extra): (&str, usize, Duration),
) -> Result<()> {
    for subject in bench.rotated(&[JOURNAL, BARE_LOOP, ONE_FSYNC]) {
        let directory = bench.directory()?;
        let syncs = Syncs::slower_by(extra);
        let payloads = &pool.payloads;
        match subject {
            JOURNAL => in_journal(
                bench,
                (name, producers),
                (directory.path(), &syncs, payloads),
            )?,
            BARE_LOOP => {
                let file = zeroed(directory.path())?;
                let group = bare::Loop::start(file, syncs.clone())?;
                run(bench, (name, subject), group.clients(producers, payloads))?;
            }
            _ => {
                let clients =
                    bare::OneFsync::many(zeroed(directory.path())?, (producers, &syncs), payloads);
                run(bench, (name, subject), clients)?;
            }
        }
        bench
            .report
            .of(name, subject)
            .add(Quantity::FsyncUs, syncs.mean_us());
    }
    Ok(())
}

fn in_journal(
    bench: &mut Bench<'_>,
    (name, producers): (&str, usize),
    (directory, syncs, payloads): (&Path, &Syncs, &Arc<Vec<Vec<u8>>>),
) -> Result<()> {
    let options = Options {
        vfs: Arc::new(SlowDisk::new(syncs.clone())),
        ..Options::default()
    };
    let journal = options.open(directory).doing("open a journal")?;
    let client = |_| Appending {
        writer: journal.writer(),
        payloads: Arc::clone(payloads),
    };
    run(bench, (name, JOURNAL), (0..producers).map(client).collect())?;
    journal.close().doing("close a journal")
}

/// A file of zeros, as the bare loops use.
fn zeroed(directory: &Path) -> Result<File> {
    let file = file::create(directory.join("log")).doing("create a log")?;
    bare::fill(&file).doing("fill a log with zeros")?;
    Ok(file)
}

/// Our database, where it competes with others that index.
fn database(bench: &mut Bench<'_>, (name, producers): (&str, usize)) -> Result<()> {
    let directory = bench.directory()?;
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder
        .open(directory.path().join("data"))
        .doing("create a database")?;
    let database = Arc::new(database);
    let client = |_| Asserting {
        database: Arc::clone(&database),
        generator: Generator::new(1_000_000),
    };
    run(bench, (name, STEMEDB), (0..producers).map(client).collect())?;
    let database = Arc::into_inner(database).doing("have the database alone")?;
    database.close().doing("close a database")
}

/// The servers that run; a batch of one is a request for each record.
fn servers(
    bench: &mut Bench<'_>,
    pool: &Pool,
    (name, clients, batch): (&str, usize, u64),
) -> Result<()> {
    let runtime = bench.runtime;
    if let Some(at) = bench.peer("postgres", POSTGRES) {
        if batch == 1 {
            let clients = postgres::inserting(runtime, &at, (clients, &pool.rows))?;
            run(bench, (name, POSTGRES), clients)?;
        } else {
            let rows = pool.rows.iter().take(BATCH).cloned().collect();
            let clients = postgres::copying(runtime, &at, &Arc::new(rows))?;
            run(bench, (name, POSTGRES), clients)?;
        }
    }
    if let Some(at) = bench.peer("redis", REDIS) {
        let clients = redis::appending(runtime, &at, (clients, batch), &pool.payloads)?;
        run(bench, (name, REDIS), clients)?;
    }
    if let Some(at) = bench.peer("nats", NATS) {
        let clients = nats::publishing(runtime, &at, (clients, batch), &pool.payloads)?;
        run(bench, (name, NATS), clients)?;
    }
    Ok(())
}

fn engines(
    bench: &mut Bench<'_>,
    pool: &Pool,
    (name, clients, batch): (&str, usize, u64),
) -> Result<()> {
    let directory = bench.directory()?;
    let fjall = engine::Fjall::open(directory.path())?;
    let committing = engine::Committing::many(&fjall, (clients, batch), &pool.payloads);
    run(bench, (name, FJALL), committing)?;
    let redb = engine::Redb::open(directory.path())?;
    let committing = engine::Committing::many(&redb, (clients, batch), &pool.payloads);
    run(bench, (name, REDB), committing)
}

fn in_sqlite(bench: &mut Bench<'_>, pool: &Pool, (name, batch): (&str, usize)) -> Result<()> {
    let directory = bench.directory()?;
    let client = sqlite::Inserting::new(directory.path(), &pool.rows, batch)?;
    run(bench, (name, SQLITE), vec![client])
}

/// A task that appends one record after the other to our journal.
#[derive(Debug)]
struct Appending {
    writer: Writer,
    payloads: Arc<Vec<Vec<u8>>>,
}

impl Client for Appending {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let payload = bare::pick(&self.payloads, number);
        self.writer
            .append(payload)
            .await
            .doing("append to the journal")?;
        Ok(1)
    }
}

/// A task that appends a thousand records at a time to our journal.
#[derive(Debug)]
struct Batching {
    writer: Writer,
    payloads: Arc<Vec<Vec<u8>>>,
}

impl Client for Batching {
    async fn append(&mut self, _: u64) -> Result<u64> {
        let records = self.payloads.iter().take(BATCH).cloned().collect();
        let appended = self
            .writer
            .append_all(records)
            .await
            .doing("append to the journal")?;
        Ok(appended.records.into())
    }
}

/// A task that asserts one record after the other in our database.
#[derive(Debug)]
struct Asserting {
    database: Arc<Database>,
    generator: Generator,
}

impl Client for Asserting {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let record: Record = self.generator.record(number).doing("make a record")?;
        let prepared = Prepared::new(&record).doing("prepare a record")?;
        let receipts = self.database.submit(vec![prepared]).finish().await;
        let receipt = receipts
            .into_iter()
            .next()
            .ok_or_else(|| Failure::new("get a receipt"))?;
        receipt.doing("assert a record")?;
        Ok(1)
    }
}
