//! The good clients: they ask at a steady rate, and send again what was not acknowledged.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use stemedb::{Record, RecordId};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Answer, Client, connect, get, post};
use super::log::{Log, due};
use crate::claim::{Generator, mix};
use crate::clock;
use crate::failure::{Doing, Failure, Result};

/// Connections that write.
pub(super) const WRITERS: u32 = 32;
/// Connections that read.
const READERS: u32 = 4;
/// Between two requests of one reader.
const READ_EVERY: Duration = Duration::from_millis(40);
/// Between two readers that make a connection for one request.
const NEWCOMER_EVERY: Duration = Duration::from_millis(500);
/// Between two scrapes; more often than anybody would, since what is counted goes on beside them.
const SCRAPE_EVERY: Duration = Duration::from_millis(100);
/// What is told last, so that nothing is missing before it.
const TOLD_LAST: &str = "stemedb_store_cache_lookups_total{engine=\"redb\"";
/// Before somebody tries again.
const PAUSE: Duration = Duration::from_millis(20);
/// What makes the records.
pub(super) const GENERATOR: Generator = Generator::new(1_000_000);

/// A record that was acknowledged.
pub(super) type Acknowledged = (u64, RecordId);

/// The address of a good client.
fn own(number: u32) -> Ipv4Addr {
    let [.., last] = number.to_be_bytes();
    Ipv4Addr::new(127, 0, 1, last.saturating_add(1))
}

/// What the feed gave.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Fed {
    /// Behind which sequence it began.
    pub(super) since: u64,
    /// The last sequence.
    pub(super) last: u64,
    pub(super) records: u64,
    /// Records that were not behind the one before.
    pub(super) out_of_order: u64,
    /// How often it broke off.
    pub(super) breaks: u64,
}

/// How fast as many writers can write that wait for nothing but their answers; and what they wrote.
pub(super) async fn calibrate(
    log: &Arc<Log>,
    server: SocketAddr,
    time: Duration,
) -> Result<(f64, Vec<Acknowledged>)> {
    let start = clock::now();
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let mut writer = Writer::new(log, server, number);
        writers.spawn(async move {
            while start.elapsed() < time {
                writer.write().await?;
            }
            Ok::<_, Failure>(writer.acknowledged)
        });
    }
    let acknowledged = joined(writers).await?;
    let rate = crate::number::float(acknowledged.len()) / start.elapsed().as_secs_f64();
    Ok((rate, acknowledged))
}

async fn joined(mut writers: JoinSet<Result<Vec<Acknowledged>>>) -> Result<Vec<Acknowledged>> {
    let mut all = Vec::new();
    while let Some(one) = writers.join_next().await {
        all.extend(one.doing("wait for a writer")??);
    }
    Ok(all)
}

/// The good clients, at work.
pub(super) struct Good {
    writers: JoinSet<Result<Vec<Acknowledged>>>,
    others: JoinSet<()>,
    feed: tokio::task::JoinHandle<Fed>,
}

impl Good {
    /// Lets them begin: so many records a second are written, and those behind a sequence are followed.
    pub(super) fn begin(log: &Arc<Log>, server: SocketAddr, (rate, since): (f64, u64)) -> Self {
        let (mut writers, mut others) = (JoinSet::new(), JoinSet::new());
        let every = Duration::from_secs_f64(1.0 / rate.max(1.0));
        for number in 0..WRITERS {
            let pace = Pace {
                first: log.phases.start + every * number,
                every: every * WRITERS,
            };
            writers.spawn(Writer::new(log, server, number).go_on(pace));
        }
        for number in WRITERS..WRITERS + READERS {
            let first = log.phases.start + READ_EVERY / READERS * (number - WRITERS);
            let every = READ_EVERY;
            let client = Client::new(server, own(number));
            others.spawn(read(Arc::clone(log), client, Pace { first, every }));
        }
        let newcomer = Client::new(server, own(WRITERS + READERS));
        others.spawn(come_anew(Arc::clone(log), newcomer));
        let scraper = Client::new(server, own(WRITERS + READERS + 2));
        others.spawn(scrape(Arc::clone(log), scraper));
        let feed = own(WRITERS + READERS + 1);
        let feed = follow(Arc::clone(log), (server, feed), since);
        Self {
            writers,
            others,
            feed: tokio::spawn(feed),
        }
    }

    /// Waits for what they have begun; the log has been ended before.
    pub(super) async fn end(mut self) -> Result<(Vec<Acknowledged>, Fed)> {
        let acknowledged = joined(self.writers).await?;
        while self.others.join_next().await.is_some() {}
        let fed = self.feed.await.doing("wait for the feed")?;
        Ok((acknowledged, fed))
    }
}

/// When requests are due.
#[derive(Clone, Copy, Debug)]
struct Pace {
    first: Instant,
    every: Duration,
}

impl Pace {
    fn at(&self, turn: u32) -> Instant {
        self.first + self.every * turn
    }
}

#[derive(Debug)]
struct Writer {
    log: Arc<Log>,
    client: Client,
    acknowledged: Vec<Acknowledged>,
}

impl Writer {
    fn new(log: &Arc<Log>, server: SocketAddr, number: u32) -> Self {
        Self {
            log: Arc::clone(log),
            client: Client::new(server, own(number)),
            acknowledged: Vec::new(),
        }
    }

    async fn go_on(mut self, pace: Pace) -> Result<Vec<Acknowledged>> {
        let log = Arc::clone(&self.log);
        for turn in 0.. {
            let begun = due(pace.at(turn)).await;
            if log.is_over() {
                break;
            }
            self.write().await?;
            log.writes.note(begun);
        }
        Ok(self.acknowledged)
    }

    /// Posts one record until it is acknowledged.
    async fn write(&mut self) -> Result<()> {
        let record = GENERATOR.record(self.log.number());
        let record = record.doing("make a record")?;
        let id = record.id().doing("name a record")?;
        let request = post("/v1/assertions", record.to_json().as_bytes());
        loop {
            let answer = self.client.ask(&request).await;
            self.log.tally.count("good writer", outcome(&answer));
            match answer {
                Ok(answer) if matches!(answer.status, 200 | 201) => {
                    let sequence = receipt(&answer.body, id)?;
                    self.acknowledged.push((sequence, id));
                    self.log.set_last(id, sequence);
                    return Ok(());
                }
                // It may be so later.
                Err(_)
                | Ok(Answer {
                    status: 408 | 429 | 503,
                    ..
                }) => sleep(PAUSE).await,
                Ok(answer) => {
                    let body = String::from_utf8_lossy(&answer.body);
                    return Err(Failure::new(format!("post a claim: {body}")));
                }
            }
        }
    }
}

fn outcome(answer: &io::Result<Answer>) -> String {
    match answer {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.kind().to_string(),
    }
}

/// The sequence of a receipt, which must be for this record.
fn receipt(body: &[u8], id: RecordId) -> Result<u64> {
    let receipt: Value = serde_json::from_slice(body).doing("read a receipt")?;
    sequence(&receipt, id)
}

/// What the receipts for these records say, which must be all of them.
pub(super) fn receipts(body: &[u8], records: &[Record]) -> Result<Vec<Acknowledged>> {
    let receipts: Value = serde_json::from_slice(body).doing("read receipts")?;
    let results = receipts.get("results").and_then(Value::as_array);
    let results = results.filter(|results| results.len() == records.len());
    let results = results.ok_or_else(|| Failure::new(format!("store records: {receipts}")))?;
    let pairs = results.iter().zip(records);
    let acknowledged = pairs.map(|(receipt, record)| {
        let id = record.id().doing("name a record")?;
        Ok((sequence(receipt, id)?, id))
    });
    acknowledged.collect()
}

fn sequence(receipt: &Value, id: RecordId) -> Result<u64> {
    let found = receipt.get("id").and_then(Value::as_str);
    if found != Some(id.to_string().as_str()) {
        return Err(Failure::new(format!(
            "use a receipt for another record: {receipt}"
        )));
    }
    let sequence = receipt.get("sequence").and_then(Value::as_u64);
    sequence.doing("read a receipt")
}

/// Reads what was just written, and pages of subjects, in turn.
async fn read(log: Arc<Log>, mut client: Client, pace: Pace) {
    for turn in 0.. {
        let begun = due(pace.at(turn)).await;
        if log.is_over() {
            break;
        }
        let answer = client.ask(&get(&what(&log, turn))).await;
        log.tally.count("good reader", outcome(&answer));
        log.reads.note(begun);
        if answer.is_err() {
            sleep(PAUSE).await;
        }
    }
}

fn what(log: &Log, turn: u32) -> String {
    match log.last() {
        Some((id, sequence)) if turn.is_multiple_of(2) => {
            format!("/v1/records/{id}?min_sequence={sequence}")
        }
        _ => {
            let rank = mix(turn.into()) % 100 + 1;
            let rank = usize::try_from(rank).unwrap_or(1);
            format!("/v1/subjects/{}/assertions", Generator::subject(rank))
        }
    }
}

/// Makes a connection, asks once, and leaves.
async fn come_anew(log: Arc<Log>, mut client: Client) {
    while !log.is_over() {
        sleep(NEWCOMER_EVERY).await;
        let begun = clock::now();
        let answer = client.ask(&get("/v1/journal/head")).await;
        client.hang_up();
        log.tally.count("good newcomer", outcome(&answer));
        log.newcomers.note(begun);
    }
}

/// Asks for the metrics, which are to be told whole.
async fn scrape(log: Arc<Log>, mut client: Client) {
    while !log.is_over() {
        sleep(SCRAPE_EVERY).await;
        let answer = client.ask(&get("/metrics")).await;
        let is_whole = |answer: &Answer| String::from_utf8_lossy(&answer.body).contains(TOLD_LAST);
        let whole = if answer.as_ref().is_ok_and(is_whole) {
            "whole"
        } else {
            "not whole"
        };
        let outcome = outcome(&answer);
        log.tally
            .count("good scraper", format!("{outcome}, {whole}"));
    }
}

/// Follows the feed until the log is over and everything has come.
async fn follow(log: Arc<Log>, (server, own): (SocketAddr, Ipv4Addr), since: u64) -> Fed {
    const GRACE: Duration = Duration::from_mins(1);
    let mut fed = Fed {
        since,
        last: since,
        ..Fed::default()
    };
    let over = async {
        while !log.is_over() {
            sleep(PAUSE).await;
        }
        sleep(GRACE).await;
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return fed,
            gone = go_on(&log, &mut fed, (server, own)) => match gone {
                Ok(()) => return fed,
                Err(error) => {
                    fed.breaks += 1;
                    log.tally.count("good feed", error.kind().to_string());
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

/// One connection of the feed, of HTTP/1.0, whose bodies come as they are.
async fn go_on(log: &Log, fed: &mut Fed, (server, own): (SocketAddr, Ipv4Addr)) -> io::Result<()> {
    let mut stream = connect(server, own).await?;
    let since = fed.last;
    let request = format!("GET /v1/changes?since={since} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(line) = serde_json::from_str::<Value>(&line) else {
            if let Some(status) = super::client::status(&line).filter(|status| *status != 200) {
                return Err(io::Error::other(status.to_string()));
            }
            continue;
        };
        if line.get("id").is_some() {
            let sequence = line.get("sequence").and_then(Value::as_u64);
            let sequence = sequence.unwrap_or_default();
            fed.out_of_order += u64::from(sequence <= fed.last);
            fed.last = sequence;
            fed.records += 1;
        }
        let last = log.last().map_or(0, |(_, sequence)| sequence);
        if log.is_over() && fed.last >= last {
            return Ok(());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
