//! PostgreSQL: one table with a key, and an index by subject, predicate and order of arrival.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::runtime::Runtime;
use tokio_postgres::{Config, NoTls, Statement};

use crate::claim::{Row, key};
use crate::clock;
use crate::drive::Client;
use crate::failure::{Doing, Result};
use crate::number::float;

const SCHEMA: &str = "
    drop table if exists claims;
    create table claims (
        id bytea primary key,
        seq bigint generated always as identity,
        subject text not null,
        predicate text not null,
        object text not null,
        agent text not null,
        confidence double precision not null,
        source text,
        quote text,
        claimed_at bigint,
        epoch bytea
    );
    create index on claims (subject, predicate, seq);
    checkpoint;
";

const INSERT: &str = "
    insert into claims (id, subject, predicate, object, agent, confidence, source, quote, claimed_at, epoch)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
";

const COPY: &str = "
    copy claims (id, subject, predicate, object, agent, confidence, source, quote, claimed_at, epoch)
    from stdin (format binary)
";

/// How a COPY in binary begins: its signature, no flags, no extension.
const COPY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How it ends.
const COPY_END: &[u8] = &[0xff, 0xff];
/// Columns of a row.
const COLUMNS: i16 = 10;
/// Bytes that are sent at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    client: tokio_postgres::Client,
}

impl Connection {
    /// Connects over the Unix socket of a directory.
    pub(crate) async fn open(directory: &str) -> Result<Self> {
        let mut config = Config::new();
        config.host_path(directory).user("bench").dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.doing("connect to PostgreSQL")?;
        // It ends when the client is dropped; what goes wrong in it, the client is told of.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client })
    }

    /// Begins with an empty table.
    pub(crate) async fn clear(&self) -> Result<()> {
        self.client
            .batch_execute(SCHEMA)
            .await
            .doing("create a table in PostgreSQL")
    }

    /// Adds rows in one transaction; it is durable when this returns.
    pub(crate) async fn copy(&self, rows: &Copied) -> Result<()> {
        let sink = self.client.copy_in(COPY).await.doing("begin a COPY")?;
        let mut sink = Box::pin(sink);
        for chunk in &rows.chunks {
            sink.feed(chunk.clone()).await.doing("copy rows")?;
        }
        sink.as_mut().finish().await.doing("end a COPY").map(drop)
    }

    /// One figure that a query gives.
    pub(crate) async fn figure(&self, query: &str) -> Result<i64> {
        let row = self
            .client
            .query_one(query, &[])
            .await
            .doing("query PostgreSQL")?;
        row.try_get(0).doing("read an answer of PostgreSQL")
    }
}

/// Rows as COPY takes them, in pieces.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    chunks: Vec<Bytes>,
}

impl Copied {
    /// Encodes rows, so that whoever measures measures the server.
    pub(crate) fn new(rows: impl IntoIterator<Item = Result<Row>>) -> Result<Self> {
        let mut chunks = Vec::new();
        let mut chunk = COPY_HEAD.to_vec();
        for row in rows {
            encode(&row?, &mut chunk);
            if chunk.len() >= CHUNK_BYTES {
                chunks.push(Bytes::from(std::mem::take(&mut chunk)));
            }
        }
        chunk.extend(COPY_END);
        chunks.push(Bytes::from(chunk));
        Ok(Self { chunks })
    }
}

fn encode(row: &Row, out: &mut Vec<u8>) {
    out.extend(COLUMNS.to_be_bytes());
    field(out, Some(&row.id));
    for text in [&row.subject, &row.predicate, &row.object, &row.agent] {
        field(out, Some(text.as_bytes()));
    }
    field(out, Some(&row.confidence.to_be_bytes()));
    for text in [&row.source, &row.quote] {
        field(out, text.as_ref().map(String::as_bytes));
    }
    field(
        out,
        row.timestamp
            .map(i64::to_be_bytes)
            .as_ref()
            .map(<[u8; 8]>::as_slice),
    );
    field(out, row.epoch.as_ref().map(<[u8; 32]>::as_slice));
}

/// A field has its length before it; -1 is null.
fn field(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let length = bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.extend(length.to_be_bytes());
    out.extend(bytes.unwrap_or_default());
}

/// What a COPY of many rows took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    pub(crate) rows: f64,
    pub(crate) seconds: f64,
    /// Bytes of the table and its indexes; the write-ahead log comes on top.
    pub(crate) disk_bytes: f64,
}

/// Copies rows into an empty table, in one transaction.
pub(crate) fn load(runtime: &Runtime, directory: &str, rows: &Copied) -> Result<Loaded> {
    runtime.block_on(async {
        let connection = Connection::open(directory).await?;
        connection.clear().await?;
        let start = clock::now();
        connection.copy(rows).await?;
        let seconds = start.elapsed().as_secs_f64();
        let count = connection.figure("select count(*) from claims").await?;
        let bytes = connection
            .figure("select pg_total_relation_size('claims')")
            .await?;
        connection.clear().await?;
        Ok(Loaded {
            rows: float(count),
            seconds,
            disk_bytes: float(bytes),
        })
    })
}

/// A client that inserts one row in each transaction.
#[derive(Debug)]
pub(crate) struct Inserting {
    connection: Connection,
    insert: Statement,
    rows: Arc<Vec<Row>>,
}

impl Inserting {
    async fn open(directory: &str, rows: Arc<Vec<Row>>) -> Result<Self> {
        let connection = Connection::open(directory).await?;
        let insert = connection
            .client
            .prepare(INSERT)
            .await
            .doing("prepare an INSERT")?;
        Ok(Self {
            connection,
            insert,
            rows,
        })
    }
}

impl Client for Inserting {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let place = usize::try_from(number).unwrap_or(0) % self.rows.len();
        let row = self.rows.get(place).doing("find a row")?;
        let id = key(number);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
            &id.as_slice(),
            &row.subject,
            &row.predicate,
            &row.object,
            &row.agent,
            &row.confidence,
            &row.source,
            &row.quote,
            &row.timestamp,
            &row.epoch.as_ref().map(<[u8; 32]>::as_slice),
        ];
        self.connection
            .client
            .execute(&self.insert, &parameters)
            .await
            .doing("insert a row")
    }
}

/// A client that adds a batch of rows by a COPY of its own.
#[derive(Debug)]
pub(crate) struct Copying {
    connection: Connection,
    rows: Arc<Vec<Row>>,
}

impl Client for Copying {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let count = self.rows.len() as u64;
        let numbered = self.rows.iter().zip(number * count..);
        let rows = numbered.map(|(row, number)| Ok(row.under_key(number)));
        self.connection.copy(&Copied::new(rows)?).await?;
        Ok(count)
    }
}

/// Clients that insert, over an empty table.
pub(crate) fn inserting(
    runtime: &Runtime,
    directory: &str,
    (count, rows): (usize, &Arc<Vec<Row>>),
) -> Result<Vec<Inserting>> {
    runtime.block_on(async {
        Connection::open(directory).await?.clear().await?;
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Inserting::open(directory, Arc::clone(rows)).await?);
        }
        Ok(clients)
    })
}

/// A client that copies all of `rows` at a time, over an empty table.
pub(crate) fn copying(
    runtime: &Runtime,
    directory: &str,
    rows: &Arc<Vec<Row>>,
) -> Result<Vec<Copying>> {
    runtime.block_on(async {
        let connection = Connection::open(directory).await?;
        connection.clear().await?;
        let rows = Arc::clone(rows);
        Ok(vec![Copying { connection, rows }])
    })
}
