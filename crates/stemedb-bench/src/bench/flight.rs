//! The flight file through the real program, twice: the second time all of it is there.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::read::GzDecoder;
use stemedb::{Database, Record};

use super::{Bench, serve};
use crate::claim::{Generator, Row};
use crate::failure::{Doing, Failure, Result};
use crate::file;
use crate::number::float;
use crate::peer::postgres;
use crate::process::Process;
use crate::report::Quantity;
use crate::subject::{POSTGRES, SERVED, STEMEDB};

const FIRST: &str = "ingest/flight";
const AGAIN: &str = "ingest/duplicates";

/// Where the file lies: beside the checkout, since its licence keeps it out of the repository.
const FILE: &str = "../shared/data/flight_1-12_dec.ndjson.gz";

/// How long a server may take to end.
const END: Duration = Duration::from_mins(1);

/// The file, read once for the peer.
#[derive(Debug)]
pub(crate) struct Flight {
    path: PathBuf,
    /// Distinct assertions, encoded.
    copied: postgres::Copied,
    /// Lines, repetitions included.
    lines: u64,
    /// Distinct records, epochs included.
    distinct: u64,
}

impl Flight {
    /// Reads the file, or as many generated records where it is absent or everything has to be quick.
    pub(crate) fn read(bench: &mut Bench<'_>) -> Result<Self> {
        let path = Path::new(FILE);
        if bench.options.quick {
            return Self::generated(bench.home, bench.options.records);
        }
        if !path.exists() {
            let text =
                format!("the flight file: {FILE} is absent; generated records stand in its place");
            bench.report.leave_out(text);
            return Self::generated(bench.home, bench.options.records);
        }
        Self::of(path.to_owned())
    }

    fn generated(home: &Path, records: u64) -> Result<Self> {
        let path = home.join("flight.ndjson");
        let generator = Generator::new(records);
        let mut text = Vec::new();
        for number in 0..records {
            generator
                .record(number)
                .doing("make a record")?
                .write_json(&mut text);
            text.push(b'\n');
        }
        file::write(&path, text).doing("write records")?;
        Self::of(path)
    }

    fn of(path: PathBuf) -> Result<Self> {
        let raw = BufReader::new(file::open(&path).doing(format!("open {}", path.display()))?);
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        let text: Box<dyn BufRead> = if is_packed {
            Box::new(BufReader::new(GzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        let (mut seen, mut lines) = (HashSet::new(), 0);
        let rows = text.split(b'\n').filter_map(|line| {
            lines += 1;
            let found = line.doing("read a line").and_then(|line| {
                let record = Record::from_json(&line).doing("read a record")?;
                let id = record.id().doing("name a record")?;
                Ok(seen
                    .insert(*id.as_bytes())
                    .then(|| Row::of(id, &record))
                    .flatten())
            });
            found.transpose()
        });
        let copied = postgres::Copied::new(rows)?;
        Ok(Self {
            path,
            copied,
            lines,
            distinct: seen.len() as u64,
        })
    }
}

/// One round.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    let flight = match bench.state.flight.take() {
        Some(flight) => flight,
        None => Flight::read(bench)?,
    };
    let done = measure(bench, &flight);
    bench.state.flight = Some(flight);
    done
}

fn measure(bench: &mut Bench<'_>, flight: &Flight) -> Result<()> {
    for subject in bench.rotated(&[STEMEDB, SERVED, POSTGRES]) {
        if subject == STEMEDB {
            ours(bench, flight)?;
        } else if subject == SERVED {
            served(bench, flight)?;
        } else if let Some(at) = bench.peer("postgres", POSTGRES) {
            bench.tell(FIRST, POSTGRES);
            let copied = postgres::load(bench.runtime, &at, &flight.copied)?;
            bench
                .report
                .of(FIRST, POSTGRES)
                .add(Quantity::Rate, copied.rows / copied.seconds);
            let disk_bytes = copied.disk_bytes / copied.rows;
            bench
                .report
                .of(FIRST, POSTGRES)
                .add(Quantity::DiskBytes, disk_bytes);
        }
    }
    Ok(())
}

fn ours(bench: &mut Bench<'_>, flight: &Flight) -> Result<()> {
    let program = program()?;
    let directory = bench.directory()?;
    let data = directory.path().join("data");
    let command = |name: &str| {
        let mut command = Command::new(&program);
        command.args([name, "--quiet", "--dir"]).arg(&data);
        command
    };
    Process::start(&mut command("init"))?.watched()?;
    let before = journal(&data)?;
    bench.tell(FIRST, STEMEDB);
    let first = Process::start(command("ingest").arg(&flight.path))?.watched()?;
    let between = journal(&data)?;
    let disk_bytes = file::disk_bytes(&data).doing("measure the database")?;
    bench.tell(AGAIN, STEMEDB);
    let again = Process::start(command("ingest").arg(&flight.path))?.watched()?;
    let after = journal(&data)?;
    check(between.0 - before.0, flight)?;
    let (distinct, lines) = (float(flight.distinct), float(flight.lines));
    let report = &mut *bench.report;
    report
        .of(FIRST, STEMEDB)
        .add(Quantity::Rate, distinct / first.time.as_secs_f64());
    report
        .of(FIRST, STEMEDB)
        .add(Quantity::PeakMb, first.peak_mb);
    report
        .of(FIRST, STEMEDB)
        .add(Quantity::DiskBytes, float(disk_bytes) / distinct);
    report
        .of(FIRST, STEMEDB)
        .add(Quantity::Duplicates, 100.0 * (1.0 - distinct / lines));
    report
        .of(AGAIN, STEMEDB)
        .add(Quantity::Rate, distinct / again.time.as_secs_f64());
    report
        .of(AGAIN, STEMEDB)
        .add(Quantity::PeakMb, again.peak_mb);
    report.of(AGAIN, STEMEDB).add(Quantity::Duplicates, 100.0);
    report
        .of(AGAIN, STEMEDB)
        .add(Quantity::Appended, float(after.0 - between.0));
    report.of(AGAIN, STEMEDB).add(
        Quantity::AppendedBytes,
        float(after.1.saturating_sub(between.1)),
    );
    Ok(())
}

/// The same file, sent to a server by the same program.
fn served(bench: &mut Bench<'_>, flight: &Flight) -> Result<()> {
    bench.tell(FIRST, SERVED);
    let directory = bench.directory()?;
    let server = bench
        .runtime
        .block_on(serve::start(directory.path(), &[]))?;
    let mut command = Command::new(program()?);
    let url = format!("http://{}", server.address);
    command.args(["ingest", "--quiet", "--url", &url]);
    let sent = Process::start(command.arg(&flight.path))?.watched()?;
    server.process.end(END)?;
    check(journal(&server.directory)?.0, flight)?;
    let rate = float(flight.distinct) / sent.time.as_secs_f64();
    bench.report.of(FIRST, SERVED).add(Quantity::Rate, rate);
    Ok(())
}

/// Refuses the figures of an ingest that did not store what it was given.
fn check(stored: u64, flight: &Flight) -> Result<()> {
    if stored == flight.distinct {
        return Ok(());
    }
    let distinct = flight.distinct;
    let text = format!("trust an ingest that stored {stored} records of {distinct}");
    Err(Failure::new(text))
}

/// Records and bytes of a journal.
fn journal(data: &Path) -> Result<(u64, u64)> {
    let database = Database::open(data).doing("open the database")?;
    let stats = database.stats().doing("measure the journal")?;
    database.close().doing("close the database")?;
    Ok((stats.durable_sequence, stats.journal.bytes))
}

/// The program as it is given to people: it is built beside this one.
pub(crate) fn program() -> Result<PathBuf> {
    let this = std::env::current_exe().doing("find this program")?;
    let program = this.with_file_name("stemedb");
    if program.exists() {
        return Ok(program);
    }
    let text =
        "measure the program `stemedb`, which is not built: `cargo build --release -p stemedb-cli`";
    Err(Failure::new(text))
}
