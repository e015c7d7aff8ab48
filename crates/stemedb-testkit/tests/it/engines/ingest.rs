//! The same with the real journal and its threads: a worker that dies in the middle of a batch, and a producer that tries again.

use std::sync::Arc;

use stemedb_core::Record;
use stemedb_ingest::{Health, Ingestor, Options, serialize};
use stemedb_storage::{HybridStore, KVStore};
use stemedb_testkit::disk::{Effect, Operation};
use stemedb_testkit::engine::{Call, Deed, Script, StreamModel};
use stemedb_testkit::oracle::Model;
use stemedb_wal::{AppendError, Journal};
use tokio::sync::Mutex;

use super::{Machine, WAL, assertion, epoch, story};

/// Everything that a process has open.
struct Process {
    script: Script,
    store: Arc<HybridStore>,
    journal: Arc<Mutex<Journal>>,
    ingestor: Ingestor,
}

impl Process {
    fn start(machine: &Machine) -> Self {
        let script = Script::new();
        let store = machine.open(&script).unwrap();
        let options = stemedb_wal::Options {
            vfs: Arc::new(machine.disk.clone()),
            ..stemedb_wal::Options::default()
        };
        let journal = Arc::new(Mutex::new(options.open(WAL).unwrap()));
        let options = Options {
            behind_bytes_max: 1 << 20,
            threads: 1,
            ..Options::default()
        };
        let shown: Arc<dyn KVStore> = Arc::clone(&store) as _;
        let mut ingestor = Ingestor::with_options(Arc::clone(&journal), shown, options);
        ingestor.start();
        Self {
            script,
            store,
            journal,
            ingestor,
        }
    }

    fn append(&self, record: &Record) -> Result<u64, AppendError> {
        let payload = serialize(record).unwrap();
        self.journal.blocking_lock().append(payload)
    }

    fn settle(&self) {
        let durable = self.journal.blocking_lock().state().durable_sequence();
        self.ingestor.wait_applied(durable).wait().unwrap();
    }
}

/// What the machine's journal holds, replayed.
fn model(records: &[Vec<u8>]) -> Model {
    let before = story().into_iter().flatten();
    let all: Vec<Vec<u8>> = before.chain(records.iter().cloned()).collect();
    Model::replay(all.iter().map(Vec::as_slice))
}

#[test]
fn a_worker_that_dies_between_the_commits_leaves_the_journal_working() {
    for deed in [Deed::Panic, Deed::Fail, Deed::FailLate] {
        let mut machine = Machine::new(&story());
        let process = Process::start(&machine);
        process.settle();
        // The next commit is that of the stream, then comes its view, then the small engine's commit.
        process.script.plan(2, deed);
        let before = process.script.calls().len();
        let large = |number: u64| {
            let text = format!("{number:08}").repeat(2 << 10);
            let mut record = assertion(number);
            if let Record::Assertion(it) = &mut record {
                it.object = stemedb_core::Object::text(text);
            }
            record
        };
        let mut acknowledged = Vec::new();
        let first = process.append(&epoch(100)).unwrap();
        acknowledged.push(serialize(&epoch(100)).unwrap());
        let waited = process.ingestor.wait_applied(first).wait();
        assert!(waited.is_err(), "{deed:?}");
        let calls = process.script.calls().split_off(before);
        let expected = [
            (StreamModel::NAME, Call::Commit),
            (StreamModel::NAME, Call::Reader),
            ("redb", Call::Commit),
        ];
        assert_eq!(calls, expected, "{deed:?}");
        assert!(matches!(process.ingestor.health(), Health::Failed(_)));
        // The journal goes on to its quota, and says then why it does not.
        let refused = loop {
            let record = large(1000 + acknowledged.len() as u64);
            match process.append(&record) {
                Ok(_) => acknowledged.push(serialize(&record).unwrap()),
                Err(error) => break error,
            }
            assert!(acknowledged.len() < 200, "the quota is 1 MiB");
        };
        assert!(
            matches!(refused, AppendError::Backpressure { .. }),
            "{refused}"
        );
        assert!(acknowledged.len() > 40, "{}", acknowledged.len());
        assert!(process.ingestor.stop().is_err());
        drop((process.store, process.journal));

        let process = Process::start(&machine);
        process.settle();
        machine.model = model(&acknowledged);
        machine.compare(&process.store).unwrap();
        process.ingestor.stop().unwrap();
    }
}

#[test]
fn a_retry_after_an_unknown_outcome_is_one_copy() {
    for survives in [true, false] {
        let mut machine = Machine::new(&story());
        let process = Process::start(&machine);
        process.settle();
        let kind = std::io::ErrorKind::Other;
        machine
            .disk
            .plan(Some(Operation::Sync), 0, Effect::Fail(kind));
        let outcome = process.append(&assertion(50));
        assert!(
            matches!(outcome, Err(AppendError::Unknown { .. })),
            "{outcome:?}"
        );
        let Process {
            ingestor,
            store,
            journal,
            script,
        } = process;
        drop(ingestor.stop());
        script.kill();
        drop((store, journal));
        if !survives {
            machine.disk.crash(1);
            machine.stream.truncate(machine.stream.batches().0);
        }
        let process = Process::start(&machine);
        process.settle();
        let found = process.store.snapshot().unwrap().counts().assertions;
        process.append(&assertion(50)).unwrap();
        process.settle();
        let mut records = vec![serialize(&assertion(50)).unwrap()];
        // Where the first try has come through after all, the second one is a duplicate.
        if found > model(&[]).counts().assertions {
            records.push(records[0].clone());
        }
        machine.model = model(&records);
        machine.compare(&process.store).unwrap();
        process.ingestor.stop().unwrap();
    }
}
