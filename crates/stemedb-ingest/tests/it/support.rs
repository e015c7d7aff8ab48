//! Journal, store and ingestor of one test, and made-up records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stemedb_core::{
    Agent, Assertion, Epoch, EpochName, Object, Predicate, Record, RecordId, Subject, Vote, Weight,
};
use stemedb_ingest::{Ingestor, Options, deserialize, serialize};
use stemedb_storage::{Counts, HybridStore, KVStore, Key, MemoryStore, Value, key};
use stemedb_wal::{Journal, Writer};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// Which store a test runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hybrid,
    #[cfg(feature = "sled")]
    Sled,
    Memory,
}

/// Runs tests that take a [`Kind`] once for every store.
macro_rules! for_each_store {
    ($($test:ident),+ $(,)?) => {
        $(
            mod $test {
                use crate::support::Kind;

                #[test]
                fn hybrid() {
                    super::$test(Kind::Hybrid);
                }

                #[cfg(feature = "sled")]
                #[test]
                fn sled() {
                    super::$test(Kind::Sled);
                }

                #[test]
                fn memory() {
                    super::$test(Kind::Memory);
                }
            }
        )+
    };
}
pub(crate) use for_each_store;

/// The directories of a journal and a store; what is in memory does not outlive its handle.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
    pub(crate) kind: Kind,
}

impl Place {
    pub(crate) fn new(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, kind }
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.directory.path().join("wal")
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.directory.path().join("db")
    }

    pub(crate) fn store(&self) -> Arc<dyn KVStore> {
        match self.kind {
            Kind::Hybrid => Arc::new(HybridStore::open(self.db()).unwrap()),
            #[cfg(feature = "sled")]
            Kind::Sled => Arc::new(self.sled()),
            Kind::Memory => Arc::new(MemoryStore::new()),
        }
    }

    /// sled lets go of its lock a moment after its handle was dropped, when its own threads are done.
    #[cfg(feature = "sled")]
    fn sled(&self) -> stemedb_storage::SledStore {
        const ATTEMPTS: u32 = 12_000;
        for _ in 1..ATTEMPTS {
            match stemedb_storage::SledStore::open(self.db()) {
                Err(stemedb_storage::Error::Locked { .. }) => {
                    std::thread::park_timeout(Duration::from_millis(10));
                }
                opened => return opened.unwrap(),
            }
        }
        stemedb_storage::SledStore::open(self.db()).unwrap()
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::open(self.wal()).unwrap()
    }

    /// Everything open, the worker started.
    pub(crate) fn open(&self) -> Pipeline {
        Pipeline::start(self.journal(), self.store(), options())
    }

    /// What the disk would hold if the process were killed now, while nobody writes.
    pub(crate) fn image(&self) -> Self {
        let image = Self::new(self.kind);
        copy(&self.wal(), &image.wal());
        if self.db().exists() {
            copy(&self.db(), &image.db());
        }
        image
    }
}

/// Checkpoints only when they are asked for, so that a test decides what is durable.
pub(crate) fn options() -> Options {
    Options {
        checkpoint_after: Duration::from_hours(1),
        threads: 2,
        ..Options::default()
    }
}

/// Copies a directory with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An open journal, an open store, and the worker between them.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) ingestor: Ingestor,
    pub(crate) store: Arc<dyn KVStore>,
    pub(crate) writer: Writer,
    pub(crate) journal: Arc<Mutex<Journal>>,
}

impl Pipeline {
    pub(crate) fn start(journal: Journal, store: Arc<dyn KVStore>, options: Options) -> Self {
        let writer = journal.writer();
        let journal = Arc::new(Mutex::new(journal));
        let mut ingestor =
            Ingestor::with_options(Arc::clone(&journal), Arc::clone(&store), options);
        ingestor.start();
        Self {
            ingestor,
            store,
            writer,
            journal,
        }
    }

    /// Appends records in one group and gives the last sequence; they are durable, and may not be applied yet.
    pub(crate) fn append(&self, records: &[Record]) -> u64 {
        self.append_bytes(records.iter().map(payload).collect())
    }

    pub(crate) fn append_bytes(&self, payloads: Vec<Vec<u8>>) -> u64 {
        let appended = self.writer.append_all(payloads).wait().unwrap();
        appended.last_sequence()
    }

    /// Appends records and waits until they are readable.
    pub(crate) fn ingest(&self, records: &[Record]) -> u64 {
        let last = self.append(records);
        self.ingestor.wait_applied(last).wait().unwrap();
        last
    }

    /// Waits until everything that is durable is readable.
    pub(crate) fn settle(&self) {
        let durable = self.journal.blocking_lock().state().durable_sequence();
        self.ingestor.wait_applied(durable).wait().unwrap();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.store.snapshot().unwrap().counts()
    }

    pub(crate) fn value(&self, key: &Key) -> Option<Value> {
        self.store.get(&key.encode()).unwrap()
    }

    /// The record under a key, and its sequence.
    pub(crate) fn record(&self, key: &Key) -> Option<(u64, Record)> {
        let value = self.value(key)?;
        Some((value.sequence.get(), deserialize(&value.content).unwrap()))
    }

    /// The ids that the subject index gives, in its order.
    pub(crate) fn about(&self, subject: &str) -> Vec<RecordId> {
        let scan = self.store.scan_prefix(&key::subject(subject)).unwrap();
        scan.map(|entry| {
            let bytes: [u8; 32] = entry.unwrap().1.content.try_into().unwrap();
            RecordId::from_bytes(bytes)
        })
        .collect()
    }

    /// Everything that the store shows.
    pub(crate) fn content(&self) -> Vec<(Vec<u8>, Value)> {
        let scan = self.store.scan_prefix(b"").unwrap();
        scan.map(Result::unwrap).collect()
    }

    pub(crate) fn stop(self) {
        self.ingestor.stop().unwrap();
    }
}

pub(crate) fn payload(record: &Record) -> Vec<u8> {
    serialize(record).unwrap()
}

pub(crate) fn id(record: &Record) -> RecordId {
    record.id().unwrap()
}

pub(crate) fn agent() -> Agent {
    Agent::new("site:example.org").unwrap()
}

/// An assertion that says nothing but its number of one of seven subjects.
pub(crate) fn claim(number: u64) -> Record {
    claim_about(&format!("subject {}", number % 7), number)
}

pub(crate) fn claim_about(subject: &str, number: u64) -> Record {
    Record::from(Assertion::new(
        Subject::new(subject).unwrap(),
        Predicate::new("number").unwrap(),
        Object::text(number.to_string()),
        agent(),
    ))
}

/// An assertion of about 16 KiB: 64 of them are a MiB.
pub(crate) fn large_claim(number: u64) -> Record {
    Record::from(Assertion::new(
        Subject::new("large").unwrap(),
        Predicate::new("text").unwrap(),
        Object::text(format!("{number:08}").repeat(2 << 10)),
        agent(),
    ))
}

pub(crate) fn vote_on(assertion: RecordId, weight: f64) -> Record {
    Record::from(Vote::new(assertion, agent(), Weight::new(weight).unwrap()))
}

pub(crate) fn epoch(name: &str) -> Record {
    Record::from(Epoch::new(EpochName::new(name).unwrap(), agent()))
}
