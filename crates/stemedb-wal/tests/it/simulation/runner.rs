//! Runs seeds on several threads, says how far it got, and sums up.
//!
//! `STEMEDB_SIM_SEED` is the one seed to run, `STEMEDB_SIM_SEEDS` how many, `STEMEDB_SIM_THREADS` on how many threads.

use std::fmt::{Display, Formatter};
use std::io::Write;
use std::ops::{AddAssign, Range};
use std::sync::Mutex;
use std::time::Instant;

const SEEDS: u64 = 2000;
/// After so many seeds a long run says how far it got.
const SEEDS_BETWEEN_LINES: u64 = 10_000;

/// What was done to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    /// Openings that were followed by work.
    pub(crate) lives: u64,
    /// Power losses, those during recovery among them.
    pub(crate) crashes: u64,
    /// Power losses during recovery.
    pub(crate) nested: u64,
    /// The most of them in a row.
    pub(crate) deepest: u64,
    /// Operations that were to fail or to do half their work, full disks, jumps of the clock.
    pub(crate) faults: u64,
    /// Sectors and bytes that were damaged on a copy of the disk.
    pub(crate) damages: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.nested += other.nested;
        self.deepest = self.deepest.max(other.deepest);
        self.faults += other.faults;
        self.damages += other.damages;
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} seeds, {} lives, {} crashes, {} of them in recovery and up to {} in a row, {} faults, {} damages",
            self.seeds,
            self.lives,
            self.crashes,
            self.nested,
            self.deepest,
            self.faults,
            self.damages
        )
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds that the environment asks for.
pub(crate) fn seeds() -> Range<u64> {
    match number("STEMEDB_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STEMEDB_SIM_SEEDS").unwrap_or(SEEDS),
    }
}

struct Progress {
    next: u64,
    tally: Tally,
    failed: Option<(u64, String)>,
}

/// Runs the seeds.
///
/// # Panics
///
/// At the first violation, with the seed that replays it.
pub(crate) fn run(
    seeds: &Range<u64>,
    one: &(dyn Fn(u64) -> (Result<(), String>, Tally) + Sync),
) -> Tally {
    let begun = now();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let threads = number("STEMEDB_SIM_THREADS").unwrap_or(cores).max(1);
    let progress = Mutex::new(Progress {
        next: seeds.start,
        tally: Tally::default(),
        failed: None,
    });
    let work = || {
        while let Some(seed) = take(&progress, seeds) {
            let (result, tally) = one(seed);
            let mut progress = progress.lock().unwrap();
            progress.tally += tally;
            let done = progress.tally.seeds;
            if done.is_multiple_of(SEEDS_BETWEEN_LINES) {
                say(&format!(
                    "{}; {} s",
                    progress.tally,
                    begun.elapsed().as_secs()
                ));
            }
            if let Err(violation) = result
                && progress
                    .failed
                    .as_ref()
                    .is_none_or(|failed| seed < failed.0)
            {
                progress.failed = Some((seed, violation));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let progress = progress.into_inner().unwrap();
    if let Some((seed, violation)) = progress.failed {
        panic!("{violation}; replay it with STEMEDB_SIM_SEED={seed}");
    }
    let summary = format!(
        "simulation: {}; {:.1} s",
        progress.tally,
        begun.elapsed().as_secs_f64()
    );
    if seeds.end - seeds.start > SEEDS {
        say(&summary);
    }
    println!("{summary}");
    progress.tally
}

fn take(progress: &Mutex<Progress>, seeds: &Range<u64>) -> Option<u64> {
    let mut progress = progress.lock().unwrap();
    let seed = progress.next;
    progress.next += 1;
    (progress.failed.is_none() && seeds.contains(&seed)).then_some(seed)
}

/// Says so past the test harness, which keeps what a passing test prints to itself.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[expect(
    clippy::disallowed_methods,
    reason = "says how long a run took; nothing depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
