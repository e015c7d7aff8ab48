//! What a client sends over one connection: it is answered or closed, and the server lives.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use stemedb::{Create, Database};
use stemedb_server::{Service, Settings, service};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// Bytes that a connection without a network holds each way.
const PIPE_BYTES: usize = 4096;
/// How long a client waits behind its last byte.
const PAUSE: Duration = Duration::from_millis(1);
/// A feed that says nothing for as long is left.
const SILENCE: Duration = Duration::from_millis(100);
/// A connection that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(50);

thread_local! {
    /// A server for all inputs of a thread: to make one takes longer than to ask it.
    static SERVED: RefCell<Option<Served>> = const { RefCell::new(None) };
}

struct Served {
    runtime: Runtime,
    service: Service,
    _directory: TempDir,
}

impl Served {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let builder = Database::builder().create(Create::IfMissing);
        let database = Arc::new(builder.open(directory.path().join("data")).unwrap());
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let mut settings = Settings::default();
        // A sequence that does not come is asked for now and then.
        settings.wait_seconds_max = 0;
        // A feed whose client has gone, and had sent more behind its request, is not noticed before something is written to it.
        settings.heartbeat_seconds = 1;
        let service = {
            let _entered = runtime.enter();
            service(database, &settings).unwrap()
        };
        Self {
            runtime,
            service,
            _directory: directory,
        }
    }

    /// Sends the bytes and the end of them, and gives everything that comes back.
    fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        let (client, server) = duplex(PIPE_BYTES);
        let conversation = async {
            let (answer, ()) = tokio::join!(converse(client, bytes), self.service.answer(server));
            answer
        };
        let limited = async { timeout(PATIENCE, conversation).await };
        let answer = self.runtime.block_on(limited);
        // A connection whose client has nothing more to say ends.
        answer.unwrap()
    }
}

async fn converse(client: DuplexStream, bytes: &[u8]) -> Vec<u8> {
    let (mut from_server, mut to_server) = tokio::io::split(client);
    let mut answer = Vec::new();
    let send = async {
        // The server may close before it has everything.
        let sent = to_server.write_all(bytes).await;
        // Whoever hangs up is not answered any more.
        sleep(PAUSE).await;
        drop(sent.and(to_server.shutdown().await));
    };
    let listen = async {
        loop {
            let read = timeout(SILENCE, from_server.read_buf(&mut answer)).await;
            match read.map(Result::unwrap) {
                Ok(0) => return,
                // Whoever has sent more behind its request may have the feed for as long as it reads it.
                Err(_) if contains(bytes, b"/v1/changes") && is_stream(&answer) => return,
                Ok(_) | Err(_) => {}
            }
        }
    };
    {
        let mut listen = pin!(listen);
        tokio::select! {
            () = &mut listen => {}
            () = send => listen.await,
        }
    }
    answer
}

/// Whether the last answer is one that goes on and on.
fn is_stream(answers: &[u8]) -> bool {
    let begin = answers.windows(7).rposition(|part| part == b"HTTP/1.");
    let last = begin.and_then(|begin| answers.get(begin..));
    let last = last.unwrap_or_default();
    last.get(8..13) == Some(b" 200 ") && !contains(last, b"content-length: ")
}

pub(crate) fn run(bytes: &[u8]) {
    SERVED.with_borrow_mut(|served| {
        let served = served.get_or_insert_with(Served::new);
        let answer = served.ask(bytes);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1."),
            "an answer is no HTTP"
        );
        assert!(
            !contains(&answer, b"\"code\":\"internal\""),
            "a request makes the server fail"
        );
        let alive = served.ask(ALIVE);
        assert!(
            alive.starts_with(b"HTTP/1.1 200 OK\r\n"),
            "the server is gone"
        );
    });
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Asks whether the server lives.
const ALIVE: &[u8] = b"GET /healthz/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

const HEADS: [&str; 11] = [
    "GET /healthz/ready HTTP/1.1\r\nhost: localhost\r\n\r\nGET /v1/stats HTTP/1.0\r\n\r\n",
    "GET /v1/subjects/a%2fb/assertions?limit=2&predicate=p&as_of=1 HTTP/1.1\r\nHost: 127.0.0.1:8642\r\nx-request-id: 7\r\n\r\n",
    "GET /v1/records/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff HTTP/1.1\r\nhost: [::1]\r\nif-none-match: W/\"x\", *\r\n\r\n",
    "POST /v1/votes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[{\r\n3;x=y\r\n}, \r\n0\r\nz: 1\r\n\r\n",
    "POST /v1/epochs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 24\r\n\r\n{\"name\":\"n\",\"agent\":\"a\"}",
    "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost\r\ncontent-type: application/json\r\ncontent-length: 55\r\n\r\n{\"subject\":\"s\",\"predicate\":\"p\",\"object\":1,\"agent\":\"a\"}",
    "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ncontent-length: 73\r\n\r\n{\"type\":\"assertion\",\"subject\":\"s\",\"predicate\":\"p\",\"object\":1,\"agent\":\"a\"}",
    "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/jsonl\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n4\r\n\u{1f}\u{8}\n\n\r\n0\r\n\r\n",
    "GET /v1/changes?since=0&live=false&type=vote&subject_prefix=s HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: 0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\nauthorization: Bearer stdb_0_0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    HEADS.map(|head| head.as_bytes().to_vec()).to_vec()
}
