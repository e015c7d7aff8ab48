//! Streams through a listener: both ways at once, and what becomes of them when a connection ends.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stemedb::{Database, Sequence};
use stemedb_server::Settings;
use stemedb_server::token::{NewToken, Scope, TokenFile};
use stemedb_server::wire::{BulkEnd, BulkLine, BulkResult, ChangeLine, Code, Fate};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::shutdown::{Running, start};
use crate::support::claim;

/// No test waits longer than this for one thing.
const LIMIT: Duration = Duration::from_mins(1);

const UPLOAD: &str =
    "POST /v1/records HTTP/1.1\ncontent-type: application/x-ndjson\ntransfer-encoding: chunked";
const FEED: &str = "GET /v1/changes HTTP/1.1";

/// One connection, with a request that goes on.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(running: &Running, head: &str) -> Self {
        Self::from([127, 0, 0, 1], running, head).await
    }

    /// One from this address.
    async fn from(address: [u8; 4], running: &Running, head: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        let stream = socket.connect(running.address).await.unwrap();
        let mut connection = Self(BufReader::new(stream));
        let head = head.replace('\n', "\r\n");
        connection
            .write(format!("{head}\r\nhost: localhost\r\n\r\n").as_bytes())
            .await;
        connection
    }

    async fn upload(running: &Running) -> Self {
        Self::open(running, UPLOAD).await
    }

    async fn write(&mut self, bytes: &[u8]) {
        let written = timeout(LIMIT, self.0.get_mut().write_all(bytes)).await;
        written.unwrap().unwrap();
    }

    async fn chunk(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.write(chunk.as_bytes()).await;
    }

    async fn text_line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(LIMIT, self.0.read_line(&mut line)).await;
        read.unwrap().unwrap();
        line
    }

    /// Reads the head of the answer.
    async fn head(&mut self, status: u16) {
        let first = self.text_line().await;
        assert!(first.starts_with(&format!("HTTP/1.1 {status} ")), "{first}");
        while self.text_line().await != "\r\n" {}
    }

    /// The next line of the body, whose chunks each hold whole lines.
    async fn json(&mut self) -> Value {
        loop {
            let line = self.text_line().await;
            assert_ne!(line, "");
            if line.starts_with('{') {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }

    /// The body of a refusal.
    async fn problem(&mut self) -> String {
        let body = timeout(LIMIT, self.0.fill_buf()).await;
        String::from_utf8(body.unwrap().unwrap().to_vec()).unwrap()
    }

    /// What comes until the server closes the connection.
    async fn rest(mut self) -> String {
        let mut rest = String::new();
        let read = timeout(LIMIT, self.0.read_to_string(&mut rest)).await;
        read.unwrap().unwrap();
        rest
    }
}

fn line(number: u64) -> String {
    let mut claim = claim("s", "p", number);
    claim["type"] = "assertion".into();
    format!("{claim}\n")
}

async fn stop(running: Running) -> (Arc<Database>, TempDir) {
    running.shutdown.begin();
    // This connection was never used.
    drop(running.stream);
    timeout(LIMIT, running.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    (running.database, running.directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_answered_before_the_next_one_is_sent() {
    let running = start(&Settings::default()).await;
    let mut upload = Connection::upload(&running).await;
    upload.head(200).await;
    for number in 1..=20 {
        upload.chunk(&line(number)).await;
        let result: BulkResult = serde_json::from_value(upload.json().await).unwrap();
        assert_eq!(result.line, number);
        assert!(matches!(result.fate, Fate::Stored { sequence, .. } if sequence == number));
    }
    upload.write(b"0\r\n\r\n").await;
    let end: BulkEnd = serde_json::from_value(upload.json().await).unwrap();
    assert!(end.end && end.stored == 20 && end.durable_sequence == 20);
    drop(upload);
    drop(stop(running).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_asked_is_asked() {
    let running = start(&Settings::default()).await;
    let mut upload = Connection::open(&running, "POST /v1/records HTTP/1.1\ncontent-type: application/jsonl\nexpect: 100-continue\nconnection: close\ncontent-length: 4").await;
    upload.head(100).await;
    upload.write(b"\n{}\n").await;
    upload.head(200).await;
    let rest = upload.rest().await;
    assert!(rest.contains(r#"{"line":2,"status":"rejected","#), "{rest}");
    drop(stop(running).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_was_told_before_it_vanished_is_there() {
    let running = start(&Settings::default()).await;
    let mut upload = Connection::upload(&running).await;
    upload.head(200).await;
    for number in 1..=5 {
        upload.chunk(&line(number)).await;
    }
    let mut told = Vec::new();
    for _ in 0..5 {
        let result: BulkLine = serde_json::from_value(upload.json().await).unwrap();
        let BulkLine::Result(BulkResult {
            fate: Fate::Stored { id, .. },
            ..
        }) = result
        else {
            panic!("{result:?}")
        };
        told.push(id);
    }
    // Half a line, and nothing more.
    upload.chunk(line(6).trim_end()).await;
    drop(upload);
    let (database, _directory) = stop(running).await;
    // What was told is durable, and can be read a moment later.
    let last = Sequence::new(5).unwrap();
    database.wait_applied(last).wait().unwrap();
    let view = database.view().unwrap();
    for id in told {
        assert!(view.get(id).unwrap().is_some());
    }
    assert_eq!(database.stats().unwrap().durable_sequence, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_is_told_to_a_client_that_goes_on_sending() {
    let running = start(&Settings::default()).await;
    let mut upload = Connection::upload(&running).await;
    upload.head(200).await;
    upload.chunk(&line(1)).await;
    upload.json().await;
    running.shutdown.begin();
    // The server may have closed the connection behind its last line.
    let more = format!("{:x}\r\n{}\r\n", line(2).len(), line(2));
    drop(upload.0.get_mut().write_all(more.as_bytes()).await);
    let end: BulkEnd = serde_json::from_value(upload.json().await).unwrap();
    assert!(!end.end && end.lines == 1 && end.problem.is_some());
    drop(upload);
    let (database, _directory) = stop(running).await;
    assert_eq!(database.stats().unwrap().durable_sequence, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_gives_its_place_to_another_one() {
    let mut settings = Settings::default();
    settings.uploads_max = 1;
    settings.stall_seconds_max = 1;
    settings.shutdown_seconds_max = 0;
    let running = start(&settings).await;
    let mut upload = Connection::upload(&running).await;
    let sending = async {
        for number in 0.. {
            let lines: Vec<_> = (0..500).map(|it| line(1000 * number + it)).collect();
            let text = lines.concat();
            let chunk = format!("{:x}\r\n{text}\r\n", text.len());
            if upload
                .0
                .get_mut()
                .write_all(chunk.as_bytes())
                .await
                .is_err()
            {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let other = async {
        loop {
            let mut other = Connection::upload(&running).await;
            other.write(b"0\r\n\r\n").await;
            if other.text_line().await.contains(" 200 ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = sending => {}
        done = timeout(LIMIT, other) => done.unwrap(),
    }
    drop(upload);
    drop(stop(running).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_half_of_the_uploads_and_of_the_feeds() {
    let mut settings = Settings::default();
    settings.uploads_max = 3;
    settings.feeds_max = 3;
    settings.shutdown_seconds_max = 0;
    let running = start(&settings).await;
    for kind in [UPLOAD, FEED] {
        let mut greedy = Vec::new();
        for _ in 0..2 {
            let mut one = Connection::open(&running, kind).await;
            one.head(200).await;
            greedy.push(one);
        }
        let mut refused = Connection::open(&running, kind).await;
        refused.head(503).await;
        let problem = refused.problem().await;
        assert!(
            problem.contains("2 of this client go on already"),
            "{problem}"
        );
        let mut other = Connection::from([127, 0, 0, 2], &running, kind).await;
        other.head(200).await;
        let mut another = Connection::from([127, 0, 0, 3], &running, kind).await;
        another.head(503).await;
        let problem = another.problem().await;
        assert!(problem.contains("3 go on already"), "{problem}");
    }
    drop(stop(running).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_gives_what_comes_until_the_server_ends() {
    let running = start(&Settings::default()).await;
    let mut feed = Connection::open(&running, "GET /v1/changes HTTP/1.1").await;
    feed.head(200).await;
    let mut upload = Connection::upload(&running).await;
    for number in 1..=3 {
        upload.chunk(&line(number)).await;
        let ChangeLine::Record(stored) = serde_json::from_value(feed.json().await).unwrap() else {
            panic!("no record")
        };
        assert_eq!(stored.sequence.get(), number);
    }
    running.shutdown.begin();
    let ChangeLine::End(end) = serde_json::from_value(feed.json().await).unwrap() else {
        panic!("no end")
    };
    assert_eq!(end.next_since, 3);
    // The end of the body, and of the connection.
    assert_eq!(feed.rest().await.trim(), "0");
    drop(upload);
    drop(stop(running).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_ends_when_its_token_is_revoked() {
    let running = start(&Settings::default()).await;
    let file = TokenFile::of(running.database.directory());
    let new = NewToken {
        name: "test".to_owned(),
        scopes: vec![Scope::Write],
        days: None,
    };
    let (token, secret) = file.create(new).unwrap();
    let head = format!(
        "POST /v1/records HTTP/1.1\nauthorization: Bearer {}\ncontent-type: application/x-ndjson\ntransfer-encoding: chunked",
        secret.reveal()
    );
    // The server may not have seen the token yet; then it needs none.
    let mut upload = Connection::open(&running, &head).await;
    upload.head(200).await;
    upload.chunk(&line(1)).await;
    let first: BulkResult = serde_json::from_value(upload.json().await).unwrap();
    assert_eq!(first.line, 1);
    file.revoke(&token.id).unwrap();
    let end: BulkEnd = serde_json::from_value(upload.json().await).unwrap();
    assert!(!end.end && end.stored == 1, "{end:?}");
    let problem = end.problem.unwrap();
    assert_eq!(problem.code, Code::Unauthenticated);
    assert!(
        problem.detail.contains("were not stored"),
        "{}",
        problem.detail
    );
    drop(upload);
    drop(stop(running).await);
}
