//! Verifying: the hash chain, every envelope, every id, every index entry, and the journal against the store.

use std::path::Path;

use stemedb_core::Sequence;
use stemedb_ingest::mark;
use stemedb_storage::{Counts as StoreCounts, KVStore, Snapshot};

use super::{Locked, Progress, VERIFY_DIRECTORY, WorkDirectory};
use crate::database::{JOURNAL_DIRECTORY, STORE_DIRECTORY, open_store};
use crate::error::{Result, error_chain};
use crate::view::Counts;
use crate::{ErrorKind, StoreKind, file};

mod journal;
mod store;

use journal::JournalCheck;
use store::StoreCheck;

/// Problems that are kept in a report; further ones are only counted.
const PROBLEMS_MAX: usize = 1000;

/// How thorough a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Computes an id only where nothing else leads from a record of the journal to its entries; what is stored under an id is not
    /// hashed anew.
    pub quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Quick,
    Full,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, where the problem is in one.
    pub file: Option<String>,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// The key of the store, in text form, where the problem is with one.
    pub key: Option<String>,
    /// The sequence that is affected, or from which on records are.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many segments the journal has.
    pub segments: u64,
    /// Groups that verify.
    pub groups: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them.
    pub journal_bytes: u64,
    /// Hash of the last group with records, in hex.
    pub head_hash: Option<String>,
    /// Last sequence that the store has applied, 0 where it has applied none or could not be read.
    pub applied_sequence: u64,
    /// What was found in the store, entry by entry; duplicates as it counts them.
    pub counts: Counts,
    /// Index entries of subjects.
    pub index_entries: u64,
    /// How many problems there are.
    pub problems_count: u64,
    /// The first 1,000 of them.
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems_count == 0
    }
}

/// Collects problems, and reports progress.
struct Findings<'a> {
    problems: Vec<Problem>,
    count: u64,
    report: &'a mut dyn FnMut(Progress),
}

impl Findings<'_> {
    fn add(&mut self, problem: Problem) {
        self.count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    fn store_problem(&mut self, problem: String) {
        self.add(Problem {
            file: None,
            offset: None,
            key: None,
            sequence: None,
            problem,
        });
    }

    fn key_problem(&mut self, key: impl Into<String>, problem: String) {
        self.add(Problem {
            file: None,
            offset: None,
            key: Some(key.into()),
            sequence: None,
            problem,
        });
    }

    fn record_problem(&mut self, sequence: u64, problem: String) {
        self.add(Problem {
            file: None,
            offset: None,
            key: None,
            sequence: Some(sequence),
            problem,
        });
    }

    fn progress(&mut self, stage: &'static str, done: u64, total: u64) {
        const EVERY: u64 = 4096;
        if done.is_multiple_of(EVERY) {
            (self.report)(Progress { stage, done, total });
        }
    }
}

/// Checks a database without changing it, also one that refuses to open.
///
/// The store is checked on a copy, since an engine may write when it is opened; the copy stands beside the database, or where the
/// system keeps temporary files if that is not possible.
///
/// # Errors
///
/// [`NotFound`](crate::ErrorKind::NotFound) where there is no database, [`Unavailable`](crate::ErrorKind::Unavailable) where it is in
/// use or its files cannot be read, [`Unsupported`](crate::ErrorKind::Unsupported) where a newer program wrote it. Damage is no error:
/// it is in the report.
pub fn verify(
    directory: impl AsRef<Path>,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport> {
    let directory = directory.as_ref();
    let locked = Locked::take(directory)?;
    let depth = if options.quick {
        Depth::Quick
    } else {
        Depth::Full
    };
    let mut findings = Findings {
        problems: Vec::new(),
        count: 0,
        report: progress,
    };
    let mut report = VerifyReport::default();
    let copy = WorkDirectory::create(directory, VERIFY_DIRECTORY)?;
    if let Err(problem) = &locked.marker {
        findings.store_problem(format!("{problem}; `stemedb rebuild` writes it anew"));
    }
    let store = open_copy(locked.store, directory, &copy, &mut findings)?;
    let view = store
        .as_ref()
        .and_then(|store| view(store.as_ref(), &mut findings));
    let mut store_check = view
        .as_ref()
        .map(|view| StoreCheck::new(view.as_ref(), depth));
    let mut cursors: Vec<_> = match &store {
        Some(store) => store.cursors().unwrap_or_default(),
        None => Vec::new(),
    }
    .iter()
    .filter_map(|engine| engine.cursor.as_ref().map(mark))
    .collect();
    // Both engines stand at the same place as a rule.
    cursors.dedup();
    let mut journal = JournalCheck::new(locked.marker.as_ref().ok(), cursors, store_check.as_ref());
    if locked.directory.is_some() {
        journal.run(&directory.join(JOURNAL_DIRECTORY), &mut findings)?;
    } else {
        findings.store_problem("the journal is missing; put it back".to_owned());
    }
    journal.fill(&mut report);
    if let Some(check) = &mut store_check {
        check.run(&mut findings)?;
        report.counts = counts(
            check.found,
            view.as_ref().map_or(0, |view| view.counts().duplicates),
        );
        report.index_entries = check.index_entries;
        let cursor = check.view.cursor();
        report.applied_sequence = cursor.map_or(0, |cursor| cursor.sequence.get());
    }
    report.problems_count = findings.count;
    report.problems = findings.problems;
    Ok(report)
}

/// Opens a copy of the store. That it cannot be opened is a finding.
fn open_copy(
    kind: StoreKind,
    directory: &Path,
    copy: &WorkDirectory,
    findings: &mut Findings<'_>,
) -> Result<Option<std::sync::Arc<dyn KVStore>>> {
    let original = directory.join(STORE_DIRECTORY);
    if !original.is_dir() {
        findings.store_problem(
            "the store is missing; `stemedb rebuild` builds it from the journal".to_owned(),
        );
        return Ok(None);
    }
    let path = copy.0.join(STORE_DIRECTORY);
    file::copy_directory(&original, &path)?;
    match open_store(kind, &path) {
        Ok(store) => Ok(Some(store)),
        // Room, rights and handles for the copy are this machine's matter, and say nothing of the database.
        Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
        Err(error) => {
            findings.store_problem(format!(
                "the store cannot be opened: {}",
                error_chain(&error)
            ));
            Ok(None)
        }
    }
}

/// Everything that is applied. During verification nothing is, so that both engines may stand at different places.
fn view(store: &dyn KVStore, findings: &mut Findings<'_>) -> Option<std::sync::Arc<dyn Snapshot>> {
    match store.working_snapshot() {
        Ok(view) => Some(view),
        Err(error) => {
            findings.store_problem(format!("the store cannot be read: {}", error_chain(&error)));
            None
        }
    }
}

fn counts(found: StoreCounts, duplicates: u64) -> Counts {
    Counts {
        assertions: found.assertions,
        votes: found.votes,
        epochs: found.epochs,
        quarantined: found.quarantined,
        duplicates,
    }
}

/// Whether a store that has applied up to `cursor` must hold what the journal has at `sequence`.
fn is_applied(view: &dyn Snapshot, sequence: Sequence) -> bool {
    view.cursor()
        .is_some_and(|cursor| cursor.sequence >= sequence)
}
