//! A database of one test, and made-up records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stemedb::{
    Agent, Assertion, Builder, Create, Database, Epoch, EpochName, Error, ErrorKind, Listing,
    Object, Predicate, Receipt, Record, RecordId, Result, Status, StoreKind, Stored, Subject, Vote,
    Weight,
};
use tempfile::TempDir;

/// A directory in which a database may be.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where the database is; the directory is not there at first.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn database(&self) -> Database {
        creating().open(self.path()).unwrap()
    }
}

pub(crate) fn creating() -> Builder {
    Database::builder().create(Create::IfMissing)
}

/// The kinds of store that this build has.
pub(crate) fn kinds() -> Vec<StoreKind> {
    if cfg!(feature = "sled") {
        vec![StoreKind::Hybrid, StoreKind::Sled]
    } else {
        vec![StoreKind::Hybrid]
    }
}

/// Every file and directory below a path with the hash of its bytes, but for the note of who holds the lock.
pub(crate) fn tree(path: &Path) -> BTreeMap<PathBuf, Option<blake3::Hash>> {
    let mut tree = BTreeMap::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            pending.extend(entries.map(|entry| entry.unwrap().path()));
            tree.insert(path, None);
        } else if path.exists() && !path.ends_with("pid") {
            let hash = blake3::hash(&bytes_of(&path));
            tree.insert(path, Some(hash));
        }
    }
    tree
}

pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let mut file = std::fs::OpenOptions::new().read(true).open(path).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for (path, hash) in tree(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        match hash {
            None => std::fs::create_dir_all(target).unwrap(),
            Some(_) => write(&target, &bytes_of(&path)),
        }
    }
}

pub(crate) fn agent() -> Agent {
    Agent::new("site:example.org").unwrap()
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

pub(crate) fn predicate(name: &str) -> Predicate {
    Predicate::new(name).unwrap()
}

pub(crate) fn claim(subject: &str, predicate: &str, text: &str) -> Record {
    Record::from(Assertion::new(
        Subject::new(subject).unwrap(),
        Predicate::new(predicate).unwrap(),
        Object::text(text),
        agent(),
    ))
}

/// An assertion that says nothing but its number of one of seven subjects.
pub(crate) fn numbered(number: u64) -> Record {
    let name = format!("subject {}", number % 7);
    claim(&name, "number", &number.to_string())
}

pub(crate) fn vote_on(assertion: RecordId, weight: f64) -> Record {
    Record::from(Vote::new(assertion, agent(), Weight::new(weight).unwrap()))
}

pub(crate) fn epoch(name: &str, supersedes: Option<RecordId>) -> Record {
    let mut epoch = Epoch::new(EpochName::new(name).unwrap(), agent());
    epoch.supersedes = supersedes;
    Record::from(epoch)
}

pub(crate) fn id(record: &Record) -> RecordId {
    record.id().unwrap()
}

/// Sequence and status of a receipt.
pub(crate) fn answer(receipt: &Result<Receipt>) -> (u64, Status) {
    let receipt = receipt.as_ref().unwrap();
    (receipt.sequence.get(), receipt.status)
}

/// Stores records and waits until they can be read.
pub(crate) fn store(database: &Database, records: Vec<Record>) -> u64 {
    let receipts = database.ingest(records);
    let last = receipts.iter().map(|receipt| answer(receipt).0).max();
    settle(database);
    last.unwrap_or(0)
}

/// Waits until everything that is durable can be read.
pub(crate) fn settle(database: &Database) {
    let durable = database.stats().unwrap().durable_sequence;
    if let Some(sequence) = stemedb::Sequence::new(durable) {
        database.wait_applied(sequence).wait().unwrap();
    }
}

pub(crate) fn values<T>(listing: Result<Listing<T>>) -> Vec<T> {
    listing.unwrap().map(|item| item.unwrap().value).collect()
}

pub(crate) fn exported(database: &Database) -> Vec<Stored> {
    database.export().unwrap().map(Result::unwrap).collect()
}

/// The error of a call that must fail.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error
}
