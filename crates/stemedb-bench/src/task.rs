//! What is measured in a process of its own: for its memory, or because it is killed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use stemedb::{Create, Database, error_chain};
use stemedb_wal::Journal;

use crate::claim::{Generator, Keys};
use crate::failure::{Doing, Failure, Result, joined};
use crate::load::{Generated, Ready, Signing, load};
use crate::machine::memory_mb;
use crate::number::float;
use crate::output::{say, tell};
use crate::report::Curve;
use crate::{clock, file};

/// How often a load that grows is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// The same for a load that takes no time.
const SAMPLE_SMALL_EVERY: Duration = Duration::from_millis(2);
/// Records of such a load at most.
const SMALL_RECORDS: u64 = 100_000;

#[derive(Debug, Parser)]
#[command(name = "stemedb-bench task")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Load records that are in memory.
    Load {
        #[command(flatten)]
        place: Place,
        #[arg(long)]
        signed: bool,
    },
    /// Load records as they are made, and watch rate and memory.
    Grow {
        #[command(flatten)]
        place: Place,
    },
    /// Make a database whose store is behind, and wait to be killed.
    Fill {
        #[command(flatten)]
        place: Place,
        #[arg(long)]
        journal_bytes: u64,
        #[arg(long)]
        behind_bytes: u64,
    },
    /// Open a database, and read one record.
    Open {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, Debug, Args)]
struct Place {
    #[arg(long)]
    directory: PathBuf,
    #[arg(long, default_value_t = 0)]
    records: u64,
}

/// What a load gives.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct LoadFigures {
    pub(crate) rate: f64,
    pub(crate) readable_ms: f64,
    /// The memory that loading took, the records apart that were in memory before.
    pub(crate) memory_mb: f64,
    pub(crate) disk_bytes: f64,
}

/// What a load that grows gives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GrowFigures {
    pub(crate) rate: f64,
    pub(crate) peak_mb: f64,
    pub(crate) curve: Curve,
}

/// What an opening gives.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OpenFigures {
    pub(crate) seconds: f64,
    /// Records that can be read.
    pub(crate) records: u64,
}

/// Does a task, and says its figures in one line of JSON.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let figures = match Arguments::parse_from(arguments).task {
        Task::Load { place, signed } => load_ready(&place, signed).and_then(|it| line(&it)),
        Task::Grow { place } => grow(&place).and_then(|it| line(&it)),
        Task::Fill {
            place,
            journal_bytes,
            behind_bytes,
        } => fill(&place, journal_bytes, behind_bytes),
        Task::Open { place } => open(&place).and_then(|it| line(&it)),
    };
    match figures {
        Ok(line) => {
            say(line);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            tell(format_args!("error: {}", error_chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn line(figures: &impl Serialize) -> Result<String> {
    serde_json::to_string(figures).doing("write figures")
}

fn own_memory_mb(name: &str) -> f64 {
    memory_mb(std::process::id(), name).unwrap_or(f64::NAN)
}

fn create(directory: &Path) -> Result<Database> {
    let builder = Database::builder().create(Create::IfMissing);
    builder.open(directory).doing("create a database")
}

fn load_ready(place: &Place, signed: bool) -> Result<LoadFigures> {
    let signing = if signed {
        Signing::Signed(Keys::new())
    } else {
        Signing::Unsigned
    };
    let generator = Generator::new(place.records);
    let ready = Ready::make(&Generated::new(generator, signing, (0, place.records)))?;
    let before_mb = own_memory_mb("VmRSS");
    let database = create(&place.directory)?;
    let loaded = load(&database, &ready)?;
    let stored = database
        .stats()
        .doing("count the records")?
        .counts
        .assertions;
    assert_eq!(stored, place.records, "every record is stored");
    database.close().doing("close the database")?;
    let disk_bytes = file::disk_bytes(&place.directory).doing("measure the database")?;
    Ok(LoadFigures {
        rate: float(place.records) / loaded.time.as_secs_f64(),
        readable_ms: loaded.readable.as_secs_f64() * 1e3,
        memory_mb: own_memory_mb("VmHWM") - before_mb,
        disk_bytes: float(disk_bytes) / float(place.records),
    })
}

fn grow(place: &Place) -> Result<GrowFigures> {
    let database = create(&place.directory)?;
    let generator = Generator::new(place.records);
    let source = Generated::new(generator, Signing::Unsigned, (0, place.records));
    let is_over = AtomicBool::new(false);
    let is_small = place.records <= SMALL_RECORDS;
    let every = if is_small {
        SAMPLE_SMALL_EVERY
    } else {
        SAMPLE_EVERY
    };
    let (loaded, curve) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&database, &is_over, every));
        let loaded = load(&database, &source);
        is_over.store(true, Ordering::Relaxed);
        Ok::<_, Failure>((loaded?, joined(watcher.join())??))
    })?;
    database.close().doing("close the database")?;
    Ok(GrowFigures {
        rate: float(place.records) / loaded.time.as_secs_f64(),
        peak_mb: own_memory_mb("VmHWM"),
        curve,
    })
}

/// Notes how many records can be read, how fast they come, and what memory is taken, until the load is over.
fn watch(database: &Database, is_over: &AtomicBool, every: Duration) -> Result<Curve> {
    let mut curve = Curve::default();
    let (start, mut at, mut before) = (clock::now(), 0.0, 0.0);
    loop {
        let last = is_over.load(Ordering::Relaxed);
        let view = database.view().doing("look at the database")?;
        let records = view.applied().map_or(0.0, |sequence| float(sequence.get()));
        let now = start.elapsed().as_secs_f64();
        if records > before {
            curve.seconds.push(now);
            curve.records.push(records);
            curve.rate.push((records - before) / (now - at));
            curve.memory_mb.push(own_memory_mb("VmRSS"));
            (at, before) = (now, records);
        }
        if last {
            return Ok(curve);
        }
        clock::pause(every);
    }
}

/// Brings journal and store to a size, then the journal alone further on.
fn fill(place: &Place, journal_bytes: u64, behind_bytes: u64) -> Result<String> {
    const STEP: u64 = 20_480;
    let generator = Generator::new(1_000_000);
    let mut next = 0;
    let database = create(&place.directory)?;
    while database.stats().doing("measure the journal")?.journal.bytes + behind_bytes
        < journal_bytes
    {
        let step = Generated::new(generator, Signing::Unsigned, (next, next + STEP));
        load(&database, &step)?;
        next += STEP;
    }
    database.close().doing("close the database")?;
    let journal = Journal::open(place.directory.join("wal")).doing("open the journal alone")?;
    let writer = journal.trusted_writer();
    let from_bytes = journal.state().group_bytes;
    while journal.state().group_bytes < from_bytes + behind_bytes {
        let mut payloads = Vec::new();
        for number in next..next + 1024 {
            let record = generator.record(number).doing("make a record")?;
            payloads.push(stemedb_ingest::serialize(&record).doing("serialize a record")?);
        }
        next += 1024;
        writer
            .append_all(payloads)
            .wait()
            .doing("append to the journal")?;
    }
    say("ready");
    loop {
        // Whoever started this kills it here: nothing is closed.
        clock::pause(Duration::from_secs(1));
    }
}

fn open(place: &Place) -> Result<OpenFigures> {
    let start = clock::now();
    let database = Database::open(&place.directory).doing("open the database")?;
    let view = database.view().doing("look at the database")?;
    let id = Generator::new(1_000_000)
        .record(0)
        .and_then(|record| record.id());
    let found = view
        .get(id.doing("name a record")?)
        .doing("read a record")?;
    let seconds = start.elapsed().as_secs_f64();
    found.doing("find the first record")?;
    let records = view.counts().assertions;
    drop(view);
    database.close().doing("close the database")?;
    Ok(OpenFigures { seconds, records })
}
