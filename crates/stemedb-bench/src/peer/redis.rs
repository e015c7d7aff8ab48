//! Redis: a stream, by its protocol as it is (RESP over a Unix socket or TCP). A client library would bring a hundred packages for this.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;

use crate::drive::{Client, batch_of};
use crate::failure::{Doing, Failure, Result};

/// A client that appends a batch at a time: it sends all of it, and then reads the answers.
pub(crate) struct Appending {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    output: Box<dyn AsyncWrite + Send + Unpin>,
    payloads: Arc<Vec<Vec<u8>>>,
    batch: u64,
    buffer: Vec<u8>,
}

impl Appending {
    /// Connects to the path of a socket, or to an address.
    async fn open(at: &str, payloads: Arc<Vec<Vec<u8>>>, batch: u64) -> Result<Self> {
        let (input, output): (
            Box<dyn AsyncRead + Send + Unpin>,
            Box<dyn AsyncWrite + Send + Unpin>,
        ) = if at.starts_with('/') {
            let stream = UnixStream::connect(at).await.doing("connect to Redis")?;
            let (input, output) = stream.into_split();
            (Box::new(input), Box::new(output))
        } else {
            let stream = TcpStream::connect(at).await.doing("connect to Redis")?;
            stream.set_nodelay(true).doing("connect to Redis")?;
            let (input, output) = stream.into_split();
            (Box::new(input), Box::new(output))
        };
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
    at: &str,
    (count, batch): (usize, u64),
    payloads: &Arc<Vec<Vec<u8>>>,
) -> Result<Vec<Appending>> {
    runtime.block_on(async {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Appending::open(at, Arc::clone(payloads), batch).await?);
        }
        if let Some(first) = clients.first_mut() {
            first.command(&[b"DEL", b"claims"]);
            first.send().await?;
            first.line().await?;
        }
        Ok(clients)
    })
}
