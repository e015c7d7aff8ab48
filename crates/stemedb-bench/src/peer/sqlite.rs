//! SQLite: the same table, in the process, with a write-ahead log that is synced at every commit.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::claim::{Row, key};
use crate::drive::Client;
use crate::failure::{Doing, Result};

const SCHEMA: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table claims (
        seq integer primary key,
        id blob not null unique,
        subject text not null,
        predicate text not null,
        object text not null,
        agent text not null,
        confidence real not null,
        source text,
        quote text,
        claimed_at integer,
        epoch blob
    );
    create index by_subject on claims (subject, predicate, seq);
";

const INSERT: &str = "
    insert into claims (id, subject, predicate, object, agent, confidence, source, quote, claimed_at, epoch)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
";

/// A database in a file.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Creates one in an empty directory.
    pub(crate) fn create(directory: &Path) -> Result<Self> {
        let connection = Connection::open(directory.join("claims.sqlite")).doing("open SQLite")?;
        connection
            .execute_batch(SCHEMA)
            .doing("create a table in SQLite")?;
        Ok(Self { connection })
    }

    /// Its version.
    pub(crate) fn version() -> &'static str {
        rusqlite::version()
    }

    /// Adds rows in one transaction; it is durable when this returns.
    pub(crate) fn insert<'a>(
        &mut self,
        rows: impl IntoIterator<Item = (&'a [u8; 32], &'a Row)>,
    ) -> Result<u64> {
        let transaction = self.connection.transaction().doing("begin in SQLite")?;
        let mut count = 0;
        {
            let mut insert = transaction
                .prepare_cached(INSERT)
                .doing("prepare an INSERT")?;
            for (id, row) in rows {
                let inserted = insert.execute(params![
                    id,
                    row.subject,
                    row.predicate,
                    row.object,
                    row.agent,
                    row.confidence,
                    row.source,
                    row.quote,
                    row.timestamp,
                    row.epoch
                ]);
                inserted.doing("insert into SQLite")?;
                count += 1;
            }
        }
        transaction.commit().doing("commit in SQLite")?;
        Ok(count)
    }
}

/// A client that inserts a batch of rows in each transaction.
#[derive(Debug)]
pub(crate) struct Inserting {
    database: Database,
    rows: Arc<Vec<Row>>,
    batch: usize,
}

impl Inserting {
    pub(crate) fn new(directory: &Path, rows: &Arc<Vec<Row>>, batch: usize) -> Result<Self> {
        Ok(Self {
            database: Database::create(directory)?,
            rows: Arc::clone(rows),
            batch,
        })
    }
}

impl Client for Inserting {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let count = self.batch as u64;
        let keys: Vec<_> = (number * count..(number + 1) * count).map(key).collect();
        let rows = keys.iter().zip(self.rows.iter().cycle());
        tokio::task::block_in_place(|| self.database.insert(rows))
    }
}
