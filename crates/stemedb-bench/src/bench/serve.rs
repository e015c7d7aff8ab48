//! The server: single claims over HTTP from many connections, each answered when it is durable. Redis is asked over TCP as well.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;
use stemedb::{Object, Record};
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
/// Distinct requests but for the number in each.
const POOL: u64 = 1 << 15;
/// Where the number of a request goes: no record has it otherwise.
const SLOT: &str = "############";
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

/// Requests that are made before the clock runs, as the payloads of the peer are: each lacks its number alone.
#[derive(Debug)]
struct Pool(Vec<Made>);

/// A request, and where its number goes.
#[derive(Debug)]
struct Made {
    bytes: Vec<u8>,
    slot: usize,
}

impl Pool {
    fn new(address: SocketAddr) -> Result<Self> {
        let generator = Generator::new(1_000_000);
        let made = |number| {
            let record = generator.record(number).doing("make a record")?;
            Made::new(record, address).doing("make a request")
        };
        (0..POOL).map(made).collect::<Result<_>>().map(Self)
    }

    /// Writes the request with a number; no two are of the same record.
    fn write(&self, number: u64, request: &mut Vec<u8>) {
        let Self(all) = self;
        let at = usize::try_from(number).unwrap_or(0) % all.len();
        let Some(Made { bytes, slot }) = all.get(at) else {
            return;
        };
        request.clear();
        request.extend_from_slice(bytes);
        let digits = format!("{number:0width$}", width = SLOT.len());
        if let Some(place) = request.get_mut(*slot..slot + SLOT.len()) {
            place.copy_from_slice(digits.as_bytes());
        }
    }
}

impl Made {
    fn new(record: Record, address: SocketAddr) -> Option<Self> {
        let Record::Assertion(mut assertion) = record else {
            return None;
        };
        assertion.object = Object::text(SLOT);
        let json = Record::from(assertion).to_json();
        let head = format!(
            "POST /v1/assertions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            json.len()
        );
        let slot = head.len() + json.find(SLOT)?;
        let bytes = [head, json].concat().into_bytes();
        Some(Self { bytes, slot })
    }
}

async fn connect(address: SocketAddr) -> Result<Vec<Posting>> {
    let pool = Arc::new(Pool::new(address)?);
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await;
        let stream = stream.doing("connect to our server")?;
        stream.set_nodelay(true).doing("connect to our server")?;
        clients.push(Posting {
            stream,
            pool: Arc::clone(&pool),
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
    pool: Arc<Pool>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Posting {
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
        self.pool.write(number, &mut self.request);
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
    let end = memmem::find(answer, b"\r\n\r\n")?;
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
    use std::collections::HashSet;
    use std::net::{Ipv4Addr, SocketAddr};

    use stemedb::Record;

    use super::{POOL, Pool, content_length, split};

    #[test]
    fn no_two_requests_are_of_the_same_record() {
        let pool = Pool::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).unwrap();
        let (mut ids, mut request) = (HashSet::new(), Vec::new());
        for number in [0, 1, POOL - 1, POOL, POOL + 1, 3 * POOL, 999_999_999_999] {
            pool.write(number, &mut request);
            let (head, body) = split(&request).unwrap();
            assert_eq!(content_length(head), Some(body.len()));
            assert!(ids.insert(Record::from_json(body).unwrap().verify().unwrap()));
        }
    }

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let (head, body) = split(answer).unwrap();
        assert_eq!((content_length(head), body), (Some(2), &b"{}"[..]));
        assert_eq!(split(&answer[..30]), None);
    }
}
