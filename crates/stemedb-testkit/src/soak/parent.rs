//! The parent: it keeps children going until the time is over, and checks after each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stemedb::RecordId;
use stemedb_testkit::disk::Random;

use super::damage::{Fate, Original};
use super::disk::Disk;
use super::ledger::{Ledger, Writes};
use super::life::{Stage, live};
use super::plan::Plan;
use super::process::Start;
use super::report::Report;
use super::{Options, check, damage};
use crate::clock;
use crate::failure::{Doing, Failure};
use crate::output::say;

const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// A database is given up when it holds so many records, or fewer, as its seed says.
const RECORDS_MAX: u64 = 150_000;
/// Or so many bytes.
const BYTES_MAX: u64 = 192 << 20;
/// In one life of so many a copy is damaged.
const DAMAGE_EVERY: u64 = 10;
/// Of so many lives one is followed by the next at once.
const UNCHECKED_EVERY: u64 = 4;

/// A soak that is going on.
#[derive(Debug)]
struct Soak {
    directory: PathBuf,
    program: PathBuf,
    seed: u64,
    begun: Instant,
    length: Duration,
    said: Instant,
    report: Report,
}

/// One database of it.
#[derive(Debug)]
struct Current {
    seed: u64,
    records_max: u64,
    ledger: Ledger,
    records: Vec<(u64, RecordId)>,
    is_checked: bool,
    /// A write to the store may have failed since the last check.
    may_want_rebuild: bool,
}

/// Soaks.
///
/// # Errors
///
/// The first promise that was broken; then the directory is kept.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let length = Duration::try_from_secs_f64(options.minutes * 60.0).or(Err(Failure::Usage(
        "--minutes takes a number from 0".to_owned(),
    )))?;
    let seed = options.seed.unwrap_or_else(seed_of_this_run);
    let directory = work_directory(options, seed)?;
    say(format_args!(
        "seed {seed}, {} minutes, in {}",
        options.minutes,
        directory.display()
    ));
    // A copy, so that the program may be built anew while this goes on.
    let program = directory.join("stemedb-testkit");
    let this = std::env::current_exe().doing("find", &program)?;
    fs::copy(&this, &program).doing("copy", &this)?;
    let disk = Disk::create(&directory)?;
    let mut soak = Soak {
        directory: directory.clone(),
        program,
        seed,
        begun: clock::now(),
        length,
        said: clock::now(),
        report: Report::default(),
    };
    let result = soak.go_on(&disk);
    soak.report.elapsed = clock::now().saturating_duration_since(soak.begun);
    say(&soak.report);
    if result.is_err() {
        let kept = directory.join("kept");
        // What was found counts, also where there is nothing to keep.
        match check::copy(&disk.database(), &kept) {
            Ok(()) => say(format_args!("the database was kept in {}", kept.display())),
            Err(error) => say(format_args!("the database could not be kept: {error}")),
        }
        say(format_args!(
            "the same plan again: cargo run --release -p stemedb-testkit -- soak --minutes {} --seed {seed}",
            options.minutes
        ));
        return result;
    }
    drop(disk);
    say("clean");
    if !options.keep {
        fs::remove_dir_all(&directory).doing("remove", &directory)?;
    }
    Ok(())
}

/// A seed that differs from run to run.
fn seed_of_this_run() -> u64 {
    let time = std::time::SystemTime::UNIX_EPOCH.elapsed();
    let nanos = time.map_or(0, |time| time.subsec_nanos());
    Random::new(u64::from(nanos) << 32 | u64::from(std::process::id())).next_u64() >> 16
}

fn work_directory(options: &Options, seed: u64) -> Result<PathBuf, Failure> {
    let directory = match &options.directory {
        Some(directory) => directory.clone(),
        None => std::env::temp_dir().join(format!("stemedb-soak-{seed}-{}", std::process::id())),
    };
    fs::create_dir_all(&directory).doing("create", &directory)?;
    let mut files = fs::read_dir(&directory).doing("list", &directory)?;
    if files.next().is_some() {
        return Err(Failure::Usage(format!(
            "{} is not empty",
            directory.display()
        )));
    }
    fs::canonicalize(&directory).doing("find", &directory)
}

impl Soak {
    fn go_on(&mut self, disk: &Disk) -> Result<(), Failure> {
        let mut current = self.new_database();
        while clock::now().saturating_duration_since(self.begun) < self.length {
            let life = self.report.lives;
            self.report.lives += 1;
            let result = self.one_life(life, disk, &mut current);
            result.map_err(|failure| match failure {
                Failure::Violated(what) => Failure::Violated(format!("in life {life}: {what}")),
                other => other,
            })?;
            self.progress();
            if current.records.len() as u64 >= current.records_max
                || bytes_below(&disk.database()).doing("measure", &disk.database())? > BYTES_MAX
            {
                self.check_last(disk, &mut current)?;
                disk.retire()?;
                self.report.databases += 1;
                current = self.new_database();
            }
        }
        self.check_last(disk, &mut current)
    }

    /// Checks what the last life has left, if that was not done.
    fn check_last(&mut self, disk: &Disk, current: &mut Current) -> Result<(), Failure> {
        if current.is_checked {
            return Ok(());
        }
        self.check(disk, current)
    }

    /// What is decided now depends on the seed and the number of the life alone: how far a life got does not change the next one.
    fn random(&self, purpose: u64) -> Random {
        let life = self.report.lives.wrapping_mul(0x9e6c_63d0_876a_3f01);
        Random::new(self.seed ^ life ^ purpose.rotate_left(40))
    }

    fn new_database(&self) -> Current {
        let mut random = self.random(1);
        // Mostly small, so that the creation of one is often killed, and checks are quick.
        let most = RECORDS_MAX >> random.below(8);
        Current {
            seed: random.next_u64() >> 1,
            records_max: random.below(most),
            ledger: Ledger::default(),
            records: Vec::new(),
            is_checked: true,
            may_want_rebuild: false,
        }
    }

    fn one_life(&mut self, life: u64, disk: &Disk, current: &mut Current) -> Result<(), Failure> {
        let mut random = self.random(2);
        let plan = Plan::new(disk.room(), &mut random);
        let arguments = [
            ("--directory", disk.database().display().to_string()),
            ("--seed", current.seed.to_string()),
            ("--life", life.to_string()),
            ("--from", current.ledger.next().to_string()),
        ];
        let arguments = arguments
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        let start = Start {
            program: &self.program,
            arguments: std::iter::once("soak-child".to_owned())
                .chain(arguments)
                .collect(),
            file_bytes_max: plan.file_bytes_max,
            errors: self.directory.join("errors"),
        };
        let stage = Stage {
            disk,
            ledger: &mut current.ledger,
            report: &mut self.report,
            may_want_rebuild: current.may_want_rebuild,
        };
        let lived = live(stage, &start, &plan);
        let writes = lived.map_err(|failure| match failure {
            Failure::Violated(what) => Failure::Violated(format!("{what}\n  {plan:?}")),
            other => other,
        })?;
        current.may_want_rebuild |= writes == Writes::Failing;
        current.is_checked = false;
        // Now and then the next child has to recover what this one has left, and may be killed at it.
        if random.one_in(UNCHECKED_EVERY) {
            return Ok(());
        }
        self.check(disk, current)
    }

    fn check(&mut self, disk: &Disk, current: &mut Current) -> Result<(), Failure> {
        let path = disk.database();
        if current.may_want_rebuild {
            self.report.rebuilds += u64::from(check::rebuild_if_wanted(&path)?);
            current.may_want_rebuild = false;
        }
        current.records = check::database(&path, current.ledger.history())?;
        let settled = current.ledger.settle(&current.records);
        settled.map_err(|violation| Failure::violated(violation.to_string()))?;
        current.is_checked = true;
        self.report.checks += 1;
        self.report.records += current.records.len() as u64;
        let mut random = self.random(3);
        if !random.one_in(DAMAGE_EVERY) || current.records.is_empty() {
            return Ok(());
        }
        let original = Original {
            path: &path,
            records: &current.records,
            history: current.ledger.history(),
        };
        match damage::inflict(original, &self.directory, &mut random)? {
            Some(Fate::Found) => self.report.damage_found += 1,
            Some(Fate::Harmless) => self.report.damage_harmless += 1,
            None => {}
        }
        Ok(())
    }

    fn progress(&mut self) {
        let now = clock::now();
        self.report.elapsed = now.saturating_duration_since(self.begun);
        if now.saturating_duration_since(self.said) >= PROGRESS_EVERY {
            self.said = now;
            say(&self.report);
        }
    }
}

fn bytes_below(directory: &Path) -> std::io::Result<u64> {
    let (mut bytes, mut pending) = (0, vec![directory.to_owned()]);
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                pending.push(entry.path());
            } else {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}
