//! Two engines, one truth: whatever happens to one engine at whatever call, the store ends as a replay of the journal, or is refused.
//!
//! ```text
//!   Machine: a journal of a few groups, written once; the disks of both engines
//!      run(Trouble) --> the store is filled by the worker, the n-th call of an engine goes wrong
//!      lose(Loss)   --> the process is gone, or the power
//!      check()      --> opened again, replayed, compared with the model, entry by entry
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb_core::{
    Agent, Assertion, Epoch, EpochName, Object, Predicate, Record, RecordId, Subject, Vote, Weight,
};
use stemedb_ingest::{Error as IngestError, IngestWorker, Options, Source, serialize};
use stemedb_storage::engine::{Engine, RedbEngine};
use stemedb_storage::{Error, HybridStore, KVStore, KeyKind, RebuildReason};
use stemedb_testkit::disk::{Random, SimDisk};
use stemedb_testkit::engine::{Broken, Call, Deed, Defect, DiskFile, Loss, Script, StreamModel};
use stemedb_testkit::oracle::{Layout, Model, Violation};
use stemedb_wal::{Group, JournalId, Log, Trust, Wake};

mod ingest;

const WAL: &str = "/wal";
const REDB: &str = "/db/redb";
const LAYOUT: Layout = Layout::Two {
    stream: StreamModel::NAME,
    small: "redb",
};
const DEEDS: [Deed; 5] = [
    Deed::Fail,
    Deed::FailLate,
    Deed::Panic,
    Deed::Kill,
    Deed::KillLate,
];

/// How a life ends after its trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The process dies: redb loses what it had not made durable.
    Killed,
    /// The process ends its handles in order: redb keeps what it has.
    Dropped,
    /// As dropped, and then the stream loses all that was not synced: redb is ahead.
    StreamCut,
    /// As killed, and the power fails.
    PowerLoss(u64),
}

/// A journal that was written, and the disks of two engines.
struct Machine {
    disk: SimDisk,
    stream: StreamModel,
    groups: Vec<Group>,
    model: Model,
    defect: Option<(&'static str, Defect)>,
    options: Options,
}

impl Machine {
    fn new(groups: &[Vec<Vec<u8>>]) -> Self {
        let disk = SimDisk::new();
        disk.put(Path::new(REDB), Vec::new());
        let mut log = open_log(&disk);
        let (mut written, mut model) = (Vec::new(), Model::default());
        for payloads in groups {
            written.push(append(&mut log, payloads));
            log.sync().unwrap();
            for payload in payloads {
                model.push(payload);
            }
        }
        log.close().unwrap();
        let options = Options {
            // One group a batch, so that there are many calls, and a checkpoint after some of them.
            batch_records_max: 1,
            checkpoint_bytes: 400,
            threads: 1,
            ..Options::default()
        };
        let machine = Self {
            disk,
            stream: StreamModel::new(),
            groups: written,
            model,
            defect: None,
            options,
        };
        drop(machine.open(&Script::new()).unwrap());
        machine
    }

    /// A machine with the same on its disks, all of it durable.
    fn copy(&self) -> Self {
        Self {
            disk: SimDisk::with_files(&self.disk.files()),
            stream: self.stream.copy(),
            groups: self.groups.clone(),
            model: self.model.clone(),
            defect: self.defect,
            options: self.options.clone(),
        }
    }

    fn open(&self, process: &Script) -> stemedb_storage::Result<Arc<HybridStore>> {
        let file = DiskFile::open(&self.disk, Path::new(REDB), process).unwrap();
        let engines: [Box<dyn Engine>; 2] = [
            self.stream.open(process),
            Box::new(RedbEngine::on(file).unwrap()),
        ];
        let [stream, small] = engines.map(|engine| match self.defect {
            Some((name, defect)) if name == engine.name() => {
                Broken::wrap(process.wrap(engine), defect)
            }
            _ => process.wrap(engine),
        });
        HybridStore::with_engines(stream, small).map(Arc::new)
    }

    /// Applies what the store has not applied, each group so many times.
    fn replay(&self, store: &Arc<HybridStore>, times: usize) -> Result<(), IngestError> {
        let from = store.cursor()?.map_or(0, |cursor| cursor.group);
        let left = self.groups.iter().filter(|it| it.number() > from);
        let given = left.flat_map(|group| std::iter::repeat_n(group.clone(), times));
        let source = Given(given.collect());
        let store: Arc<dyn KVStore> = Arc::clone(store) as _;
        IngestWorker::on(source, store, self.options.clone())?.run()
    }

    /// Fills the store while a call goes wrong. Gives the calls after the opening.
    fn run(&self, passing: usize, deed: Option<Deed>, end: End) -> Vec<(&'static str, Call)> {
        let process = Script::new();
        let store = self.open(&process).unwrap();
        let opening = process.calls().len();
        if let Some(deed) = deed {
            process.plan(passing, deed);
        }
        let outcome = self.replay(&store, 1);
        assert_eq!(outcome.is_err(), deed.is_some(), "{deed:?} at {passing}");
        let calls = process.calls().split_off(opening);
        if matches!(end, End::Killed | End::PowerLoss(_)) {
            process.kill();
        }
        drop(store);
        match end {
            End::Killed | End::Dropped => {}
            End::StreamCut => self.stream.truncate(self.stream.batches().1),
            End::PowerLoss(seed) => {
                self.disk.crash(seed);
                self.stream.crash(&mut Random::new(seed), Loss::Unsynced);
            }
        }
        calls
    }

    /// Opens the store, replays, and compares; gives where the engines were.
    fn check(&self) -> Result<[u64; 2], Violation> {
        let failed = |error: &dyn std::fmt::Debug| Violation::new(format!("{error:?}"));
        let store = self.open(&Script::new()).map_err(|error| failed(&error))?;
        let cursors = store.cursors().map_err(|error| failed(&error))?;
        let reached = |at: usize| cursors[at].cursor.map_or(0, |it| it.sequence.get());
        let before = store.snapshot();
        assert!(matches!(before, Err(Error::NotReconciled)), "{before:?}");
        self.replay(&store, 1).map_err(|error| failed(&error))?;
        self.compare(&store)?;
        Ok([reached(0), reached(1)])
    }

    fn compare(&self, store: &Arc<HybridStore>) -> Result<(), Violation> {
        let failed = |error: Error| Violation::new(error.to_string());
        let view = store.snapshot().map_err(failed)?;
        self.model
            .compare(LAYOUT, view.scan_raw().map_err(failed)?)?;
        if view.counts() == self.model.counts() {
            return Ok(());
        }
        let (found, expected) = (view.counts(), self.model.counts());
        Err(Violation::new(format!("{found:?}, not {expected:?}")))
    }
}

/// Groups that were read from a journal; what follows the last of them is its end.
#[derive(Debug)]
struct Given(VecDeque<Group>);

impl Source for Given {
    fn next_group(&mut self) -> Result<Option<Group>, IngestError> {
        Ok(self.0.pop_front())
    }

    fn wait(&self, _: Duration) -> Wake {
        if self.0.is_empty() {
            Wake::Ended
        } else {
            Wake::Groups
        }
    }

    fn passed_bytes(&self) -> u64 {
        0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn open_log(disk: &SimDisk) -> Log {
    let options = stemedb_wal::Options {
        vfs: Arc::new(disk.clone()),
        journal_id: Some(JournalId(*b"journal of tests")),
        ..stemedb_wal::Options::default()
    };
    options.lock(WAL).unwrap().open(&[]).unwrap()
}

fn append(log: &mut Log, payloads: &[Vec<u8>]) -> Group {
    let mut builder = log.begin_group();
    for payload in payloads {
        builder.push(payload, Trust::Unverified);
    }
    log.write(builder).unwrap()
}

fn agent() -> Agent {
    Agent::new("site:example.org").unwrap()
}

fn assertion(number: u64) -> Record {
    Record::from(Assertion::new(
        Subject::new(format!("subject {}", number % 3)).unwrap(),
        Predicate::new("number").unwrap(),
        Object::text(number.to_string()),
        agent(),
    ))
}

fn vote(number: u64) -> Record {
    let on: RecordId = assertion(number).id().unwrap();
    Record::from(Vote::new(on, agent(), Weight::new(1.0).unwrap()))
}

fn epoch(number: u64) -> Record {
    let name = EpochName::new(number.to_string()).unwrap();
    Record::from(Epoch::new(name, agent()))
}

/// Groups with something for each engine, for both, for neither; duplicates, and records that cannot be applied.
fn story() -> Vec<Vec<Vec<u8>>> {
    let payload = |record: Record| serialize(&record).unwrap();
    let [a, v, e] = [assertion, vote, epoch].map(|make| move |number| payload(make(number)));
    vec![
        vec![a(1), v(1), e(1)],
        vec![a(2), b"poison".to_vec()],
        vec![e(2)],
        vec![a(1), v(1), e(1)],
        vec![v(3), e(3), Vec::new(), a(3)],
        vec![e(4), e(5), e(4)],
        vec![a(4), a(4), v(4)],
        vec![e(6), a(6)],
    ]
}

/// What came of letting every call go wrong.
#[derive(Debug, Default)]
struct Outcome {
    /// Which engine was ahead when the store was opened again: the stream, the small one.
    orders: BTreeSet<[bool; 2]>,
    violation: Option<String>,
}

/// Every call of either engine goes wrong in every way, and the life ends in every way, until something is found.
fn every_call(defect: Option<(&'static str, Defect)>) -> Outcome {
    let mut empty = Machine::new(&story());
    empty.defect = defect;
    let calls = empty.copy().run(0, None, End::Dropped);
    assert!(calls.len() > 20, "{calls:?}");
    let mut outcome = Outcome::default();
    for (passing, call) in calls.iter().enumerate() {
        let seed = passing as u64;
        for deed in DEEDS {
            for end in [
                End::Killed,
                End::Dropped,
                End::StreamCut,
                End::PowerLoss(seed),
            ] {
                let machine = empty.copy();
                machine.run(passing, Some(deed), end);
                match machine.check() {
                    Ok([stream, small]) => {
                        outcome.orders.insert([stream > small, small > stream]);
                    }
                    Err(violation) => {
                        outcome.violation =
                            Some(format!("{deed:?} at {call:?}, {end:?}: {violation}"));
                        return outcome;
                    }
                }
            }
        }
    }
    outcome
}

#[test]
fn any_call_of_any_engine_may_be_the_last() {
    let Outcome { orders, violation } = every_call(None);
    assert_eq!(violation, None);
    // Equal, the stream ahead, and the small engine ahead: all three were met.
    assert_eq!(orders.len(), 3, "{orders:?}");
}

#[test]
fn two_commits_instead_of_one_are_found_out() {
    for engine in [StreamModel::NAME, "redb"] {
        for defect in [Defect::CursorAfterData, Defect::CursorBeforeData] {
            let outcome = every_call(Some((engine, defect)));
            println!("{engine}: {defect:?}: {:?}", outcome.violation);
            assert!(outcome.violation.is_some(), "{engine}: {defect:?}");
        }
    }
}

#[test]
fn a_stream_that_lost_its_end_is_replayed_or_refused() {
    let machine = Machine::new(&story());
    machine.run(0, None, End::Dropped);
    let (batches, _) = machine.stream.batches();
    let mut refused = 0;
    for kept in 0..=batches {
        let machine = machine.copy();
        machine.stream.truncate(kept);
        match machine.open(&Script::new()) {
            Ok(_) => {
                machine.check().unwrap();
            }
            Err(error @ Error::NeedsRebuild { .. }) => {
                assert!(error.to_string().contains("must be rebuilt"), "{error}");
                refused += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 3, "{refused} of {batches}");
}

#[test]
fn a_stream_with_a_hole_is_refused_and_can_be_rebuilt() {
    let machine = Machine::new(&story());
    machine.run(0, None, End::Dropped);
    let mut refused = 0;
    for seed in 0..30 {
        let mut machine = machine.copy();
        let before = machine.stream.batches();
        machine.stream.crash(&mut Random::new(seed), Loss::Hole);
        if machine.stream.batches() == before {
            continue;
        }
        let error = machine.open(&Script::new()).unwrap_err();
        assert!(matches!(error, Error::NeedsRebuild { .. }), "{error:?}");
        refused += 1;
        // Rebuilt: both engines anew, from the journal.
        machine.stream = StreamModel::new();
        machine.disk.put(Path::new(REDB), Vec::new());
        assert_eq!(machine.check().unwrap(), [0, 0]);
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn an_old_copy_of_an_engine_is_brought_up_or_refused() {
    let groups = story();
    let last = Machine::new(&groups);
    last.run(0, None, End::Dropped);
    for count in 0..groups.len() {
        let mut early = Machine::new(&groups);
        early.groups.truncate(count);
        early.run(0, None, End::Dropped);
        // The small engine is the old one: replayed from its cursor.
        let machine = last.copy();
        let redb = early.disk.files()[Path::new(REDB)].clone();
        machine.disk.put(Path::new(REDB), redb);
        let [stream, small] = machine.check().unwrap();
        assert!(small < stream, "{small} {stream}");
        // The stream is the old one: less than the checkpoint says.
        let mut machine = last.copy();
        machine.stream = early.stream.copy();
        let error = machine.open(&Script::new()).unwrap_err();
        let Error::NeedsRebuild { reason } = &error else {
            panic!("{error:?}")
        };
        let is_behind = matches!(**reason, RebuildReason::BehindCheckpoint { .. });
        assert!(is_behind, "{reason:?}");
    }
}

#[test]
fn what_is_delivered_again_is_applied_once() {
    for batch_records_max in [1, 2, 5, 1000] {
        let mut machine = Machine::new(&story());
        machine.options.batch_records_max = batch_records_max;
        let store = machine.open(&Script::new()).unwrap();
        machine.replay(&store, 3).unwrap();
        machine.compare(&store).unwrap();
        // And all of it once more, from the beginning, to a worker that begins anew.
        let again = Given(machine.groups.clone().into());
        let same: Arc<dyn KVStore> = Arc::clone(&store) as _;
        let mut worker = IngestWorker::on(again, same, machine.options.clone()).unwrap();
        worker.run().unwrap();
        machine.compare(&store).unwrap();
    }
}

#[test]
fn a_poison_record_is_quarantined_together_with_the_cursor() {
    let machine = Machine::new(&story());
    machine.run(0, None, End::Dropped);
    let kinds = |keys: Vec<Vec<u8>>| -> Vec<Option<KeyKind>> {
        keys.iter().map(|key| KeyKind::of(key)).collect()
    };
    let batches: Vec<_> = machine.stream.keys().into_iter().map(kinds).collect();
    let poisoned = batches
        .iter()
        .filter(|kinds| kinds.contains(&Some(KeyKind::Quarantine)));
    let mut count = 0;
    for kinds in poisoned {
        // The cursor, the counts, and the link in the chain.
        assert!(kinds.contains(&Some(KeyKind::Meta)), "{kinds:?}");
        assert!(kinds.contains(&Some(KeyKind::Batch)), "{kinds:?}");
        count += 1;
    }
    assert_eq!(count, 2);
    assert_eq!(machine.model.counts().quarantined, 2);
    machine.check().unwrap();
}
