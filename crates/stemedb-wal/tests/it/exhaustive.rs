//! Every state that a power loss can leave, at every operation of fixed works (cases 3, 5, 15, 36, 59).
//!
//! A work is stopped before each of its operations in turn. For each of these moments the states that a crash can leave are gone
//! through: every combination of the states of sectors, lengths and directory entries that were not synced, if there are no more than a
//! bound, and else so many random ones, with torn sectors among them. Each is recovered and compared with what was promised.
//! `STEMEDB_LONG_TESTS=1` raises the bound from 64 to 4,096.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use crate::story::{Files, Record, directory, options, read, segment_count, segment_path};
use stemedb_testkit::disk::{Effect, Lie, LyingDisk, Operation, Random, SimDisk};
use stemedb_testkit::oracle::History;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{AppendError, Log, Mark, Options, RecoveryReport, Trust};

const STATES_MAX: usize = 64;
const STATES_MAX_LONG: usize = 4096;
/// States with torn sectors, beside the others.
const TORN_STATES: u64 = 16;

/// What was done before the power went.
struct Done {
    history: History<Vec<u8>>,
    /// In the order in which they were submitted.
    submitted: Vec<Vec<u8>>,
    cursor: Option<Mark>,
}

impl Done {
    fn nothing() -> Self {
        Self {
            history: History::new(),
            submitted: Vec::new(),
            cursor: None,
        }
    }

    /// Writes a group for each record, and syncs them together.
    fn append(&mut self, log: &mut Log, records: &[Vec<u8>]) -> Result<(), AppendError> {
        for record in records {
            let mut builder = log.begin_group();
            builder.push(record, Trust::Unverified);
            self.history.submit(record.clone());
            self.submitted.push(record.clone());
            log.write(builder)?;
        }
        log.sync()?;
        self.cursor = log.head();
        for (sequence, record) in (1..).zip(&self.submitted) {
            self.history.acknowledge(sequence, record).unwrap();
        }
        Ok(())
    }
}

fn states_max() -> usize {
    match std::env::var_os("STEMEDB_LONG_TESTS") {
        Some(_) => STATES_MAX_LONG,
        None => STATES_MAX,
    }
}

fn options_of(disk: &SimDisk, lie: Option<Lie>) -> Options {
    let vfs: Arc<dyn Vfs> = match lie {
        Some(lie) => Arc::new(LyingDisk::new(Arc::new(disk.clone()), lie)),
        None => Arc::new(disk.clone()),
    };
    Options {
        vfs,
        ..options(disk)
    }
}

/// Three groups, then more: the preparation of a spare, a rotation that seals and cuts a segment, a close.
fn write(disk: &SimDisk, lie: Option<Lie>, done: &mut Done) -> Option<()> {
    let log = options_of(disk, lie).lock(directory()).ok()?.open(&[]);
    let mut log = log.ok()?;
    done.append(&mut log, &[vec![1; 900]]).ok()?;
    done.append(&mut log, &[vec![2; 900], vec![3; 900]]).ok()?;
    let request = log.spare_wanted()?;
    log.give_spare(request.prepare().ok()?);
    done.append(&mut log, &[vec![4; 900], vec![5; 900]]).ok()?;
    assert_eq!(log.segments().len(), 2, "the work rotates");
    log.close().ok()
}

/// Recovers a journal of earlier, and gives out what it found.
fn recover(disk: &SimDisk, lie: Option<Lie>, done: &mut Done) -> Option<()> {
    let log = options_of(disk, lie).lock(directory()).ok()?.open(&[]);
    let head = log.ok()?.head();
    for record in done.submitted.iter().zip(1..) {
        let (record, sequence) = record;
        if head.is_some_and(|head| sequence <= head.sequence) {
            done.history.acknowledge(sequence, record).unwrap();
        }
    }
    done.cursor = head.or(done.cursor);
    Some(())
}

/// Calls `look` with the disk after each state that a crash now can leave; gives how many there were.
pub(crate) fn each_state(
    disk: &SimDisk,
    seed: u64,
    look: &mut dyn FnMut(&SimDisk, &dyn Debug),
) -> usize {
    let options = disk.crash_options();
    let all = options
        .iter()
        .try_fold(1_usize, |all, options| all.checked_mul(*options));
    let mut seen: HashSet<Files> = HashSet::new();
    let mut visit = |copy: SimDisk, state: &dyn Debug| {
        if seen.insert(copy.files()) {
            look(&copy, state);
        }
    };
    let mut random = Random::new(seed);
    let is_exhaustive = all.is_some_and(|all| all <= states_max());
    for state in 0..all.unwrap_or(usize::MAX).min(states_max()) {
        let mut rest = state;
        let choices = options.iter().map(|options| {
            let choice = rest % options;
            rest /= options;
            if is_exhaustive {
                choice
            } else {
                usize::try_from(random.below(*options as u64)).unwrap()
            }
        });
        let choices: Vec<usize> = choices.collect();
        let copy = disk.copy();
        copy.crash_into(&choices);
        visit(copy, &choices);
    }
    for seed in 0..TORN_STATES {
        let copy = disk.copy();
        copy.tear_sectors();
        copy.crash(seed);
        visit(copy, &format!("torn {seed}"));
    }
    seen.len()
}

/// What is wrong after a crash, if something is.
fn judge(disk: &SimDisk, done: &Done) -> Result<(), String> {
    let refused = |error| format!("refused: {error:?}");
    let cursors: Vec<Mark> = done.cursor.into_iter().collect();
    let open = || options(disk).lock(directory()).unwrap().open(&cursors);
    drop(open().map_err(refused)?);
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).map_err(|at| format!("damage at {at:?}"))?;
    let records = groups.into_iter().flat_map(|group| group.records);
    let records: Vec<Record> = records.collect();
    let found = done.history.check(&records);
    found.map_err(|violation| violation.to_string())?;
    let bytes: Vec<&Vec<u8>> = records.iter().map(|record| &record.1).collect();
    if !done.submitted.iter().zip(&bytes).all(|(a, b)| a == *b) {
        return Err("not a prefix of what was submitted".to_owned());
    }
    let leftover = files
        .keys()
        .find(|path| path.to_string_lossy().ends_with(".tmp"));
    if let Some(path) = leftover {
        return Err(format!("{} was left over", path.display()));
    }
    // The process id that each opening writes down is not synced, and may come and go.
    let again = open().map_err(refused)?;
    if *again.report() != RecoveryReport::default() || disk.files() != files {
        return Err(format!("a second recovery did {:?}", again.report()));
    }
    Ok(())
}

type Work = fn(&SimDisk, Option<Lie>, &mut Done) -> Option<()>;

/// Has the power go before each operation of a work in turn; gives the violations, and how many states there were.
fn enumerate(
    work: Work,
    lie: Option<Lie>,
    begin: &dyn Fn() -> (SimDisk, Done),
) -> (Vec<String>, usize) {
    let (mut violations, mut states) = (Vec::new(), 0);
    for operation in 0.. {
        let (disk, mut done) = begin();
        disk.plan(None, operation, Effect::PowerLoss);
        let is_complete = work(&disk, lie, &mut done).is_some();
        let is_over = disk.is_planned();
        // An opening does not mind that its process id could not be written down.
        assert!(is_complete || !is_over, "operation {operation}");
        states += each_state(&disk, operation, &mut |copy, state| {
            if let Err(violation) = judge(copy, &done) {
                violations.push(format!(
                    "operation {operation}, state {state:?}: {violation}"
                ));
            }
        });
        if is_over {
            assert!(operation > 5, "there was work");
            break;
        }
    }
    (violations, states)
}

fn empty() -> (SimDisk, Done) {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    (disk, Done::nothing())
}

#[test]
fn every_state_of_every_moment_of_writing_recovers() {
    let (violations, states) = enumerate(write, None, &empty);
    assert_eq!(violations, [""; 0]);
    assert!(states > 300, "{states}");
}

/// A journal after the work above was done, which is damaged in some way that recovery has to mend.
fn journal(mend: impl Fn(&mut Files)) -> (SimDisk, Done) {
    let (disk, mut done) = empty();
    write(&disk, None, &mut done).unwrap();
    let mut files = disk.files();
    mend(&mut files);
    let mut begun = Done::nothing();
    for record in &done.submitted {
        begun.history.submit(record.clone());
    }
    begun.submitted = done.submitted;
    (SimDisk::with_files(&files), begun)
}

fn expect_sound(mend: impl Fn(&mut Files)) {
    let (violations, states) = enumerate(recover, None, &|| journal(&mend));
    assert_eq!(violations, [""; 0]);
    assert!(states > 10, "{states}");
}

#[test]
fn every_state_of_a_recovery_that_keeps_a_torn_tail_and_copies_recovers() {
    expect_sound(|files| {
        let last = files.get_mut(&segment_path(2)).unwrap();
        last.extend([7; 700]);
        last.extend([0; 300]);
    });
}

#[test]
fn every_state_of_a_recovery_that_copies_recovers() {
    expect_sound(|files| files.get_mut(&segment_path(2)).unwrap().extend([0; 2000]));
}

#[test]
fn every_state_of_a_recovery_that_finishes_a_seal_and_removes_leftovers_recovers() {
    expect_sound(|files| {
        files.get_mut(&segment_path(1)).unwrap().extend([0; 700]);
        let leftovers = ["spare-0000000000000003.tmp", "recover-0000000000000002.tmp"];
        for name in leftovers {
            files.insert(directory().join(name), vec![3; 600]);
        }
    });
}

#[test]
fn every_state_of_a_recovery_that_drops_the_last_segment_recovers() {
    expect_sound(|files| {
        files.get_mut(&segment_path(1)).unwrap().extend([0; 700]);
        let last = files.get_mut(&segment_path(2)).unwrap();
        last.fill(0);
        last[600] = 1;
    });
}

#[test]
fn a_disk_that_does_not_sync_files_is_found_out_by_the_enumeration() {
    let (violations, _) = enumerate(write, Some(Lie::SyncData), &empty);
    assert!(violations.len() > 50, "{}", violations.len());
}

#[test]
fn a_disk_that_does_not_sync_directories_is_found_out_by_the_enumeration() {
    let (violations, _) = enumerate(write, Some(Lie::SyncDirectory), &empty);
    assert!(violations.len() > 50, "{}", violations.len());
}

#[test]
fn the_works_do_what_they_are_said_to_do() {
    let (disk, mut done) = empty();
    write(&disk, None, &mut done).unwrap();
    let trace = disk.trace();
    let count = |operation| {
        trace
            .iter()
            .filter(|done| done.operation == operation)
            .count()
    };
    // The name of the journal, and that of the second segment, which was prepared aside.
    assert_eq!(count(Operation::Rename), 2);
    // The process id, the seal of the first segment, that of the last one.
    assert_eq!(count(Operation::SetLen), 3);
    assert!(count(Operation::Sync) >= 8);
    assert_eq!(done.history.acknowledged_count(), 5);
}
