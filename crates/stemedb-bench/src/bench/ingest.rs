//! Loads, end to end: until every record is durable and can be read.

use std::time::Duration;

use stemedb_core::PendingSignature;
use stemedb_core::signature::verify_batch;

use super::Bench;
use crate::claim::{Generator, Keys, Row};
use crate::clock;
use crate::failure::{Doing, Result};
use crate::file;
use crate::load::Deadline;
use crate::machine::cores;
use crate::number::float;
use crate::peer::engine::{self, Engine, Level, Pair};
use crate::peer::{postgres, sqlite};
use crate::process::Process;
use crate::report::Quantity;
use crate::subject::{ED25519, FJALL, POSTGRES, REDB, SQLITE, STEMEDB};
use crate::task::LoadFigures;

/// Rows of a transaction of SQLite, and of a batch of an engine.
const BATCH: usize = 1000;
/// What of the records the slow ones get: their rate falls as they grow, so that this favours them.
const SLOW_SHARE: u64 = 4;
/// Records whose size stands for that of all.
const SIZED: u64 = 10_000;

const UNSIGNED: &str = "ingest/unsigned";
const SIGNED: &str = "ingest/signed";

/// One round of unsigned records.
pub(crate) fn unsigned(bench: &mut Bench<'_>) -> Result<()> {
    let records = bench.options.records;
    for subject in bench.rotated(&[STEMEDB, POSTGRES, SQLITE, FJALL, REDB]) {
        match subject {
            STEMEDB => ours(bench, (UNSIGNED, records), &[])?,
            POSTGRES => in_postgres(bench, records)?,
            SQLITE => in_sqlite(bench, records / SLOW_SHARE)?,
            FJALL => {
                let directory = bench.directory()?;
                in_engine(
                    bench,
                    (FJALL, records),
                    &engine::Fjall::open(directory.path())?,
                )?;
            }
            _ => {
                let directory = bench.directory()?;
                in_engine(
                    bench,
                    (REDB, records / SLOW_SHARE),
                    &engine::Redb::open(directory.path())?,
                )?;
            }
        }
    }
    bench
        .report
        .of(UNSIGNED, STEMEDB)
        .add(Quantity::RecordBytes, record_bytes(records)?);
    Ok(())
}

/// One round of signed records, and of signatures alone.
pub(crate) fn signed(bench: &mut Bench<'_>) -> Result<()> {
    for subject in bench.rotated(&[STEMEDB, ED25519]) {
        if subject == STEMEDB {
            let records = bench.options.records / 2;
            ours(bench, (SIGNED, records), &["--signed".to_owned()])?;
        } else {
            bench.tell(SIGNED, ED25519);
            let rate = verified_a_second(bench.options.slice() * 2)?;
            bench.report.of(SIGNED, ED25519).add(Quantity::Rate, rate);
        }
    }
    Ok(())
}

fn ours(bench: &mut Bench<'_>, (name, records): (&str, u64), more: &[String]) -> Result<()> {
    bench.tell(name, STEMEDB);
    let directory = bench.directory()?;
    let mut arguments = vec!["--records".to_owned(), records.to_string()];
    arguments.extend_from_slice(more);
    let process = Process::task("load", &directory.path().join("data"), &arguments)?;
    let figures: LoadFigures = process.figures()?;
    let report = &mut *bench.report;
    report.of(name, STEMEDB).add(Quantity::Rate, figures.rate);
    report
        .of(name, STEMEDB)
        .add(Quantity::ReadableMs, figures.readable_ms);
    report
        .of(name, STEMEDB)
        .add(Quantity::PeakMb, figures.memory_mb);
    report
        .of(name, STEMEDB)
        .add(Quantity::DiskBytes, figures.disk_bytes);
    Ok(())
}

/// What a record takes as it is appended, on average.
fn record_bytes(records: u64) -> Result<f64> {
    let (generator, count) = (Generator::new(records), SIZED.min(records));
    let mut bytes = 0;
    for number in 0..count {
        let record = generator.record(number).doing("make a record")?;
        bytes += stemedb_ingest::serialize(&record)
            .doing("serialize a record")?
            .len();
    }
    Ok(float(bytes) / float(count))
}

fn rows(records: u64) -> impl Iterator<Item = Result<Row>> {
    let generator = Generator::new(records);
    (0..records).map(move |number| Row::generate(generator, number))
}

fn in_postgres(bench: &mut Bench<'_>, records: u64) -> Result<()> {
    let Some(at) = bench.peer("postgres", POSTGRES) else {
        return Ok(());
    };
    let copied = postgres::Copied::new(rows(records))?;
    bench.tell(UNSIGNED, POSTGRES);
    let copied = postgres::load(bench.runtime, &at, &copied)?;
    bench
        .report
        .of(UNSIGNED, POSTGRES)
        .add(Quantity::Rate, copied.rows / copied.seconds);
    bench
        .report
        .of(UNSIGNED, POSTGRES)
        .add(Quantity::DiskBytes, copied.disk_bytes / copied.rows);
    Ok(())
}

fn in_sqlite(bench: &mut Bench<'_>, records: u64) -> Result<()> {
    let rows: Vec<Row> = rows(records).collect::<Result<_>>()?;
    let directory = bench.directory()?;
    let mut database = sqlite::Database::create(directory.path())?;
    bench.tell(UNSIGNED, SQLITE);
    let start = clock::now();
    for batch in rows.chunks(BATCH) {
        database.insert(batch.iter().map(|row| (&row.id, row)))?;
    }
    let rate = float(records) / start.elapsed().as_secs_f64();
    drop(database);
    let disk_bytes = file::disk_bytes(directory.path()).doing("measure SQLite")?;
    bench.report.of(UNSIGNED, SQLITE).add(Quantity::Rate, rate);
    bench
        .report
        .of(UNSIGNED, SQLITE)
        .add(Quantity::DiskBytes, float(disk_bytes) / float(records));
    Ok(())
}

fn in_engine(
    bench: &mut Bench<'_>,
    (subject, records): (&str, u64),
    engine: &impl Engine,
) -> Result<()> {
    let generator = Generator::new(records);
    let mut batches: Vec<Vec<Pair>> = Vec::new();
    for from in (0..records).step_by(BATCH) {
        let mut batch = Vec::with_capacity(2 * BATCH);
        for number in from..records.min(from + BATCH as u64) {
            batch.extend(engine::pairs(generator, number)?);
        }
        batches.push(batch);
    }
    bench.tell(UNSIGNED, subject);
    let start = clock::now();
    for batch in batches {
        engine.commit(batch, Level::Visible)?;
    }
    engine.commit([], Level::Durable)?;
    let rate = float(records) / start.elapsed().as_secs_f64();
    bench.report.of(UNSIGNED, subject).add(Quantity::Rate, rate);
    Ok(())
}

/// Signatures a second, in batches of 1024 on all cores.
fn verified_a_second(time: Duration) -> Result<f64> {
    let (generator, keys) = (Generator::new(1_000_000), Keys::new());
    let mut pending: Vec<PendingSignature> = Vec::new();
    for number in 0..1024 {
        let record = generator.signed(number, &keys).doing("sign a record")?;
        let (_, signature) = record.check(&mut Vec::new()).doing("check a record")?;
        pending.push(signature.doing("find the signature")?);
    }
    let start = clock::now();
    let deadline = Deadline::after(time);
    let count: u64 = std::thread::scope(|scope| {
        let verify = || {
            let mut count = 0;
            while !deadline.is_over() {
                assert!(
                    verify_batch(&pending),
                    "signatures that were just made are right"
                );
                count += pending.len() as u64;
            }
            count
        };
        let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(verify)).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .sum()
    });
    Ok(float(count) / start.elapsed().as_secs_f64())
}
