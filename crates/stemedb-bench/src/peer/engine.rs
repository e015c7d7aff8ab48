//! The engines of our store alone, with our keys and without anything of ours around them.

use std::fmt::{self, Debug, Formatter};
use std::path::Path;
use std::sync::Arc;

use fjall::{KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use redb::{Durability, TableDefinition};
use stemedb::{Record, RecordId, Subject};
use stemedb_storage::Key;

use crate::claim::{Generator, key};
use crate::drive::Client;
use crate::failure::{Doing, Failure, Result};

/// As much as our store gives it.
const CACHE_BYTES: u64 = stemedb_storage::Options::STREAM_CACHE_BYTES_DEFAULT;
/// Likewise.
const MEMTABLE_BYTES: u64 = 32 << 20;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("stream");

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// An engine that takes a batch at once.
pub(crate) trait Engine: Clone + Send + Sync + 'static {
    /// Writes pairs in one commit.
    fn commit(&self, pairs: impl IntoIterator<Item = Pair>, level: Level) -> Result<()>;
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing but that it can be read.
    Visible,
    /// The disk.
    Durable,
}

/// fjall with one keyspace.
#[derive(Clone)]
pub(crate) struct Fjall {
    keyspace: fjall::Keyspace,
    db: fjall::Database,
}

impl Debug for Fjall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fjall").finish_non_exhaustive()
    }
}

impl Fjall {
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let db = fjall::Database::builder(directory.join("fjall"))
            .cache_size(CACHE_BYTES)
            .open();
        let db = db.doing("open fjall")?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let keyspace = db
            .keyspace("stream", options)
            .doing("open a keyspace of fjall")?;
        Ok(Self { keyspace, db })
    }

    /// A state that stands still.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.db.snapshot()
    }

    /// The value of a key, and whether there is one.
    pub(crate) fn get(&self, snapshot: &Snapshot, key: &[u8]) -> Result<Option<fjall::Slice>> {
        snapshot.get(&self.keyspace, key).doing("read from fjall")
    }

    /// Values under a prefix, in order.
    pub(crate) fn page(
        &self,
        snapshot: &Snapshot,
        prefix: &[u8],
        count: usize,
    ) -> Result<Vec<fjall::Slice>> {
        let found = snapshot.prefix(&self.keyspace, prefix).take(count);
        found
            .map(|guard| guard.value().doing("read from fjall"))
            .collect()
    }
}

impl Engine for Fjall {
    fn commit(&self, pairs: impl IntoIterator<Item = Pair>, level: Level) -> Result<()> {
        let mut batch = self.db.batch();
        for (key, value) in pairs {
            batch.insert(&self.keyspace, key, value);
        }
        batch.commit().doing("commit in fjall")?;
        match level {
            Level::Visible => Ok(()),
            Level::Durable => self.db.persist(PersistMode::SyncData).doing("sync fjall"),
        }
    }
}

/// redb with one table.
#[derive(Clone)]
pub(crate) struct Redb {
    db: Arc<redb::Database>,
}

impl Debug for Redb {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").finish_non_exhaustive()
    }
}

impl Redb {
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let cache = usize::try_from(CACHE_BYTES).unwrap_or(usize::MAX);
        let db = redb::Builder::new()
            .set_cache_size(cache)
            .create(directory.join("redb"));
        Ok(Self {
            db: Arc::new(db.doing("open redb")?),
        })
    }
}

impl Engine for Redb {
    fn commit(&self, pairs: impl IntoIterator<Item = Pair>, level: Level) -> Result<()> {
        let mut write = self.db.begin_write().doing("begin in redb")?;
        let durability = match level {
            Level::Visible => Durability::None,
            Level::Durable => Durability::Immediate,
        };
        write
            .set_durability(durability)
            .doing("set the durability of redb")?;
        {
            let mut table = write.open_table(TABLE).doing("open a table of redb")?;
            for (key, value) in pairs {
                table
                    .insert(&key[..], &value[..])
                    .doing("insert into redb")?;
            }
        }
        write.commit().doing("commit in redb")
    }
}

/// A client that commits a batch durably.
#[derive(Debug)]
pub(crate) struct Committing<E> {
    engine: E,
    payloads: Arc<Vec<Vec<u8>>>,
    batch: u64,
}

impl<E: Engine> Committing<E> {
    /// So many clients of one engine.
    pub(crate) fn many(
        engine: &E,
        (count, batch): (usize, u64),
        payloads: &Arc<Vec<Vec<u8>>>,
    ) -> Vec<Self> {
        let client = |_| Self {
            engine: engine.clone(),
            payloads: Arc::clone(payloads),
            batch,
        };
        (0..count).map(client).collect()
    }
}

impl<E: Engine> Client for Committing<E> {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let keys = (number * self.batch..(number + 1) * self.batch).map(key);
        let pairs = keys.zip(self.payloads.iter().cycle());
        let pairs = pairs.map(|(key, payload)| (key.to_vec(), payload.clone()));
        tokio::task::block_in_place(|| self.engine.commit(pairs, Level::Durable))?;
        Ok(self.batch)
    }
}

/// The key of a record, as in our store.
pub(crate) fn record_key(id: RecordId) -> Vec<u8> {
    Key::Assertion(id).encode()
}

/// What the keys of the index begin with, as in our store.
pub(crate) fn subject_prefix(subject: &Subject) -> Vec<u8> {
    stemedb_storage::key::subject(subject.as_str())
}

/// What our store keeps of a generated record, without its envelope: the record by its id, and the entry of the index.
pub(crate) fn pairs(generator: Generator, number: u64) -> Result<[Pair; 2]> {
    let record = generator.record(number).doing("make a record")?;
    let id = record.id().doing("name a record")?;
    let payload = stemedb_ingest::serialize(&record).doing("serialize a record")?;
    let Record::Assertion(assertion) = &record else {
        return Err(Failure::new("index a record that is no assertion"));
    };
    let (subject, predicate) = (assertion.subject.as_str(), assertion.predicate.as_str());
    let mut index = stemedb_storage::key::subject_predicate(subject, predicate);
    index.extend(number.to_be_bytes());
    Ok([(record_key(id), payload), (index, id.as_bytes().to_vec())])
}
