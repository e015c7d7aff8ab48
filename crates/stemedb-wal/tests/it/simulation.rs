//! Random work on a simulated disk, with faults, power losses at any operation, and power losses during recovery.
//!
//! After each recovery: what was acknowledged is there, once, in order and with its bytes; what else is there was submitted, and the whole
//! is a prefix of what was submitted; recovering again changes nothing. A seed is replayed by `STEMEDB_SIM_SEED`, their number is set by
//! `STEMEDB_SIM_SEEDS`.

use std::io;
use std::sync::Arc;

use crate::story::{Record, directory, options, read, segment_count};
use stemedb_testkit::disk::{Effect, Lie, LyingDisk, Operation, Random, SimDisk};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Error, Log, Mark, Options, RecoveryReport, Trust};

const SEEDS: u64 = 500;
const LIVES: u64 = 8;
const NESTED_CRASHES_MAX: u64 = 5;

type Violation = String;
/// The one violation that even a lying disk must not bring about.
const INVENTED: &str = "records that were not submitted like this";

/// What is known of the journal from outside.
struct World {
    disk: SimDisk,
    vfs: Arc<dyn Vfs>,
    random: Random,
    /// Everything that was submitted and may be there, in order.
    submitted: Vec<Record>,
    /// How many of them must be there.
    acknowledged: usize,
    /// Of the last group that must be there: what a store may have as its cursor.
    cursor: Option<Mark>,
    unsynced_cursor: Option<Mark>,
}

impl World {
    fn new(seed: u64, lie: Option<Lie>) -> Self {
        let disk = SimDisk::new();
        disk.create_directory(directory()).unwrap();
        let vfs: Arc<dyn Vfs> = match lie {
            Some(lie) => Arc::new(LyingDisk::new(Arc::new(disk.clone()), lie)),
            None => Arc::new(disk.clone()),
        };
        Self {
            disk,
            vfs,
            random: Random::new(seed),
            submitted: Vec::new(),
            acknowledged: 0,
            cursor: None,
            unsynced_cursor: None,
        }
    }

    fn options(&self) -> Options {
        Options {
            vfs: Arc::clone(&self.vfs),
            ..options(&self.disk)
        }
    }

    fn crash(&mut self) {
        self.disk.crash(self.random.next_u64());
    }

    /// Opens the journal, through power losses during recovery, and compares it with what is known.
    fn recover(&mut self) -> Result<Log, Violation> {
        let mut nested = self.random.below(NESTED_CRASHES_MAX + 1);
        loop {
            if nested > 0 {
                nested -= 1;
                let passing = self.random.below(40);
                self.disk.plan(None, passing, Effect::PowerLoss);
            }
            match self.open() {
                Ok(log) if self.disk.is_without_power() => drop(log),
                Ok(log) => {
                    self.disk.forget_plans();
                    self.check(&log)?;
                    return Ok(log);
                }
                Err(error) if self.disk.is_without_power() => drop(error),
                Err(error) => return Err(format!("refused: {error:?}")),
            }
            self.crash();
        }
    }

    fn open(&mut self) -> Result<Log, Error> {
        let cursor = self.cursor.filter(|_| self.random.one_in(2));
        let cursors: Vec<Mark> = cursor.into_iter().collect();
        self.options().lock(directory())?.open(&cursors)
    }

    fn records(&self) -> Result<Vec<Record>, Violation> {
        let files = self.disk.files();
        let groups = read(&files, segment_count(&files));
        let groups = groups.map_err(|place| format!("damage at {place:?} after recovery"))?;
        Ok(groups.into_iter().flat_map(|group| group.records).collect())
    }

    fn check(&mut self, log: &Log) -> Result<(), Violation> {
        let records = self.records()?;
        let count = records.len();
        if self.submitted.get(..count) != Some(records.as_slice()) {
            return Err(INVENTED.to_owned());
        }
        if count < self.acknowledged {
            return Err(format!("{count} of {} records", self.acknowledged));
        }
        if log.head().map_or(0, |head| head.sequence) != count as u64 {
            return Err(format!("the head is {:?} of {count}", log.head()));
        }
        // What recovery gives out is durable: no later crash may take it.
        self.submitted = records;
        self.acknowledged = count;
        self.cursor = log.head();
        self.unsynced_cursor = None;
        Ok(())
    }

    /// Opens the journal once more: nothing is left to do, and no file changes.
    fn check_again(&mut self, log: Log) -> Result<Log, Violation> {
        drop(log);
        let before = self.disk.files();
        let log = self.open().map_err(|error| format!("refused: {error:?}"))?;
        if self.disk.files() != before || *log.report() != RecoveryReport::default() {
            return Err(format!("a second recovery did {:?}", log.report()));
        }
        Ok(log)
    }

    fn plan_faults(&mut self) {
        if self.random.one_in(3) {
            let operations = [Operation::Write, Operation::Read];
            for _ in 0..self.random.below(6) {
                let effects = [Effect::Short, Effect::Fail(io::ErrorKind::Interrupted)];
                let effect = *self.random.pick(&effects).unwrap();
                let operation = *self.random.pick(&operations).unwrap();
                let passing = self.random.below(20);
                self.disk.plan(Some(operation), passing, effect);
            }
        }
        if self.random.one_in(3) {
            let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
            let effect = Effect::Fail(*self.random.pick(&kinds).unwrap());
            let operations = [
                Operation::Write,
                Operation::Sync,
                Operation::SyncDirectory,
                Operation::SetLen,
                Operation::Rename,
            ];
            let operation = self.random.pick(&operations).copied();
            self.disk.plan(operation, self.random.below(12), effect);
        }
        let passing = self.random.below(120);
        self.disk.plan(None, passing, Effect::PowerLoss);
    }

    /// Works until an operation fails, the journal is closed, or there was enough; gives the log that is still open.
    fn work(&mut self, mut log: Log) -> Option<Log> {
        for _ in 0..self.random.below(40) {
            let done = match self.random.below(10) {
                0..=4 => self.append(&mut log),
                5..=6 => self.sync(&mut log),
                7 => self.cover(&mut log),
                8 => prepare(&mut log),
                _ if self.random.one_in(3) => {
                    if log.close().is_ok() {
                        self.all_is_durable();
                    }
                    return None;
                }
                _ => true,
            };
            if !done && log.is_poisoned() {
                return None;
            }
        }
        Some(log)
    }

    fn append(&mut self, log: &mut Log) -> bool {
        let mut builder = log.begin_group();
        let mut records = Vec::new();
        for _ in 0..=self.random.below(20) {
            let length = usize::try_from(self.random.below(300)).unwrap();
            let byte = u8::try_from(self.random.below(256)).unwrap();
            let record = vec![byte; length];
            records.push((builder.next_sequence(), record.clone()));
            builder.push(&record, Trust::Unverified);
        }
        let first = usize::try_from(records[0].0 - 1).unwrap();
        assert!(self.submitted.len() >= first, "sequences are dense");
        self.submitted.truncate(first.max(self.acknowledged));
        self.submitted.extend(records);
        let Ok(group) = log.write(builder) else {
            return false;
        };
        self.unsynced_cursor = group.mark();
        true
    }

    fn sync(&mut self, log: &mut Log) -> bool {
        let is_done = log.sync().is_ok();
        if is_done {
            self.note_durable(log);
        }
        is_done
    }

    fn cover(&mut self, log: &mut Log) -> bool {
        let is_done = log.cover().is_ok();
        if is_done {
            self.note_durable(log);
        }
        is_done
    }

    fn note_durable(&mut self, log: &Log) {
        self.acknowledged = log
            .head()
            .map_or(0, |head| usize::try_from(head.sequence).unwrap());
        self.cursor = log.head();
    }

    fn all_is_durable(&mut self) {
        if let Some(mark) = self.unsynced_cursor.or(self.cursor) {
            self.acknowledged = usize::try_from(mark.sequence).unwrap();
            self.cursor = Some(mark);
        }
    }

    fn live(&mut self) -> Result<(), Violation> {
        let log = self.recover()?;
        let log = self.check_again(log)?;
        self.plan_faults();
        let log = self.work(log);
        // Half of the lives end with a crash, the others with the end of the process.
        drop(log);
        let keeps_power = !self.disk.is_without_power() && self.random.one_in(2);
        self.disk.forget_plans();
        if !keeps_power {
            self.crash();
        }
        Ok(())
    }
}

fn prepare(log: &mut Log) -> bool {
    if let Some(Ok(spare)) = log.spare_wanted().map(|request| request.prepare()) {
        log.give_spare(spare);
    }
    true
}

fn run(seed: u64, lie: Option<Lie>) -> (Result<(), Violation>, SimDisk) {
    let mut world = World::new(seed, lie);
    let result = (0..LIVES).try_for_each(|_| world.live());
    (result, world.disk)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    let seeds = match number("STEMEDB_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STEMEDB_SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let (Err(violation), _) = run(seed, None) {
            panic!("{violation}; replay it with STEMEDB_SIM_SEED={seed}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_operations_each_time() {
    for seed in 0..10 {
        let (first, second) = (run(seed, None).1, run(seed, None).1);
        assert!(first.trace() == second.trace(), "seed {seed}");
        assert!(first.operation_count() > 50);
    }
}

/// How many of the seeds find out that the disk lies.
fn violations(lie: Lie) -> usize {
    let found = (0..100).filter_map(|seed| run(seed, Some(lie)).0.err());
    found
        .inspect(|violation| assert_ne!(violation, INVENTED))
        .count()
}

#[test]
fn files_that_are_not_synced_are_found_out() {
    assert!(violations(Lie::SyncData) > 50);
}

#[test]
fn directories_that_are_not_synced_are_found_out() {
    assert!(violations(Lie::SyncDirectory) > 20);
}
