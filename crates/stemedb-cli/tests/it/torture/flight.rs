//! One long ingest under kills and errors: after each, nothing that was reported is missing; at the end nothing differs.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use stemedb::Database;

use super::{
    super::support::{Home, Moments, can_trace, claims, long_tests, say, shared},
    check::{DIRECTORY, hashes},
    life::{INGEST, kill, read_all, start, watch},
    trace::{Effect, Fault},
};

/// Lines that are fed again at the start of a life: they were acknowledged, and must be known as duplicates.
const OVERLAP_LINES: usize = 500;

/// Older records that are looked up after each life, besides all that are new.
const OLD_LOOKED_UP: usize = 1000;

/// Every so many lives all ids are exported.
const LIVES_PER_EXPORT: usize = 25;

/// Bytes of an id in an export of ids, with the line feed.
const ID_BYTES: usize = 65;

/// At most so long after the record that decides it a process is killed.
const LINGER: Duration = Duration::from_millis(30);

/// The files of the journal.
const SEGMENTS: [&str; 12] = [
    "stemedb-data/wal/0000000000000001.wal",
    "stemedb-data/wal/0000000000000002.wal",
    "stemedb-data/wal/0000000000000003.wal",
    "stemedb-data/wal/0000000000000004.wal",
    "stemedb-data/wal/0000000000000005.wal",
    "stemedb-data/wal/0000000000000006.wal",
    "stemedb-data/wal/0000000000000007.wal",
    "stemedb-data/wal/0000000000000008.wal",
    "stemedb-data/wal/0000000000000009.wal",
    "stemedb-data/wal/000000000000000a.wal",
    "stemedb-data/wal/000000000000000b.wal",
    "stemedb-data/wal/000000000000000c.wal",
];

/// Calls that fail, the N-th of so many, of any file or of those that are named; early calls of any file are those of opening.
const FAILING: [(&str, usize, &[&str]); 12] = [
    ("pwrite64", 30, &[]),
    ("write", 30, &[]),
    ("fdatasync", 10, &[]),
    ("fsync", 8, &[]),
    ("openat", 90, &[]),
    ("ftruncate", 3, &[]),
    ("rename", 1, &[]),
    ("pread64", 30, &[]),
    ("pwrite64", 6, &SEGMENTS),
    ("fdatasync", 6, &SEGMENTS),
    ("pread64", 4, &SEGMENTS),
    ("openat", 4, &SEGMENTS),
];

/// What the ingest is put through.
#[derive(Debug, Clone, Copy)]
struct Ordeal {
    kills: usize,
    errors: usize,
}

/// A file whose lines can be fed from any one on.
struct Input {
    path: PathBuf,
    /// Where each line begins.
    offsets: Vec<u64>,
}

impl Input {
    fn of(path: PathBuf) -> Self {
        let mut file = BufReader::with_capacity(1 << 20, File::open(&path).unwrap());
        let (mut offsets, mut offset, mut line) = (Vec::new(), 0, Vec::new());
        while file.read_until(b'\n', &mut line).unwrap() > 0 {
            offsets.push(offset);
            offset += line.len() as u64;
            line.clear();
        }
        Self { path, offsets }
    }

    /// The lines from one on to another.
    fn lines(&self, from: usize, to: usize) -> std::io::Take<File> {
        let mut file = File::open(&self.path).unwrap();
        let start = self.offsets[from];
        file.seek(SeekFrom::Start(start)).unwrap();
        let end = self.offsets.get(to).copied().unwrap_or(u64::MAX);
        file.take(end - start)
    }

    fn count(&self) -> usize {
        self.offsets.len()
    }
}

/// What a run without faults leaves.
struct Undisturbed {
    /// The export of the ids.
    ids: Vec<u8>,
    /// A hash of each record of the journal.
    hashes: Vec<u64>,
    /// The hash of the export.
    export: blake3::Hash,
}

impl Undisturbed {
    fn of(input: &Input) -> Self {
        let home = Home::new();
        home.run(["ingest", "-q", &input.path.display().to_string()])
            .fine();
        Self {
            ids: home.run(["export", "--ids"]).fine().stdout.into_bytes(),
            hashes: hashes(&home.path(DIRECTORY)),
            export: export(&home),
        }
    }

    fn id(&self, at: usize) -> &str {
        let from = at * ID_BYTES;
        std::str::from_utf8(&self.ids[from..from + ID_BYTES - 1]).unwrap()
    }
}

/// The hash of everything that is exported.
fn export(home: &Home) -> blake3::Hash {
    let mut command = home.command(["export"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut child.stdout.take().unwrap(), &mut hasher).unwrap();
    assert!(child.wait().unwrap().success());
    hasher.finalize()
}

/// An ingest that is interrupted again and again.
struct Journey<'a> {
    home: Home,
    input: &'a Input,
    undisturbed: &'a Undisturbed,
    moments: Moments,
    /// Records that are in the database.
    held: usize,
    /// The line behind the last that was reported.
    next: usize,
    lives: usize,
    rebuilds: usize,
}

/// Writes `lines` to a process, and keeps its input open then until the sender is dropped.
fn feed(
    mut lines: std::io::Take<File>,
    mut stdin: ChildStdin,
) -> (thread::JoinHandle<()>, mpsc::Sender<()>) {
    let (sender, closed) = mpsc::channel();
    let feeder = thread::spawn(move || {
        // It may be gone.
        if std::io::copy(&mut lines, &mut stdin).is_ok() {
            while closed.recv().is_ok() {}
        }
    });
    (feeder, sender)
}

/// What a life reported.
#[derive(Debug, Default)]
struct Report {
    /// How many new records.
    stored: usize,
    stderr: String,
    code: Option<i32>,
}

impl Journey<'_> {
    /// Feeds a process up to `share` new lines, and kills it a moment after it has reported all, or `stored_max` new records; without a
    /// share it gets all that is left, and comes to its end.
    fn live(&mut self, mut command: Command, share: Option<usize>, stored_max: usize) -> Report {
        let from = self
            .next
            .saturating_sub(OVERLAP_LINES)
            .min(self.input.count() - 1);
        let to = share.map_or(self.input.count(), |share| self.next + share);

        command.stdin(Stdio::piped());
        let mut child = start(command);
        let alive = watch(&child);
        let (feeder, fed) = feed(self.input.lines(from, to), child.stdin.take().unwrap());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        let complaining = thread::spawn(move || read_all(stderr));
        let (decided, killer) = self.killer(child.id());
        let fed = share.is_some().then_some(fed);
        let mut report = Report::default();
        let mut is_decided = false;
        for line in stdout.lines().map_while(Result::ok) {
            self.take(&mut report, from, &line);
            let has_all = share.is_some() && self.next >= to.min(self.input.count());
            if !is_decided && (report.stored >= stored_max || has_all) {
                is_decided = decided.send(()).is_ok();
            }
        }
        report.code = child.wait().unwrap().code();
        drop((decided, fed));
        killer.join().unwrap();
        feeder.join().unwrap();
        report.stderr = complaining.join().unwrap();
        drop(alive.0);
        assert!(!alive.1.join().unwrap(), "it hangs: {}", report.stderr);
        self.lives += 1;
        report
    }

    /// Notes what a line of the answer reports.
    fn take(&mut self, report: &mut Report, from: usize, line: &str) {
        // The last one may be incomplete, and one is the summary.
        let Ok(told) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let Some(status) = told.get("status") else {
            return;
        };
        assert_ne!(status, "rejected", "{line}");
        self.next = from + usize::try_from(told["line"].as_u64().unwrap()).unwrap();
        if status == "stored" {
            let expected = self.undisturbed.id(self.held + report.stored);
            assert_eq!(
                told["id"], expected,
                "{line}: another one was to be stored next"
            );
            report.stored += 1;
        }
    }

    /// A thread that kills the group of a process a moment after it was told to.
    fn killer(&mut self, process: u32) -> (mpsc::Sender<()>, thread::JoinHandle<()>) {
        let (decided, waiting) = mpsc::channel();
        let linger = self.moments.next(LINGER);
        let killer = thread::spawn(move || {
            if waiting.recv() == Ok(()) {
                thread::sleep(linger);
                kill(&format!("-{process}"), "KILL");
            }
        });
        (decided, killer)
    }

    /// Opens the database, and looks for everything that was ever reported.
    fn check(&mut self, report: &Report) {
        let directory = self.home.path(DIRECTORY);
        let owed = self.held + report.stored;
        if !directory.join("stemedb.marker").exists() {
            assert_eq!(owed, 0, "the database is gone");
            return;
        }
        self.rebuild_if_asked();
        let database = Database::open(&directory).unwrap();
        let view = database.view().unwrap();
        let old = (0..OLD_LOOKED_UP.min(owed)).map(|_| self.moments.below(owed));
        for at in old.collect::<Vec<_>>().into_iter().chain(self.held..owed) {
            let id = self.undisturbed.id(at);
            let found = view.get(id.parse().unwrap()).unwrap();
            let found = found.unwrap_or_else(|| panic!("{id} was reported and is not there"));
            assert_eq!(found.sequence.get(), at as u64 + 1, "{id}");
        }
        let counts = view.counts();
        drop(view);
        database.close().unwrap();
        let held = hashes(&directory);
        assert!(
            held.len() >= owed,
            "{} are there, {owed} were reported",
            held.len()
        );
        assert!(
            held == self.undisturbed.hashes[..held.len()],
            "the journal holds something else"
        );
        let counted = counts.assertions + counts.votes + counts.epochs;
        assert_eq!(
            counted,
            held.len() as u64,
            "the store has counted otherwise"
        );
        self.held = held.len();
        if self.lives.is_multiple_of(LIVES_PER_EXPORT) {
            self.check_export();
        }
    }

    /// Exports all ids.
    fn check_export(&self) {
        let ids = self.home.run(["export", "--ids"]).fine().stdout;
        assert!(
            ids.as_bytes() == &self.undisturbed.ids[..self.held * ID_BYTES],
            "other ids"
        );
    }

    /// Where an engine could not sync, only a rebuild will do.
    fn rebuild_if_asked(&mut self) {
        let stats = self.home.run(["stats"]);
        if stats.code == 5 && stats.stderr.contains("engine fjall had failed to write") {
            self.home.run(["rebuild"]).fine();
            self.rebuilds += 1;
        } else {
            assert_eq!(stats.code, 0, "{}", stats.stderr);
        }
    }

    /// How many new lines the next life is fed, so that there are some left for `lives` more.
    fn share(&mut self, lives: usize) -> usize {
        let left = self.input.count().saturating_sub(self.next);
        1 + self.moments.below(left / (lives + 1))
    }

    /// A life that is killed; false if it had reported nothing new, which counts for nothing.
    fn is_killed(&mut self, lives: usize) -> bool {
        let share = self.share(lives);
        let stored_max = 1 + self.moments.below(share);
        let command = self.home.command(INGEST);
        let report = self.live(command, Some(share), stored_max);
        assert!(
            report.code.is_none_or(|code| code == 0),
            "{}",
            report.stderr
        );
        self.check(&report);
        report.code.is_none() && report.stored > 0
    }

    /// A life in which a call fails; what that was, or none if it did not come to it.
    fn has_failed(&mut self, lives: usize) -> Option<String> {
        let (call, often, files) = FAILING[self.moments.below(FAILING.len())];
        let error = ["EIO", "ENOSPC"][self.moments.below(2)];
        let fault = Fault {
            call,
            nth: 1 + self.moments.below(often),
            effect: Effect::Error(error),
            files,
        };
        let share = self.share(lives);
        let report = self.live(fault.command(&self.home, &INGEST), Some(share), usize::MAX);
        assert!(
            !report.stderr.contains("panicked"),
            "{fault}: {}",
            report.stderr
        );
        assert!(
            !report.stderr.contains("internal failure"),
            "{fault}: {}",
            report.stderr
        );
        let injected = fault.injected(&self.home);
        self.check(&report);
        let was_ours = report.code != Some(127);
        injected.filter(|_| was_ours).map(|_| {
            let said = report
                .stderr
                .lines()
                .find(|line| line.starts_with("error: "));
            let end = said.map_or_else(|| "it went on".to_owned(), |said| format!("{said:.130}"));
            let (nth, code) = (fault.nth, report.code);
            let new = report.stored;
            format!("{error} at {call} {nth}, {new} newly reported, code {code:?}: {end}")
        })
    }
}

/// Ingests `input` under `ordeal`.
fn survives(input: &Input, ordeal: Ordeal) {
    let started = Instant::now();
    let undisturbed = Undisturbed::of(input);
    let mut journey = Journey {
        home: Home::new(),
        input,
        undisturbed: &undisturbed,
        moments: Moments::new(),
        held: 0,
        next: 0,
        lives: 0,
        rebuilds: 0,
    };
    let (mut kills, mut errors) = (0, 0);
    while kills < ordeal.kills || errors < ordeal.errors {
        let left = (ordeal.kills - kills) + (ordeal.errors - errors);
        assert!(
            journey.lives < 10 * (ordeal.kills + ordeal.errors) + 20,
            "too few lives count"
        );
        let what = if journey.moments.below(left) < ordeal.kills - kills {
            let killed = journey.is_killed(left);
            kills += usize::from(killed);
            if killed {
                "killed".to_owned()
            } else {
                "killed, with nothing new reported".to_owned()
            }
        } else {
            let failed = journey.has_failed(left);
            errors += usize::from(failed.is_some());
            failed.unwrap_or_else(|| "no call failed".to_owned())
        };
        say(&format!(
            "life {}: {what}; {} records are there; {kills} kills, {errors} errors, {} s",
            journey.lives,
            journey.held,
            started.elapsed().as_secs()
        ));
    }
    let rest = journey.home.command(INGEST);
    let report = journey.live(rest, None, usize::MAX);
    assert_eq!(report.code, Some(0), "{}", report.stderr);
    journey.check(&report);
    journey.check_export();
    assert_eq!(
        journey.held,
        undisturbed.hashes.len(),
        "not all of it is there"
    );
    assert_eq!(
        export(&journey.home),
        undisturbed.export,
        "the export differs"
    );
    journey.home.run(["verify"]).fine();
    say(&format!(
        "{} records survived {kills} kills and {errors} errors in {} lives, {} rebuilds among them, in {} s; the export is that of a run without faults",
        journey.held,
        journey.lives,
        journey.rebuilds,
        started.elapsed().as_secs()
    ));
}

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn a_small_file_survives_kills_and_errors() {
    if can_trace() {
        let home = Home::new();
        home.write("x.ndjson", claims(20_000));
        survives(
            &Input::of(home.path("x.ndjson")),
            Ordeal {
                kills: 3,
                errors: 3,
            },
        );
    }
}

#[test]
fn flight_survives_two_hundred_kills_and_fifty_errors() {
    let Some(directory) = shared().filter(|_| long_tests() && can_trace()) else {
        return;
    };
    let home = Home::new();
    let mut plain = File::create(home.path("flight.ndjson")).unwrap();
    let packed = File::open(directory.join("flight_1-12_dec.ndjson.gz")).unwrap();
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(packed), &mut plain).unwrap();
    let ordeal = Ordeal {
        kills: number("STEMEDB_FLIGHT_KILLS", 200),
        errors: number("STEMEDB_FLIGHT_ERRORS", 50),
    };
    survives(&Input::of(home.path("flight.ndjson")), ordeal);
}
