//! The end of a server: what is in flight is answered, and what was answered is stored.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stemedb::{Create, Database};
use stemedb_server::wire::Code;
use stemedb_server::{Settings, Shutdown, serve, service};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use crate::support::{Home, ask, claim, post};

/// A server on a port of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stream: TcpStream,
    pub(crate) shutdown: Shutdown,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
    pub(crate) database: Arc<Database>,
    pub(crate) directory: TempDir,
}

pub(crate) async fn start(settings: &Settings) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let builder = Database::builder().create(Create::IfMissing);
    let database = Arc::new(builder.open(directory.path().join("data")).unwrap());
    let service = service(Arc::clone(&database), settings).unwrap();
    let shutdown = service.shutdown();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = shutdown.clone();
    let served = tokio::spawn(serve(listener, service, async move { stop.begun().await }));
    Running {
        address,
        stream: TcpStream::connect(address).await.unwrap(),
        shutdown,
        served,
        database,
        directory,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_body_is_on_its_way_is_answered() {
    let mut running = start(&Settings::default()).await;
    let body = claim("s", "p", 1).to_string();
    let head = format!(
        "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    running.stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so that the request has come in.
    let mut asked = [0; 25];
    running.stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    running.shutdown.begin();
    // Nobody else comes in any more, and the request that did is waited for.
    while TcpStream::connect(running.address).await.is_ok() {
        yield_now().await;
    }
    let moment = Duration::from_millis(50);
    assert!(timeout(moment, &mut running.served).await.is_err());
    running.stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    running.stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    running.served.await.unwrap().unwrap();
    assert_eq!(running.database.stats().unwrap().durable_sequence, 1);
    Arc::into_inner(running.database).unwrap().close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_does_not_hold_the_server_up() {
    let mut settings = Settings::default();
    settings.shutdown_seconds_max = 0;
    let mut running = start(&settings).await;
    let head = "POST /v1/votes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    running.stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    running.stream.read_exact(&mut asked).await.unwrap();
    running.shutdown.begin();
    running.served.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_acknowledged_and_there_or_refused_and_not() {
    let home = Home::new();
    let mut writers = Vec::new();
    for writer in 0..200_u64 {
        let router = home.service.router();
        let records = json!([claim("s", "p", 2 * writer), claim("s", "p", 2 * writer + 1)]);
        writers.push(tokio::spawn(ask(router, post("/v1/assertions", records))));
    }
    // Some are answered by now, and others are not.
    let first = writers.remove(0).await.unwrap();
    first.ok(201);
    let (path, closing) = (home.path(), tokio::spawn(home.service.close()));
    let (mut acknowledged, mut refused) = (2, 0);
    for writer in writers {
        let answer = writer.await.unwrap();
        if answer.status == 201 {
            acknowledged += 2;
        } else {
            answer.problem(Code::ShuttingDown);
            refused += 2;
        }
    }
    assert_eq!(acknowledged + refused, 400);
    closing.await.unwrap();
    Arc::into_inner(home.database).unwrap().close().unwrap();
    let database = Database::open(path).unwrap();
    assert_eq!(database.stats().unwrap().counts.assertions, acknowledged);
}
