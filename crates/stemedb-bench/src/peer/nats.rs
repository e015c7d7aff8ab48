//! NATS `JetStream`: a stream in files, by its protocol as it is. A client library would bring TLS and a hundred packages for this.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Runtime;

use crate::drive::{Client, batch_of};
use crate::failure::{Doing, Failure, Result};

const STREAM: &str = r#"{"name":"claims","subjects":["claims"],"storage":"file","retention":"limits","num_replicas":1}"#;

/// A client that publishes a batch at a time: it sends all of it, and then reads the acknowledgements.
#[derive(Debug)]
pub(crate) struct Publishing {
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    payloads: Arc<Vec<Vec<u8>>>,
    batch: u64,
    /// Where the answers of this client go.
    inbox: String,
    buffer: Vec<u8>,
}

impl Publishing {
    async fn open(
        address: &str,
        inbox: String,
        payloads: Arc<Vec<Vec<u8>>>,
        batch: u64,
    ) -> Result<Self> {
        let stream = TcpStream::connect(address).await.doing("connect to NATS")?;
        stream
            .set_nodelay(true)
            .doing("set an option of a connection")?;
        let (input, output) = stream.into_split();
        let hello =
            format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {inbox} 1\r\n");
        let mut client = Self {
            input: BufReader::new(input),
            output,
            payloads,
            batch,
            inbox,
            buffer: hello.into_bytes(),
        };
        client.send().await?;
        Ok(client)
    }

    fn publish(&mut self, subject: &str, payload: &[u8]) {
        let head = format!("PUB {subject} {} {}\r\n", self.inbox, payload.len());
        self.buffer.extend(head.into_bytes());
        self.buffer.extend_from_slice(payload);
        self.buffer.extend(b"\r\n");
    }

    async fn send(&mut self) -> Result<()> {
        let sent = self.output.write_all(&self.buffer).await;
        self.buffer.clear();
        sent.doing("write to NATS")
    }

    /// The next message to this client.
    async fn answer(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            self.input
                .read_line(&mut line)
                .await
                .doing("read from NATS")?;
            let mut words = line.split_whitespace();
            match words.next() {
                Some("MSG") => {
                    let length = words.next_back().and_then(|length| length.parse().ok());
                    let length: usize = length.doing("read the length of a message of NATS")?;
                    let mut body = vec![0; length + 2];
                    self.input
                        .read_exact(&mut body)
                        .await
                        .doing("read a message of NATS")?;
                    return Ok(String::from_utf8_lossy(&body).into_owned());
                }
                Some("PING") => {
                    self.buffer.extend(b"PONG\r\n");
                    self.send().await?;
                }
                Some("INFO" | "PONG" | "+OK") => {}
                _ => return Err(Failure::new(format!("understand NATS: {}", line.trim()))),
            }
        }
    }

    async fn acknowledged(&mut self) -> Result<()> {
        let answer = self.answer().await?;
        if answer.contains("\"seq\":") && !answer.contains("\"error\"") {
            return Ok(());
        }
        Err(Failure::new(format!("publish to NATS: {}", answer.trim())))
    }

    /// Begins with an empty stream.
    async fn clear(&mut self) -> Result<()> {
        for (subject, body) in [
            ("$JS.API.STREAM.DELETE.claims", ""),
            ("$JS.API.STREAM.CREATE.claims", STREAM),
        ] {
            self.publish(subject, body.as_bytes());
            self.send().await?;
            // Deleting what is not there is an error of no account; a stream that is missing fails the first append.
            self.answer().await?;
        }
        Ok(())
    }
}

impl Client for Publishing {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let payloads = Arc::clone(&self.payloads);
        for payload in batch_of(&payloads, number, self.batch) {
            self.publish("claims", payload);
        }
        self.send().await?;
        for _ in 0..self.batch {
            self.acknowledged().await?;
        }
        Ok(self.batch)
    }
}

/// Clients over an empty stream.
pub(crate) fn publishing(
    runtime: &Runtime,
    address: &str,
    (count, batch): (usize, u64),
    payloads: &Arc<Vec<Vec<u8>>>,
) -> Result<Vec<Publishing>> {
    runtime.block_on(async {
        let mut clients = Vec::with_capacity(count);
        for number in 0..count {
            let inbox = format!("_INBOX.bench.{number}");
            clients.push(Publishing::open(address, inbox, Arc::clone(payloads), batch).await?);
        }
        if let Some(first) = clients.first_mut() {
            first.clear().await?;
        }
        Ok(clients)
    })
}
