//! Random work on a simulated disk, with faults, power losses at any operation, and power losses during recovery, five in a row
//! (cases 3, 8, 15, 32, 33, 34, 36, 42).
//!
//! After each recovery: what was acknowledged is there, once, in order and with its bytes; what else is there was submitted, and the whole
//! is a prefix of what was submitted; recovering again changes nothing. Then a copy of the disk is damaged: nothing that is read from it
//! is another answer. A seed is replayed by `STEMEDB_SIM_SEED`, their number is set by `STEMEDB_SIM_SEEDS`.

mod runner;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::story::{Record, directory, options, read, segment_count};
use runner::Tally;
use stemedb_testkit::disk::{
    Effect, Lie, LyingDisk, Operation, Random, SECTOR_BYTES, SimDisk, When,
};
use stemedb_testkit::oracle::History;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Error, Log, Mark, Options, RecoveryReport, Trust};

const LIVES: u64 = 8;
const NESTED_CRASHES_MAX: u64 = 5;
const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

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
    /// The same, for the oracle of all harnesses.
    history: History<Vec<u8>>,
    tally: Tally,
}

impl World {
    fn new(seed: u64, lie: Option<(Lie, When)>) -> Self {
        let disk = SimDisk::new();
        disk.create_directory(directory()).unwrap();
        disk.set_clock_ms(1_700_000_000_000);
        disk.tear_sectors();
        let vfs: Arc<dyn Vfs> = match lie {
            Some((lie, when)) => Arc::new(LyingDisk::at_times(Arc::new(disk.clone()), lie, when)),
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
            history: History::new(),
            tally: Tally {
                seeds: 1,
                ..Tally::default()
            },
        }
    }

    fn options(&self) -> Options {
        Options {
            vfs: Arc::clone(&self.vfs),
            ..options(&self.disk)
        }
    }

    fn crash(&mut self) {
        self.tally.crashes += 1;
        self.disk.crash(self.random.next_u64());
    }

    /// Opens the journal, through power losses during recovery, and compares it with what is known.
    fn recover(&mut self) -> Result<Log, Violation> {
        self.disk.set_capacity(None);
        let mut nested = self.random.below(NESTED_CRASHES_MAX + 1);
        let mut depth = 0;
        loop {
            if nested > 0 {
                nested -= 1;
                let passing = self.random.below(40);
                self.disk.plan(None, passing, Effect::PowerLoss);
            }
            if self.random.one_in(4) {
                let passing = self.random.below(30);
                self.plan(Operation::Read, passing, Effect::WrongBit);
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
            depth += 1;
            self.tally.nested += 1;
            self.tally.deepest = self.tally.deepest.max(depth);
            self.crash();
        }
    }

    fn plan(&mut self, operation: Operation, passing: u64, effect: Effect) {
        self.tally.faults += 1;
        self.disk.plan(Some(operation), passing, effect);
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
        let settled = self.history.settle(&records);
        settled.map_err(|violation| violation.to_string())?;
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
            self.tally.faults += self.disk.plan_nuisances(&mut self.random, 20);
        }
        if self.random.one_in(3) {
            self.tally.faults += 1;
            self.disk.plan_error(&mut self.random, 12);
        }
        if self.random.one_in(6) {
            let used: usize = self.disk.files().values().map(Vec::len).sum();
            let capacity = used as u64 + self.random.below(20_000);
            self.disk.set_capacity(Some(capacity));
            self.tally.faults += 1;
        }
        let slow = if self.random.one_in(5) { 5 } else { 0 };
        self.disk.set_sync_time(Duration::from_secs(slow));
        let passing = self.random.below(120);
        self.disk.plan(None, passing, Effect::PowerLoss);
    }

    fn jump_clock(&mut self) {
        if self.random.one_in(5) {
            self.tally.faults += 1;
            let forward = self.random.one_in(2);
            let by = if forward { TEN_YEARS_MS } else { -TEN_YEARS_MS };
            self.disk.jump_clock_ms(by);
        }
    }

    /// Damages a copy of the disk, and looks at what opening and reading make of it.
    fn damage_a_copy(&mut self) -> Result<(), Violation> {
        let files = self.disk.files();
        let is_segment = |path: &&PathBuf| path.extension().is_some_and(|end| end == "wal");
        let paths: Vec<&PathBuf> = files.keys().filter(is_segment).collect();
        let path = *self.random.pick(&paths).unwrap();
        let offset = self.random.below(files[path].len() as u64);
        let offset = usize::try_from(offset).unwrap();
        // The lock of the original is not among the files.
        let copy = SimDisk::with_files(&files);
        self.tally.damages += 1;
        let is_flip = self.random.one_in(2);
        if is_flip {
            copy.flip(path, offset, 1 << self.random.below(8));
        } else {
            copy.make_unreadable(path, &(offset..offset + 1));
        }
        let damaged = copy.files();
        let cursors: Vec<Mark> = self.cursor.into_iter().collect();
        let locked = options(&copy).lock(directory());
        let result = locked.and_then(|locked| locked.open(&cursors));
        let what = || format!("{} offset {offset}, a flip: {is_flip}", path.display());
        match result {
            Err(error) if copy.files() != damaged => {
                return Err(format!("{}: {error:?} changed a file", what()));
            }
            Err(error) if !names_place(&error, path, offset as u64) => {
                return Err(format!("{}: {error:?} is no word of that place", what()));
            }
            Err(_) => return Ok(()),
            Ok(log) => drop(log),
        }
        let after = copy.files();
        // Damage within a sealed segment is found by whoever reads it.
        let Ok(groups) = read(&after, segment_count(&after)) else {
            return Ok(());
        };
        let records = groups.into_iter().flat_map(|group| group.records);
        let checked = self.history.check(&records.collect::<Vec<Record>>());
        checked.map_err(|violation| format!("{}: {violation}", what()))
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
        self.jump_clock();
        let mut builder = log.begin_group();
        let mut records = Vec::new();
        for _ in 0..=self.random.below(20) {
            // None, a few, and more than a segment is long.
            let length = match self.random.below(60) {
                0 => 9000,
                1..10 => 1,
                _ => 300,
            };
            let length = usize::try_from(self.random.below(length)).unwrap();
            let byte = u8::try_from(self.random.below(256)).unwrap();
            let record = vec![byte; length];
            records.push((builder.next_sequence(), record.clone()));
            self.history.submit(record.clone());
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
        self.owe();
    }

    fn owe(&mut self) {
        let owed = self.submitted.iter().take(self.acknowledged);
        for (sequence, record) in owed.skip(self.history.acknowledged_count()) {
            self.history.acknowledge(*sequence, record).unwrap();
        }
    }

    fn all_is_durable(&mut self) {
        if let Some(mark) = self.unsynced_cursor.or(self.cursor) {
            self.acknowledged = usize::try_from(mark.sequence).unwrap();
            self.cursor = Some(mark);
            self.owe();
        }
    }

    fn live(&mut self) -> Result<(), Violation> {
        let log = self.recover()?;
        let log = self.check_again(log)?;
        if self.random.one_in(4) {
            self.damage_a_copy()?;
        }
        self.work_and_end(log);
        Ok(())
    }

    /// Half of the lives end with a crash, the others with the end of the process.
    fn work_and_end(&mut self, log: Log) {
        self.tally.lives += 1;
        self.plan_faults();
        let log = self.work(log);
        drop(log);
        let keeps_power = !self.disk.is_without_power() && self.random.one_in(2);
        self.disk.forget_plans();
        if !keeps_power {
            self.crash();
        }
    }

    /// A life on a disk that lies; true where something acknowledged is gone, which every store that has seen it must find out.
    fn live_with_a_liar(&mut self) -> bool {
        self.disk.set_capacity(None);
        let open = |disk: &SimDisk, cursors: &[Mark]| {
            let locked = options(disk).lock(directory()).unwrap();
            locked.open(cursors)
        };
        let copy = self.disk.copy();
        if open(&copy, &[]).is_err() {
            return true;
        }
        let files = copy.files();
        let groups = read(&files, segment_count(&files)).unwrap();
        let records = groups.into_iter().flat_map(|group| group.records);
        let records: Vec<Record> = records.collect();
        let is_prefix = self.submitted.get(..records.len()) == Some(records.as_slice());
        assert!(is_prefix, "{INVENTED}");
        if records.len() < self.acknowledged {
            let found = open(&self.disk, &[self.cursor.unwrap()]);
            assert!(found.is_err(), "a store that is ahead was not seen");
            return true;
        }
        match self.recover() {
            Ok(log) => self.work_and_end(log),
            Err(_) => return true,
        }
        false
    }
}

/// Whether a refusal says where the damage is: the file, and an offset from which on something is wrong.
fn names_place(error: &Error, path: &Path, damaged: u64) -> bool {
    // What the disk cannot read is a whole sector.
    let sector = SECTOR_BYTES as u64;
    match error {
        Error::Corruption(found) => found.path == path && found.offset <= damaged,
        Error::Io {
            path: found,
            offset: Some(offset),
            ..
        } => found == path && offset / sector <= damaged / sector,
        Error::UnsupportedVersion { path: found, .. } => found == path,
        // The end is gone, and its place is where the store has been.
        Error::StoreAheadOfJournal { .. } => true,
        _ => false,
    }
}

fn prepare(log: &mut Log) -> bool {
    if let Some(Ok(spare)) = log.spare_wanted().map(|request| request.prepare()) {
        log.give_spare(spare);
    }
    true
}

fn run(seed: u64, lie: Option<(Lie, When)>) -> (Result<(), Violation>, World) {
    let mut world = World::new(seed, lie);
    let result = (0..LIVES).try_for_each(|_| world.live());
    (result, world)
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    let seeds = runner::seeds();
    let tally = runner::run(&seeds, &|seed| {
        let (result, world) = run(seed, None);
        (result, world.tally)
    });
    if seeds.end - seeds.start >= 1000 {
        assert_eq!(tally.deepest, NESTED_CRASHES_MAX);
        assert!(
            tally.nested > 1000 && tally.faults > 1000 && tally.damages > 1000,
            "{tally}"
        );
    }
}

#[test]
fn a_seed_gives_the_same_operations_each_time() {
    for seed in 0..10 {
        let (first, second) = (run(seed, None).1.disk, run(seed, None).1.disk);
        assert!(first.trace() == second.trace(), "seed {seed}");
        assert!(first.files() == second.files(), "seed {seed}");
        assert!(first.operation_count() > 50);
    }
}

/// How many of the seeds find out that the disk lies.
fn violations(lie: Lie) -> usize {
    let always = Some((lie, When::Always));
    let found = (0..100).filter_map(|seed| run(seed, always).0.err());
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

#[test]
fn on_a_disk_that_lies_at_times_a_prefix_is_left_and_a_store_that_is_ahead_is_seen() {
    for lie in [Lie::SyncData, Lie::SyncDirectory] {
        let loses = |seed: &u64| {
            let when = match seed % 2 {
                0 => When::After(seed % 12),
                _ => When::OneIn { n: 3, seed: *seed },
            };
            let mut world = World::new(*seed, Some((lie, when)));
            (0..LIVES).any(|_| world.live_with_a_liar())
        };
        assert!((0..100).filter(loses).count() > 20, "{lie:?}");
    }
}
