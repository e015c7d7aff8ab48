//! A machine with a database on it, through many lives.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use stemedb_ingest::{IngestWorker, Options as WorkerOptions, mark};
use stemedb_storage::engine::{Engine, Fault, RedbEngine};
use stemedb_storage::{Error as StoreError, HybridStore, KVStore};
use stemedb_testkit::disk::{self, Effect, LyingDisk, Operation, Random, SimDisk, Traced};
use stemedb_testkit::engine::{Broken, Call, Deed, Defect, DiskFile, Loss, Script, StreamModel};
use stemedb_testkit::oracle::Violation;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{JournalId, Log, Mark, Options, RecoveryReport};

use super::ledger::{self, Ledger};
use super::live::{Begin, End, Live};
use super::source::{Groups, Shared};
use super::tally::Tally;

const LIVES: u64 = 7;
const NESTED_CRASHES_MAX: u64 = 5;
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
}

/// Why a database does not open.
enum Refused {
    /// The machine died meanwhile.
    Dead,
    /// The store asks for a rebuild.
    Rebuild(String),
    /// The journal has less than the store.
    Ahead(String),
    Other(String),
}

struct Opened {
    store: Arc<HybridStore>,
    log: Log,
    process: Script,
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

    /// The engine of the stream, and the small one.
    fn engines(&self, process: &Script) -> Result<[Box<dyn Engine>; 2], Fault> {
        let vfs = self.vfs(Lie::Redb);
        let file = DiskFile::open(vfs.as_ref(), Path::new(REDB), process).map_err(Fault::Io)?;
        // The store opens redb behind a guard against panics as well.
        let small = catch_unwind(AssertUnwindSafe(|| RedbEngine::on(file)))
            .unwrap_or_else(|_| Err(Fault::Failed("redb panicked".into())))?;
        let stream = self.stream.open(process);
        Ok([stream, Box::new(small)].map(|engine| self.wrap(engine, process)))
    }

    fn wrap(&self, engine: Box<dyn Engine>, process: &Script) -> Box<dyn Engine> {
        match self.setup.defect {
            Some((name, defect)) if name == engine.name() => match defect {
                // The process may die between the two parts of a commit.
                Defect::CursorAfterData | Defect::CursorBeforeData => {
                    Broken::wrap(process.wrap(engine), defect)
                }
                Defect::SyncIgnored | Defect::ViewsMove => {
                    process.wrap(Broken::wrap(engine, defect))
                }
            },
            _ => process.wrap(engine),
        }
    }

    /// The disk for a part of the database; `lie` is what it would lie about.
    fn vfs(&self, lie: Lie) -> Arc<dyn Vfs> {
        let disk: Arc<dyn Vfs> = Arc::new(self.disk.clone());
        if self.setup.lie == Some(lie) {
            return Arc::new(LyingDisk::new(disk, disk::Lie::SyncData));
        }
        disk
    }

    fn options(&self) -> Options {
        Options {
            segment_bytes_max: 4096,
            journal_id: Some(JournalId(*b"journal of tests")),
            vfs: self.vfs(Lie::Journal),
            ..Options::default()
        }
    }

    /// Opens everything in the order in which the database does: lock, engines, journal with the cursors.
    fn open(&mut self) -> Result<Opened, Refused> {
        let process = Script::new();
        let dead = self.disk.clone();
        let refused = |refused: Refused| {
            if dead.is_without_power() {
                Refused::Dead
            } else {
                refused
            }
        };
        let journal = |error: stemedb_wal::Error| {
            let text = format!("{error}: {error:?}");
            refused(match error {
                stemedb_wal::Error::StoreAheadOfJournal { .. }
                | stemedb_wal::Error::ForeignStore { .. } => Refused::Ahead(text),
                _ => Refused::Other(text),
            })
        };
        let locked = self.options().lock(Path::new(WAL)).map_err(journal)?;
        let [stream, small] = self
            .engines(&process)
            .map_err(|fault| refused(Refused::Rebuild(format!("{fault:?}: rebuilt"))))?;
        let store =
            HybridStore::with_engines(stream, small).map_err(|error| refused(of_store(&error)))?;
        let cursors = store.cursors().map_err(|error| refused(of_store(&error)))?;
        let reached: Vec<Mark> = cursors
            .iter()
            .filter_map(|engine| engine.cursor.as_ref().map(mark))
            .collect();
        if let [a, b] = cursors[..] {
            let [stream, small] = [a, b].map(|it| it.cursor.map_or(0, |it| it.sequence.get()));
            self.tally.engines_apart += u64::from(stream != small);
            self.tally.small_ahead += u64::from(stream < small);
        }
        let log = locked.open(&reached).map_err(journal)?;
        let store = Arc::new(store);
        self.calls.extend(process.calls());
        Ok(Opened {
            store,
            log,
            process,
        })
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
                Ok(opened) => return self.check_journal().map(|()| opened),
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
            Refused::Ahead(text) => is_journal_lie && text.contains("ahead"),
            Refused::Dead | Refused::Other(_) => false,
        };
        if !has_cause {
            return Err(Violation::new(format!("refused: {refused}")));
        }
        self.tally.rebuilds += 1;
        self.sync_failed = false;
        self.create();
        Ok(())
    }

    fn check_journal(&mut self) -> Result<(), Violation> {
        let groups = ledger::groups(&self.disk, Path::new(WAL))?;
        if self.setup.lie == Some(Lie::Journal) {
            self.ledger.forgive();
        }
        self.ledger.recovered(&groups)
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

    fn journal_files(&self) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let mut files = self.disk.files();
        files.remove(Path::new(REDB));
        files.into_iter().collect()
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
            tolerates: self.tolerates(),
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
            self.judge(&error, &live)?;
        }
        Ok(live)
    }

    /// A worker may end for what was done to it, and for nothing else.
    fn judge(&self, error: &stemedb_ingest::Error, live: &Live) -> Result<(), Violation> {
        let stemedb_ingest::Error::Store(store) = error else {
            return Err(Violation::new(format!("the worker: {error:?}")));
        };
        let is_failed = matches!(**store, StoreError::EngineFailed { .. });
        if is_failed && live.store.snapshot().is_err() || self.tolerates() {
            return Ok(());
        }
        Err(Violation::new(format!("the worker: {error:?}")))
    }

    fn tolerates(&self) -> bool {
        self.sync_failed || self.setup.lie == Some(Lie::Redb)
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
        self.disk.crash(self.random.next_u64());
        let loss = match self.setup.lie {
            Some(Lie::StreamSynced) => Loss::Synced,
            Some(Lie::StreamHole) if self.random.one_in(2) => Loss::Hole,
            _ => Loss::Unsynced,
        };
        self.stream.crash(&mut self.random, loss);
        // What is there now is durable; that it is sound shows at the next opening.
    }

    fn plan_faults(&mut self, process: &Script) {
        if self.random.one_in(4) {
            for _ in 0..self.random.below(6) {
                let effects = [Effect::Short, Effect::Fail(io::ErrorKind::Interrupted)];
                let effect = *self.random.pick(&effects).unwrap();
                let operations = [Operation::Write, Operation::Read];
                let operation = self.random.pick(&operations).copied();
                self.disk.plan(operation, self.random.below(40), effect);
            }
        }
        if self.random.one_in(4) {
            self.plan_error();
        }
        if self.random.one_in(10) {
            self.sync_failed = true;
            self.stream.fail_next_sync();
        }
        if self.random.one_in(3) {
            let deeds = [
                Deed::Fail,
                Deed::FailLate,
                Deed::Panic,
                Deed::Kill,
                Deed::KillLate,
            ];
            let deed = *self.random.pick(&deeds).unwrap();
            let passing = usize::try_from(self.random.below(40)).unwrap();
            process.plan(passing, deed);
        }
        if self.random.one_in(2) {
            let soon = self.random.one_in(2);
            let passing = self.random.below(if soon { 30 } else { 300 });
            self.disk.plan(None, passing, Effect::PowerLoss);
        }
    }

    fn plan_error(&mut self) {
        let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
        let kind = *self.random.pick(&kinds).unwrap();
        let operations = [
            Operation::Write,
            Operation::Sync,
            Operation::SyncDirectory,
            Operation::SetLen,
            Operation::Rename,
        ];
        let operation = *self.random.pick(&operations).unwrap();
        self.sync_failed |= operation == Operation::Sync;
        let passing = self.random.below(20);
        self.disk.plan(Some(operation), passing, Effect::Fail(kind));
    }
}

fn of_store(error: &StoreError) -> Refused {
    match error {
        StoreError::NeedsRebuild { reason } => Refused::Rebuild(format!("{error}: {reason:?}")),
        _ => Refused::Other(format!("{error}: {error:?}")),
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead => f.write_str("without power"),
            Self::Rebuild(text) | Self::Ahead(text) | Self::Other(text) => f.write_str(text),
        }
    }
}
