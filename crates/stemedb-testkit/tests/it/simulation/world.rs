//! A machine with a database on it, through many lives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stemedb_ingest::{IngestWorker, Options as WorkerOptions};
use stemedb_storage::{Error as StoreError, HybridStore, KVStore};
use stemedb_testkit::disk::{Effect, Random, SimDisk, Traced};
use stemedb_testkit::engine::{Call, Defect, Loss, Script, StreamModel};
use stemedb_testkit::oracle::Violation;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Group, RecoveryReport};

use super::ledger::{self, Ledger};
use super::live::{Begin, End, Live};
use super::source::{Groups, Shared};
use super::tally::Tally;

mod fault;
mod open;

use open::{Opened, Refused};

const LIVES: u64 = 7;
const NESTED_CRASHES_MAX: u64 = 5;
/// Lives before a disk begins to lie.
const HONEST_LIVES: u64 = 2;
const WAL: &str = "/wal";
const REDB: &str = "/db/redb";

/// Who lies about what is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// The disk under the stream engine loses what was synced.
    StreamSynced,
    /// It loses a batch in the middle.
    StreamHole,
    /// The disk under the journal syncs no files.
    Journal,
    /// The disk under redb does not.
    Redb,
}

impl Lie {
    pub(super) const ALL: [Self; 4] = [
        Self::StreamSynced,
        Self::StreamHole,
        Self::Journal,
        Self::Redb,
    ];
}

/// What is wrong with the database from the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setup {
    /// The engine of this name lacks something.
    pub(super) defect: Option<(&'static str, Defect)>,
    pub(super) lie: Option<Lie>,
}

impl Setup {
    pub(super) fn broken(engine: &'static str, defect: Defect) -> Self {
        Self {
            defect: Some((engine, defect)),
            lie: None,
        }
    }
}

/// What came of a seed.
pub(super) struct Ran {
    pub(super) outcome: Result<(), Violation>,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
}

/// Every operation of the disk, and every call of an engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trace {
    operations: Vec<Traced>,
    calls: Vec<(&'static str, Call)>,
}

impl Trace {
    pub(super) fn len(&self) -> usize {
        self.operations.len() + self.calls.len()
    }
}

pub(super) struct World {
    setup: Setup,
    random: Random,
    disk: SimDisk,
    stream: StreamModel,
    ledger: Ledger,
    tally: Tally,
    calls: Vec<(&'static str, Call)>,
    /// A sync has failed since the power was last lost: what can be read may not be durable, and may be refused for it.
    sync_failed: bool,
    /// The power was lost, and nothing was opened since.
    has_lost_power: bool,
    /// Something was planned in this life for which its worker may end.
    may_fail: bool,
}

impl World {
    pub(super) fn run(seed: u64, setup: Setup) -> Ran {
        let disk = SimDisk::new();
        disk.create_directory(Path::new(WAL)).unwrap();
        let mut world = Self {
            setup,
            random: Random::new(seed),
            disk,
            stream: StreamModel::new(),
            ledger: Ledger::default(),
            tally: Tally::default(),
            calls: Vec::new(),
            sync_failed: false,
            has_lost_power: false,
            may_fail: false,
        };
        world.create();
        let outcome = (0..LIVES).try_for_each(|_| world.live());
        Ran {
            outcome,
            tally: world.tally,
            trace: Trace {
                operations: world.disk.trace(),
                calls: world.calls,
            },
        }
    }

    /// Engines are created aside and renamed when they are whole: nobody ever opens one that is not.
    fn create(&mut self) {
        self.stream = StreamModel::new();
        self.disk.put(Path::new(REDB), Vec::new());
        let process = Script::new();
        let engines = self.engines(&process).map(|[stream, small]| {
            drop(HybridStore::with_engines(stream, small).unwrap());
        });
        assert!(engines.is_ok(), "engines are created without trouble");
        // What the rename publishes was synced before.
        let files = self.disk.files();
        self.disk
            .put(Path::new(REDB), files[Path::new(REDB)].clone());
    }

    /// Opens the database, through power losses during recovery, and compares the journal with what is known.
    fn recover(&mut self) -> Result<Opened, Violation> {
        let mut nested = self.random.below(NESTED_CRASHES_MAX + 1);
        loop {
            if nested > 0 {
                nested -= 1;
                let passing = self.random.below(60);
                self.disk.plan(None, passing, Effect::PowerLoss);
            }
            let opened = self.open();
            if self.disk.is_without_power() {
                drop(opened);
                self.tally.lost_in_recovery += 1;
                self.crash();
                continue;
            }
            self.disk.forget_plans();
            match opened {
                Ok(opened) => {
                    // What is there after a loss of power is durable, and what an opening does not refuse must be sound.
                    self.sync_failed &= !self.has_lost_power;
                    self.has_lost_power = false;
                    match ledger::groups(&self.disk, Path::new(WAL)) {
                        // Opening looks at the ends of sealed segments only: what a disk has lied about in
                        // the middle of one is found by whoever reads it.
                        Err(damage) if self.setup.lie == Some(Lie::Journal) => {
                            drop(opened);
                            self.refused(&Refused::Corrupt(format!("read from a .wal: {damage}")))?;
                        }
                        groups => return self.check_journal(&groups?).map(|()| opened),
                    }
                }
                Err(refused) => self.refused(&refused)?,
            }
        }
    }

    /// A refusal must have a cause, and a rebuild is what it is answered with.
    fn refused(&mut self, refused: &Refused) -> Result<(), Violation> {
        self.tally.refusals += 1;
        let is_journal_lie = self.setup.lie == Some(Lie::Journal);
        let has_cause = match refused {
            Refused::Rebuild(text) if !text.contains("rebuilt") => false,
            Refused::Rebuild(_) => {
                self.sync_failed || (self.setup.lie.is_some() && !is_journal_lie)
            }
            Refused::Ahead(text) => is_journal_lie && text.contains("records are missing"),
            Refused::Corrupt(text) => is_journal_lie && text.contains(".wal"),
            Refused::Dead | Refused::Other(_) => false,
        };
        if !has_cause {
            return Err(Violation::new(format!("refused: {refused}")));
        }
        if matches!(refused, Refused::Corrupt(_)) {
            self.start_anew();
        }
        self.tally.rebuilds += 1;
        self.sync_failed = false;
        self.create();
        Ok(())
    }

    /// The journal is damaged, and nothing is left but to begin another one.
    fn start_anew(&mut self) {
        for path in self.disk.files().keys() {
            self.disk.take_away(path);
        }
        self.ledger = Ledger::default();
    }

    fn check_journal(&mut self, groups: &[Group]) -> Result<(), Violation> {
        if self.setup.lie == Some(Lie::Journal) {
            self.ledger.forgive();
        }
        self.ledger.recovered(groups)
    }

    /// Opens everything once more: the journal's files and both engines are as they were.
    fn check_again(&mut self, opened: Opened) -> Result<Opened, Violation> {
        let before = self.journal_files();
        let content = |opened: &Opened| {
            let view = opened.store.working_snapshot();
            ledger::content(&view.map_err(|error| Violation::new(error.to_string()))?)
        };
        let held = content(&opened);
        opened.process.kill();
        drop(opened);
        let opened = self
            .open()
            .map_err(|refused| Violation::new(format!("the second time: {refused}")))?;
        if self.journal_files() != before || *opened.log.report() != RecoveryReport::default() {
            let text = format!("a second recovery did {:?}", opened.log.report());
            return Err(Violation::new(text));
        }
        if held.ok() != content(&opened).ok() {
            return Err(Violation::new("a second recovery changed a store"));
        }
        Ok(opened)
    }

    fn journal_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.disk.files_below(Path::new(WAL))
    }

    fn live(&mut self) -> Result<(), Violation> {
        self.tally.lives += 1;
        let mut opened = self.recover()?;
        if self.setup.lie.is_none() && self.random.one_in(4) {
            opened = self.check_again(opened)?;
        }
        let process = opened.process.clone();
        self.plan_faults(&process);
        let live = self.work(opened)?;
        self.end(live, &process)
    }

    /// Works until an operation fails, or there was enough.
    fn work(&mut self, opened: Opened) -> Result<Live, Violation> {
        let cursor = opened.store.cursor();
        let cursor = cursor.map_err(|error| Violation::new(format!("{error:?}")))?;
        let groups = ledger::groups(&self.disk, Path::new(WAL))?;
        let after = cursor.map_or(0, |cursor| cursor.group);
        let durable = groups.into_iter().filter(|it| it.number() > after);
        let begin = Begin {
            random: self.random.clone(),
            ledger: std::mem::take(&mut self.ledger),
            tally: std::mem::take(&mut self.tally),
            log: opened.log,
            store: Arc::clone(&opened.store),
            process: opened.process.clone(),
            durable: durable.collect(),
        };
        let mut live = Live::new(begin);
        live.tally.replays += u64::from(live.durable.iter().any(|it| it.mark().is_some()));
        let batch_records_max = 1 + live.random.below(24);
        let shared = Shared::new(live);
        let observer = shared.clone();
        opened
            .process
            .observe(move |moment| observer.live().observe(moment));
        let options = WorkerOptions {
            batch_records_max,
            threads: 1,
            ..WorkerOptions::default()
        };
        let worker = IngestWorker::on(Groups(shared.clone()), opened.store, options);
        let outcome = worker.and_then(|mut worker| worker.run());
        opened.process.look_away();
        let mut live = shared.into_inner();
        if let Some(violation) = live.violation.take() {
            return Err(violation);
        }
        if let Err(error) = outcome {
            live.tally.worker_errors += 1;
            live.end = if live.end == End::Clean {
                End::Kill
            } else {
                live.end
            };
            if !self.may_fail && !opened.process.is_killed() {
                let text = format!("the worker ended without a cause: {error:?}");
                return Err(Violation::new(text));
            }
            judge(&error, &live)?;
        }
        Ok(live)
    }

    fn end(&mut self, mut live: Live, process: &Script) -> Result<(), Violation> {
        let is_clean =
            live.end == End::Clean && !process.is_killed() && !self.disk.is_without_power();
        live.forget_views();
        if is_clean {
            live.tally.clean_ends += 1;
            live.close();
        } else if live.random.one_in(2) {
            process.kill();
        } else {
            // It fails, and still closes its engines: redb keeps then what it had not made durable.
            live.tally.failed_ends += 1;
        }
        self.calls.extend(process.calls());
        let Live {
            random,
            ledger,
            tally,
            end,
            violation,
            log,
            store,
            ..
        } = live;
        drop((log, store));
        (self.random, self.ledger, self.tally) = (random, ledger, tally);
        self.stream.forget_plans();
        let loses_power = self.disk.is_without_power() || end == End::PowerLoss;
        self.disk.forget_plans();
        if loses_power {
            self.crash();
        } else {
            self.tally.kills += u64::from(process.is_killed());
        }
        violation.map_or(Ok(()), Err)
    }

    fn crash(&mut self) {
        self.tally.power_losses += 1;
        self.has_lost_power = true;
        self.disk.crash(self.random.next_u64());
        let loss = match self.setup.lie {
            Some(Lie::StreamSynced) => Loss::Synced,
            Some(Lie::StreamHole) if self.random.one_in(2) => Loss::Hole,
            _ => Loss::Unsynced,
        };
        self.stream.crash(&mut self.random, loss);
    }
}

/// A worker may end for what was done to it, and for nothing else.
fn judge(error: &stemedb_ingest::Error, live: &Live) -> Result<(), Violation> {
    let stemedb_ingest::Error::Store(store) = error else {
        return Err(Violation::new(format!("the worker: {error:?}")));
    };
    let is_failed = matches!(**store, StoreError::EngineFailed { .. });
    if is_failed && live.store.snapshot().is_err() {
        return Ok(());
    }
    Err(Violation::new(format!("the worker: {error:?}")))
}
