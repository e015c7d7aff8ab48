//! A long run of the server with slow, broken and hostile clients beside good ones.
//!
//! Machines are not the same from one hour to the next. So phases without the bad clients and with them take turns, and what good clients
//! waited for is compared within the run. Three promises are judged: memory that stays flat, good clients whose slowest requests take no
//! more than twice as long, and nothing lost that was acknowledged.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use stemedb::{Assertion, Database, Object, Predicate, Record, Subject, Vote, Weight, error_chain};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep_until, timeout};

use crate::bench::serve::{self, Started};
use crate::failure::{Doing, Failure, Result};
use crate::output::{say, tell};
use crate::{clock, file, interrupt};

mod client; // connections from addresses of one's own
mod good; // the good clients
mod hostile; // the bad clients
mod log; // what is noted while it goes on
mod rank; // who goes before whom
mod summary; // what came of it
mod watch; // what the server holds

use good::{Acknowledged, Fed, Good};
use hostile::{Arms, Bombs, Hostile};
use log::{Log, Phases, Weather};
use rank::{Rank, rank};
use summary::{Lost, Minute, Summary};
use watch::{Held, settled};

/// How long the greatest rate is looked for.
const CALIBRATION: Duration = Duration::from_secs(5);
/// What part of it the good clients ask for.
const PART: f64 = 0.2;
/// How often the server is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Records that are posted at once before it begins.
const RECORDS_AT_ONCE: usize = 1000;
/// Votes on the claim whose totals are asked for.
const VOTES: u32 = 5000;
/// How much longer than its phases all of it may take until the server is told to end.
const GRACE: Duration = Duration::from_mins(3);
/// How long the server may take to end.
const END: Duration = Duration::from_mins(1);

/// Settings of the server: caches that are full soon, so that growth behind that is growth, and a limit for each address, which is
/// above what a good client wants.
const SETTINGS: [(&str, &str); 4] = [
    ("STEMEDB_STREAM_CACHE_BYTES_MAX", "16777216"),
    ("STEMEDB_SMALL_CACHE_BYTES_MAX", "8388608"),
    ("STEMEDB_KNOWN_IDS_BYTES_MAX", "8388608"),
    ("STEMEDB_REQUESTS_PER_SECOND_MAX", "500"),
];

/// Runs the server with bad clients beside good ones, and judges three promises: exit code 1 if one is broken.
#[derive(Clone, Debug, Parser)]
#[command(name = "stemedb-bench soak")]
pub(crate) struct Options {
    /// How long it goes on.
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// Records that are stored before it begins: a store that is not new, so that what grows is told from what fills.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// How long each phase is, without bad clients and with them in turn.
    #[arg(long, default_value_t = 60)]
    phase_seconds: u32,
    /// Records that are written in a second at most; fewer where a fifth of what the machine can do is less.
    #[arg(long, default_value_t = 1000.0)]
    rate_max: f64,
    /// Kinds of bad clients: those whose names begin with one of these; all by default.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Where the summary goes as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the database is made.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Four phases of three seconds: whether everything runs. Only what is lost is judged.
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn phases(&self) -> Phases {
        let (length, count) = if self.quick {
            (3, 4)
        } else {
            let length = self.phase_seconds.max(1);
            (length, (self.minutes * 60 / length).max(2))
        };
        Phases {
            start: clock::now() + LOOK,
            length: Duration::from_secs(length.into()),
            count,
        }
    }
}

/// Runs it with the arguments of a command line.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    match soak(&Options::parse_from(arguments)) {
        Ok(summary) => {
            say(&summary);
            ExitCode::from(u8::from(!summary.is_kept()))
        }
        Err(failure) => {
            tell(format_args!("error: {}", error_chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn soak(options: &Options) -> Result<Summary> {
    let home = tempfile::Builder::new()
        .prefix("stemedb-soak-")
        .tempdir_in(&options.directory);
    let home = home.doing("make a directory")?;
    interrupt::listen(home.path())?;
    let go_first = Arc::new(AtomicBool::new(true));
    let runtime = runtime(&go_first)?;
    let server = runtime.block_on(serve::start(home.path(), &SETTINGS))?;
    let records = if options.quick {
        RECORDS_AT_ONCE as u64
    } else {
        options.records
    };
    tell(format_args!("storing {records} records"));
    // Each of its requests has a limit of its own.
    let filled = runtime.block_on(fill(server.address, records))?;
    let limit = options.phases().time() + GRACE;
    let observe = async { timeout(limit, observe(options, &server, filled)).await };
    let observed = runtime.block_on(observe);
    let Started {
        process, directory, ..
    } = server;
    process.end(END)?;
    let observed = observed.doing("end in time")??;
    tell("checking what is stored");
    let lost = check(&directory, &observed.acknowledged, observed.fed)?;
    let go_first = go_first.load(Ordering::Relaxed);
    let mut summary = Summary::new(observed, lost, options.quick);
    summary.clients_go_first = go_first;
    if let Some(path) = &options.json {
        let json = serde_json::to_vec_pretty(&summary).doing("write the summary as JSON")?;
        file::write(path, json).doing(format!("write {}", path.display()))?;
    }
    Ok(summary)
}

/// The threads of the good clients; tells where they do not go before the server.
fn runtime(go_first: &Arc<AtomicBool>) -> Result<Runtime> {
    let go_first = Arc::clone(go_first);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder.on_thread_start(move || {
        if !rank(Rank::First) {
            go_first.store(false, Ordering::Relaxed);
        }
    });
    builder.build().doing("start threads")
}

/// What was seen from outside.
#[derive(Debug)]
struct Observed {
    log: Arc<Log>,
    rate_max: f64,
    rate: f64,
    minutes: Vec<Minute>,
    acknowledged: Vec<Acknowledged>,
    fed: Fed,
}

async fn observe(
    options: &Options,
    server: &Started,
    mut acknowledged: Vec<Acknowledged>,
) -> Result<Observed> {
    let time = if options.quick { LOOK } else { CALIBRATION };
    let stored = acknowledged.last().map_or(0, |(sequence, _)| *sequence);
    let before = Arc::new(Log::new(options.phases(), acknowledged.len() as u64));
    let (rate_max, more) = good::calibrate(&before, server.address, time).await?;
    acknowledged.extend(more);
    let rate = (rate_max * PART).min(options.rate_max);
    tell(format_args!(
        "writers that never wait: {rate_max:.0} records/s; from now on {rate:.0}"
    ));
    let (votes, more) = vote(server.address).await?;
    acknowledged.extend(more);
    let bombs = Bombs::new()?;
    let log = Arc::new(Log::new(options.phases(), before.number()));
    let arms = Arc::new(Arms {
        server: server.address,
        log: Arc::clone(&log),
        bombs,
        votes,
    });
    let good = Good::begin(&log, server.address, (rate, stored));
    let minutes = go_through(&arms, server.process.id(), &options.only).await;
    log.end();
    let (more, fed) = good.end().await?;
    acknowledged.extend(more);
    Ok(Observed {
        log,
        rate_max,
        rate,
        minutes: minutes?,
        acknowledged,
        fed,
    })
}

/// All phases, one after the other.
async fn go_through(arms: &Arc<Arms>, server: u32, only: &[String]) -> Result<Vec<Minute>> {
    let log = &arms.log;
    let phases = log.phases;
    let mut minutes = Vec::new();
    for phase in 0..phases.count {
        sleep_until((phases.start + phases.length * phase).into()).await;
        let hostile = match Phases::weather(phase) {
            Weather::Quiet => None,
            Weather::Hostile => Some(Hostile::begin(arms, only)?),
        };
        let (mut last, mut most) = (Held::default(), Held::default());
        let mut memory_mb = Vec::new();
        let end = phases.start + phases.length * phase + phases.length.saturating_sub(LOOK / 2);
        while clock::now() < end {
            last = Held::by(server).doing("look at the server: it is gone")?;
            most = most.max(last);
            memory_mb.push(last.memory_mb);
            sleep_until((clock::now() + LOOK).min(end).into()).await;
        }
        drop(hostile);
        let minute = Minute {
            phase,
            weather: Phases::weather(phase),
            writes: log.writes.of_phase(phase),
            reads: log.reads.of_phase(phase),
            newcomers: log.newcomers.of_phase(phase),
            settled_mb: settled(&memory_mb),
            last,
            most,
        };
        tell(minute);
        minutes.push(minute);
    }
    Ok(minutes)
}

/// Stores the first records.
async fn fill(server: SocketAddr, records: u64) -> Result<Vec<Acknowledged>> {
    let mut acknowledged = Vec::new();
    let mut numbers = 0..records;
    loop {
        let some = numbers.by_ref().take(RECORDS_AT_ONCE);
        let some = some.map(|number| good::GENERATOR.record(number));
        let some: Vec<_> = some.collect::<Result<_, _>>().doing("make records")?;
        if some.is_empty() {
            return Ok(acknowledged);
        }
        acknowledged.extend(store(server, "/v1/assertions", &some).await?);
    }
}

/// Stores a claim and many votes on it; gives the path under which they are read.
async fn vote(server: SocketAddr) -> Result<(String, Vec<Acknowledged>)> {
    let invalid = "make a claim";
    let claim = Assertion::new(
        Subject::new("a claim with many votes").doing(invalid)?,
        Predicate::new("is").doing(invalid)?,
        Object::text("so".to_owned()),
        stemedb::Agent::new("agent:soak").doing(invalid)?,
    );
    let claim = Record::from(claim);
    let id = claim.id().doing(invalid)?;
    let mut votes = Vec::new();
    for number in 0..VOTES {
        let voter = stemedb::Agent::new(format!("voter:{number}")).doing(invalid)?;
        let vote = Vote::new(id, voter, Weight::new(0.5).doing(invalid)?);
        votes.push(Record::from(vote));
    }
    let mut acknowledged = store(server, "/v1/assertions", &[claim]).await?;
    for some in votes.chunks(RECORDS_AT_ONCE) {
        acknowledged.extend(store(server, "/v1/votes", some).await?);
    }
    Ok((format!("/v1/assertions/{id}/votes"), acknowledged))
}

/// Posts records as one array, each of which is then stored.
async fn store(server: SocketAddr, path: &str, records: &[Record]) -> Result<Vec<Acknowledged>> {
    let mut client = client::Client::new(server, Ipv4Addr::LOCALHOST);
    let json: Vec<_> = records.iter().map(Record::to_json).collect();
    let body = format!("[{}]", json.join(","));
    let answer = client.ask(&client::post(path, body.as_bytes())).await;
    let answer = answer.doing("write to our server")?;
    match answer.status {
        201 => good::receipts(&answer.body, records),
        status => Err(Failure::new(format!("store records: {status}"))),
    }
}

/// Holds what was acknowledged against what is stored: by the program, which checks every byte, and by the library.
fn check(directory: &Path, acknowledged: &[Acknowledged], fed: Fed) -> Result<Lost> {
    let mut verify = Command::new(crate::bench::flight::program()?);
    verify.arg("--quiet").arg("--dir").arg(directory);
    let status = crate::process::status(verify.arg("verify")).doing("run verify")?;
    let database = Database::open(directory).doing("open the database")?;
    let mut stored = Vec::new();
    for record in database.export().doing("export")? {
        let record = record.doing("export")?;
        stored.push((record.sequence.get(), record.id));
    }
    database.close().doing("close the database")?;
    Ok(Lost::new(acknowledged, stored, fed, status.success()))
}
