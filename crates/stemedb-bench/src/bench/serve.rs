//! The server: single claims over HTTP from many connections, each answered when it is durable. Redis is asked over TCP as well.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use stemedb::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Bench, append, flight};
use crate::claim::Generator;
use crate::clock;
use crate::drive::Client;
use crate::failure::{Doing, Failure, Result};
use crate::peer::redis;
use crate::process::Process;
use crate::subject::{REDIS, STEMEDB};

/// The name of the benchmark.
pub(crate) const SERVE: &str = "serve/connections=256";
/// Connections, each with one request at a time.
const CONNECTIONS: usize = 256;
/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(20);
/// What an answer is read into at first.
const ANSWER_BYTES: usize = 1024;

/// One round.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    for subject in bench.rotated(&[STEMEDB, REDIS]) {
        if subject == STEMEDB {
            ours(bench)?;
        } else if let Some(at) = bench.peer("redis_tcp", REDIS) {
            let pool = append::Pool::new()?;
            let time = bench.options.served();
            let clients = redis::appending(bench.runtime, &at, (CONNECTIONS, 1), pool.payloads())?;
            append::run_for(bench, (SERVE, REDIS), clients, time)?;
        }
    }
    Ok(())
}

fn ours(bench: &mut Bench<'_>) -> Result<()> {
    let directory = bench.directory()?;
    let server = bench.runtime.block_on(start(directory.path(), &[]))?;
    let clients = bench.runtime.block_on(connect(server.address))?;
    let time = bench.options.served();
    append::run_for(bench, (SERVE, STEMEDB), clients, time)?;
    drop(server);
    Ok(())
}

/// A server that was started, and is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Where its database is.
    pub(crate) directory: PathBuf,
}

/// Starts the program on a port that is free, with variables for its settings, and waits until it listens.
///
/// # Errors
///
/// If it cannot be started, or does not listen.
pub(crate) async fn start(home: &Path, settings: &[(&str, &str)]) -> Result<Started> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let address = free.and_then(|free| free.local_addr());
    let address = address.doing("find a free port")?;
    let directory = home.join("data");
    let mut command = Command::new(flight::program()?);
    command.envs(settings.iter().copied());
    command.arg("--quiet").arg("--dir").arg(&directory);
    command.args(["serve", "--listen", &address.to_string()]);
    let started = Started {
        process: Process::start(&mut command)?,
        address,
        directory,
    };
    let start = clock::now();
    loop {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(started),
            Err(error) if start.elapsed() > START => {
                return Err(error).doing("connect to our server");
            }
            Err(_) => tokio::time::sleep(START_POLL).await,
        }
    }
}

async fn connect(address: SocketAddr) -> Result<Vec<Posting>> {
    let generator = Generator::new(1_000_000);
    let host: Arc<str> = address.to_string().into();
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await;
        let stream = stream.doing("connect to our server")?;
        stream.set_nodelay(true).doing("connect to our server")?;
        clients.push(Posting {
            stream,
            generator,
            host: Arc::clone(&host),
            request: Vec::new(),
            answer: Vec::with_capacity(ANSWER_BYTES),
        });
    }
    Ok(clients)
}

/// A client that posts one assertion after the other on a connection that stays open. All are new.
#[derive(Debug)]
struct Posting {
    stream: TcpStream,
    generator: Generator,
    host: Arc<str>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Posting {
    fn write(&mut self, record: &Record) {
        let json = record.to_json();
        let head = format!(
            "POST /v1/assertions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.host,
            json.len()
        );
        self.request.clear();
        self.request.extend(head.into_bytes());
        self.request.extend(json.into_bytes());
    }

    /// Reads one answer; gives its first line.
    async fn read(&mut self) -> io::Result<String> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((head, body)) = split(&self.answer) {
                let length = content_length(head).ok_or(io::ErrorKind::InvalidData)?;
                if body.len() >= length {
                    return Ok(head.lines().next().unwrap_or_default().to_owned());
                }
            }
        }
    }
}

impl Client for Posting {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let record = self.generator.record(number).doing("make a record")?;
        self.write(&record);
        let sent = self.stream.write_all(&self.request).await;
        sent.doing("write to our server")?;
        let status = self.read().await.doing("read from our server")?;
        // Acknowledged, durable and new.
        if status.contains(" 201 ") {
            return Ok(1);
        }
        Err(Failure::new(format!("post a claim: {status}")))
    }
}

/// Head and body of an answer, once its head is there.
pub(crate) fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end)?;
    Some((std::str::from_utf8(head).ok()?, rest.get(4..)?))
}

/// The length of a body, where its head says it.
pub(crate) fn content_length(head: &str) -> Option<usize> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{content_length, split};

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let (head, body) = split(answer).unwrap();
        assert_eq!((content_length(head), body), (Some(2), &b"{}"[..]));
        assert_eq!(split(&answer[..30]), None);
    }
}
