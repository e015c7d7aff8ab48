//! Byte surgery on the files of closed stores: every byte flipped, every file cut at every length.
//!
//! Whatever is done to them, a store must never give a wrong answer, nor a shorter one, once its journal is replayed: it refuses to
//! open and says why, or a read names what is damaged, or nothing is missing. Engines panic on damaged bytes, some of them
//! while they panic, so the patient is operated on in a child process: that one must neither end nor hang.
//!
//! A few places of each file are tried as a rule; `STEMEDB_FLIPS` sets another number, and `STEMEDB_FLIPS=all` tries every byte that
//! is not zero, every length up to the last of these, and of the zeros behind and between one in each 512.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use stemedb_storage::{Error, HybridStore, KVStore};
use tempfile::TempDir;

use crate::support::{LAST, batch, catch_up, crash_image, puts, scratch, with_sealed_journal};

/// Places that are tried in each file.
const PLACES: usize = 12;
/// One in so many zeros is flipped where every byte is.
const ZEROS_STEP: usize = 512;
/// Longest that one operation may take before it counts as a hang.
const OPERATION_MAX: Duration = Duration::from_mins(5);
/// Tells the test `operating_theatre` that it is the child.
const CHILD: &str = "STEMEDB_SURGERY_CHILD";
/// How an answer of the child begins.
const ANSWER: &str = "= ";

/// One thing that is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The byte at this place is changed.
    Flip(u64),
    /// The file ends here.
    End(u64),
}

impl Cut {
    pub(crate) fn make(self, path: &Path) {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        match self {
            Self::End(length) => file.set_len(length).unwrap(),
            Self::Flip(at) => {
                let mut byte = [0];
                file.seek(SeekFrom::Start(at)).unwrap();
                file.read_exact(&mut byte).unwrap();
                file.seek(SeekFrom::Start(at)).unwrap();
                file.write_all(&[byte[0] ^ (1 << (at % 8))]).unwrap();
            }
        }
    }

    fn parse(text: &str) -> Self {
        let (what, at) = text.split_once(' ').expect("two words");
        let at = at.parse().expect("a number");
        if what == "flip" {
            Self::Flip(at)
        } else {
            Self::End(at)
        }
    }

    fn text(self) -> String {
        match self {
            Self::Flip(at) => format!("flip {at}"),
            Self::End(at) => format!("end {at}"),
        }
    }
}

/// A store that is operated on.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    kind: String,
    path: PathBuf,
}

impl Patient {
    fn open(&self, image: &Path) -> Result<Box<dyn KVStore>, Error> {
        match self.kind.as_str() {
            "hybrid" => Ok(Box::new(HybridStore::open(image)?)),
            #[cfg(feature = "sled")]
            "sled" => Ok(Box::new(stemedb_storage::SledStore::open(image)?)),
            other => panic!("no store is called {other}"),
        }
    }

    /// Operates on one file of a copy, and says in one word how the store behaved, or in many how it should not have.
    fn operate(&self, file: &Path, cut: Cut) -> Result<&'static str, String> {
        let image = scratch();
        crash_image(&self.path, image.path());
        cut.make(&image.path().join(file));
        let store = match self.open(image.path()) {
            Ok(store) => store,
            Err(error @ Error::NeedsRebuild { .. }) => {
                return Ok(if is_panic(&error) {
                    "refused, panicked"
                } else {
                    "refused"
                });
            }
            Err(Error::UnsupportedVersion { .. }) => return Ok("newer"),
            Err(other) => return Err(format!("opening answers {other:?}")),
        };
        match replay(&*store) {
            Ok(()) => examine(&*store),
            Err(error @ Error::EngineFailed { .. }) => Ok(stopped(&error)),
            Err(Error::Corruption(_)) => Ok("stopped"),
            Err(other) => Err(format!("replay answers {other:?}")),
        }
    }
}

fn stopped(error: &Error) -> &'static str {
    if is_panic(error) {
        "stopped, panicked"
    } else {
        "stopped"
    }
}

/// Whether an engine panicked, by the words of the causes.
fn is_panic(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().starts_with("panicked") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn replay(store: &dyn KVStore) -> Result<(), Error> {
    let from = store
        .cursor()?
        .map_or(1, |cursor| cursor.sequence.get() + 1);
    for number in from..=LAST {
        store.apply(batch(number, number))?;
    }
    store.publish()
}

/// Reads everything one by one, by scanning, and raw.
pub(crate) fn examine(store: &dyn KVStore) -> Result<&'static str, String> {
    let view = store.snapshot().map_err(|error| error.to_string())?;
    let mut verdict = "whole";
    let mut expected = BTreeMap::new();
    for put in (1..=LAST).flat_map(puts) {
        match view.get(&put.key.encode()) {
            Ok(Some(value)) => {
                let is_right = value.content == put.content
                    && value.sequence == put.sequence
                    && value.arrived_at_ms == put.arrived_at_ms;
                if !is_right {
                    return Err(format!("{}: a wrong answer", put.key));
                }
            }
            Ok(None) => return Err(format!("{} is gone and nobody says so", put.key)),
            Err(Error::Corruption(_)) => verdict = "named",
            Err(error @ Error::EngineFailed { .. }) => return Ok(stopped(&error)),
            Err(other) => return Err(format!("{}: {other:?}", put.key)),
        }
        expected.insert(put.key.encode(), put.content);
    }
    let (scanned, is_whole) = scan(store)?;
    if scanned
        .iter()
        .any(|(key, value)| expected.get(key) != Some(value))
    {
        return Err("a scan gives what was never stored".to_owned());
    }
    if is_whole && scanned.len() != expected.len() {
        let (found, wanted) = (scanned.len(), expected.len());
        return Err(format!(
            "a scan gives {found} of {wanted} entries and no error"
        ));
    }
    let is_clean = scrub(store, expected.len())?;
    Ok(if is_whole && is_clean {
        verdict
    } else {
        "named"
    })
}

/// Everything that a scan gives, and whether it gave no error.
#[expect(clippy::type_complexity, reason = "a map and a word")]
fn scan(store: &dyn KVStore) -> Result<(BTreeMap<Vec<u8>, Vec<u8>>, bool), String> {
    let entries = store.scan_prefix(b"").map_err(|error| error.to_string())?;
    let (mut found, mut is_whole) = (BTreeMap::new(), true);
    for entry in entries {
        match entry {
            Ok((key, value)) => drop(found.insert(key, value.content)),
            Err(Error::Corruption(_) | Error::EngineFailed { .. }) => is_whole = false,
            Err(other) => return Err(format!("a scan answers {other:?}")),
        }
    }
    Ok((found, is_whole))
}

/// Whether every envelope verifies; then all must be there.
fn scrub(store: &dyn KVStore, expected: usize) -> Result<bool, String> {
    let Ok(entries) = store.snapshot().and_then(|view| view.scan_raw()) else {
        return Ok(false);
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let Ok(entry) = entry else { return Ok(false) };
        if entry.verify().is_err() {
            return Ok(false);
        }
        if !entry.key.starts_with(b"B:") && !entry.key.starts_with(b"M:") {
            found.insert(entry.key);
        }
    }
    if found.len() == expected {
        return Ok(true);
    }
    Err(format!(
        "a raw scan gives {} of {expected} entries and no error",
        found.len()
    ))
}

/// The child: operates as it is told, line by line, and answers each with a line.
#[test]
fn operating_theatre() {
    let Ok(kind) = std::env::var(CHILD) else {
        return;
    };
    std::panic::set_hook(Box::new(|_| {}));
    let mut lines = std::io::stdin().lines().map(|line| line.expect("a line"));
    let mut next = || lines.next();
    let patient = Patient {
        kind,
        path: next().expect("the patient").into(),
    };
    let file = PathBuf::from(next().expect("the file"));
    while let Some(line) = next() {
        let operation = || patient.operate(&file, Cut::parse(&line));
        let outcome = catch_unwind(AssertUnwindSafe(operation));
        let answer = match outcome {
            Ok(Ok(verdict)) => verdict.to_owned(),
            Ok(Err(fault)) => format!("FAULT {}", fault.replace('\n', " ")),
            Err(_) => "FAULT a panic escaped".to_owned(),
        };
        println!("\n{ANSWER}{answer}");
    }
}

/// A child and what it says.
struct Theatre {
    child: Child,
    answers: Receiver<String>,
}

impl Theatre {
    fn open(patient: &Patient, file: &Path, cuts: &[Cut]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "surgery::operating_theatre", "--nocapture"])
            .env(CHILD, &patient.kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut orders = format!("{}\n{}\n", patient.path.display(), file.display());
        for cut in cuts {
            orders += &cut.text();
            orders.push('\n');
        }
        let mut stdin = child.stdin.take().unwrap();
        // A child that died takes no more orders, which shows in its answers.
        thread::spawn(move || drop(stdin.write_all(orders.as_bytes())));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(answer) = line.strip_prefix(ANSWER) {
                    drop(sender.send(answer.to_owned()));
                }
            }
        });
        Self { child, answers }
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What became of many operations; faults come with their place.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tally: BTreeMap<String, usize>,
    pub(crate) faults: Vec<String>,
    /// What made an engine panic, which was caught.
    pub(crate) panics: Vec<Cut>,
}

/// Makes each cut in a copy of its own.
pub(crate) fn operate_all(patient: &Patient, file: &Path, cuts: &[Cut]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut rest = cuts;
    while !rest.is_empty() {
        let theatre = Theatre::open(patient, file, rest);
        while let Some((cut, others)) = rest.split_first() {
            rest = others;
            let answer = theatre.answers.recv_timeout(OPERATION_MAX);
            let answer =
                answer.unwrap_or_else(|error| format!("FAULT the process died or hung: {error}"));
            let is_dead = answer.starts_with("FAULT the process");
            if answer.starts_with("FAULT") {
                let fault = format!("{} in {}: {answer}", cut.text(), file.display());
                outcome.faults.push(fault);
            } else {
                if answer.ends_with("panicked") {
                    outcome.panics.push(*cut);
                }
                *outcome.tally.entry(answer).or_insert(0) += 1;
            }
            if is_dead {
                break;
            }
        }
    }
    let panics = &outcome.panics[..outcome.panics.len().min(20)];
    let (kind, file) = (&patient.kind, file.display());
    println!("{kind} {file}: {:?}, panics {panics:?}", outcome.tally);
    outcome
}

/// Where a file is flipped and cut.
fn places(path: &Path) -> Vec<Cut> {
    let bytes = fs::read(path).unwrap();
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    let written: Vec<usize> = (0..end).filter(|at| bytes[*at] != 0).collect();
    let zeros: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == 0).collect();
    let setting = std::env::var("STEMEDB_FLIPS");
    let is_all = setting.as_deref() == Ok("all");
    let places = match setting {
        Ok(places) if !is_all => places.parse().expect("a number, or all"),
        _ => PLACES,
    };
    let step = |length: usize, of: usize| if is_all { of } else { (length / places).max(1) };
    let flips = written.iter().step_by(step(written.len(), 1));
    let zeros = zeros.iter().step_by(step(zeros.len() * 4, ZEROS_STEP));
    let ends = (0..=end.min(bytes.len().saturating_sub(1))).step_by(step(end, 1));
    let at = |at: usize| u64::try_from(at).unwrap();
    flips
        .chain(zeros)
        .map(|place| Cut::Flip(at(*place)))
        .chain(ends.map(|end| Cut::End(at(end))))
        .collect()
}

/// Operates on every file of a store of which `is_wanted` says yes.
pub(crate) fn operate_on_files(
    patient: &Patient,
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, usize> {
    let mut sum = Outcome::default();
    let mut files = crate::support::files(&patient.path);
    files.retain(|file| is_wanted(&file.to_string_lossy()));
    assert!(!files.is_empty(), "no file is wanted");
    for file in files {
        let outcome = operate_all(patient, &file, &places(&patient.path.join(&file)));
        for (verdict, count) in outcome.tally {
            *sum.tally.entry(verdict).or_insert(0) += count;
        }
        sum.faults.extend(outcome.faults);
    }
    let faults = sum.faults.len();
    sum.faults.truncate(50);
    assert!(faults == 0, "{faults} faults: {:#?}", sum.faults);
    sum.tally
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    Made,
    Missing,
}

pub(crate) fn patient(kind: &str, directory: &TempDir) -> Patient {
    Patient {
        kind: kind.to_owned(),
        path: directory.path().to_owned(),
    }
}

/// A closed store of `LAST` records, with or without a checkpoint at its end.
pub(crate) fn closed(kind: &str, checkpoint: Checkpoint) -> TempDir {
    let directory = scratch();
    let store = patient(kind, &directory).open(directory.path()).unwrap();
    catch_up(&*store, LAST);
    if checkpoint == Checkpoint::Made {
        store.persist().unwrap();
    }
    drop(store);
    directory
}

#[test]
fn no_byte_of_fjall_changes_an_answer() {
    let store = closed("hybrid", Checkpoint::Made);
    let tally = operate_on_files(&patient("hybrid", &store), |file| file.starts_with("fjall"));
    assert!(
        tally.contains_key("refused") && tally.contains_key("whole"),
        "{tally:?}"
    );
}

#[test]
fn no_byte_of_a_journal_of_fjall_without_a_checkpoint_changes_an_answer() {
    let store = closed("hybrid", Checkpoint::Missing);
    let tally = operate_on_files(&patient("hybrid", &store), |file| file == "fjall/0.jnl");
    assert!(tally.contains_key("whole"), "{tally:?}");
}

#[test]
fn no_byte_of_a_sealed_journal_of_fjall_changes_an_answer() {
    let store = with_sealed_journal();
    let tally = operate_on_files(&patient("hybrid", &store), |file| {
        ["fjall/0.jnl", "fjall/1.jnl"].contains(&file)
    });
    assert!(tally.contains_key("refused"), "{tally:?}");
}

#[test]
fn no_byte_of_redb_changes_an_answer() {
    let store = closed("hybrid", Checkpoint::Made);
    let tally = operate_on_files(&patient("hybrid", &store), |file| file == "redb");
    assert!(tally.contains_key("refused"), "{tally:?}");
}

#[cfg(feature = "sled")]
#[test]
fn no_byte_of_sled_changes_an_answer() {
    let store = closed("sled", Checkpoint::Made);
    let tally = operate_on_files(&patient("sled", &store), |_| true);
    assert!(tally.contains_key("whole"), "{tally:?}");
}

/// fjall 3.1 reads how many blob files there are, and allocates for so many, before or without verifying the number: a flipped bit in
/// the file that lists its tables asked for gigabytes and ended the process, also that of `verify` and `rebuild`. The files are
/// checked before fjall reads them.
#[test]
fn a_count_that_a_flip_makes_huge_does_not_end_the_process() {
    let store = closed("hybrid", Checkpoint::Made);
    let file = Path::new("fjall/keyspaces/1/v0");
    let cuts: Vec<_> = (0..96).map(Cut::Flip).collect();
    let outcome = operate_all(&patient("hybrid", &store), file, &cuts);
    assert_eq!(outcome.faults, [""; 0]);
    assert_eq!(outcome.tally.get("refused"), Some(&cuts.len()));
}
