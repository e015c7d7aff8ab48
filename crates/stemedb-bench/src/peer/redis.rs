//! Redis: a stream, by its protocol as it is (RESP over a Unix socket). A client library would bring a hundred packages for this.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Runtime;

use crate::drive::{Client, batch_of};
use crate::failure::{Doing, Failure, Result};

/// A client that appends a batch at a time: it sends all of it, and then reads the answers.
#[derive(Debug)]
pub(crate) struct Appending {
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    payloads: Arc<Vec<Vec<u8>>>,
    batch: u64,
    buffer: Vec<u8>,
}

impl Appending {
    async fn open(path: &str, payloads: Arc<Vec<Vec<u8>>>, batch: u64) -> Result<Self> {
        let stream = UnixStream::connect(path).await.doing("connect to Redis")?;
        let (input, output) = stream.into_split();
        Ok(Self {
            input: BufReader::new(input),
            output,
            payloads,
            batch,
            buffer: Vec::new(),
        })
    }

    fn command(&mut self, words: &[&[u8]]) {
        self.buffer
            .extend(format!("*{}\r\n", words.len()).into_bytes());
        for word in words {
            self.buffer
                .extend(format!("${}\r\n", word.len()).into_bytes());
            self.buffer.extend_from_slice(word);
            self.buffer.extend(b"\r\n");
        }
    }

    async fn send(&mut self) -> Result<()> {
        let sent = self.output.write_all(&self.buffer).await;
        self.buffer.clear();
        sent.doing("write to Redis")
    }

    async fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.input
            .read_until(b'\n', &mut line)
            .await
            .doing("read from Redis")?;
        if line.starts_with(b"-") || line.is_empty() {
            let text = String::from_utf8_lossy(&line);
            return Err(Failure::new(format!("append to Redis: {}", text.trim())));
        }
        Ok(line)
    }
}

impl Client for Appending {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let payloads = Arc::clone(&self.payloads);
        for payload in batch_of(&payloads, number, self.batch) {
            self.command(&[b"XADD", b"claims", b"*", b"r", payload]);
        }
        self.send().await?;
        for _ in 0..self.batch {
            // The length of an entry's id, and the id.
            self.line().await?;
            self.line().await?;
        }
        Ok(self.batch)
    }
}

/// Clients over an empty stream.
pub(crate) fn appending(
    runtime: &Runtime,
    path: &str,
    (count, batch): (usize, u64),
    payloads: &Arc<Vec<Vec<u8>>>,
) -> Result<Vec<Appending>> {
    runtime.block_on(async {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Appending::open(path, Arc::clone(payloads), batch).await?);
        }
        if let Some(first) = clients.first_mut() {
            first.command(&[b"DEL", b"claims"]);
            first.send().await?;
            first.line().await?;
        }
        Ok(clients)
    })
}
