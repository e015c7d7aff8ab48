//! What goes over a connection, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;

use stemedb::{Create, Database};
use stemedb_server::{Settings, Shutdown, serve, service};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::Home;

/// A request that is answered without the database.
pub(crate) const LIVE: &str = "GET /healthz/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A server on a port of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
    pub(crate) database: Arc<Database>,
    directory: TempDir,
}

impl Running {
    pub(crate) async fn start(settings: &Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let builder = Database::builder().create(Create::IfMissing);
        let database = Arc::new(builder.open(directory.path().join("data")).unwrap());
        let service = service(Arc::clone(&database), settings).unwrap();
        let shutdown = service.shutdown();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = shutdown.clone();
        let served = tokio::spawn(serve(listener, service, async move { stop.begun().await }));
        Self {
            address,
            shutdown,
            served,
            database,
            directory,
        }
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        Wire(TcpStream::connect(self.address).await.unwrap())
    }

    /// Ends it, and the database.
    pub(crate) async fn end(self) {
        self.shutdown.begin();
        self.served.await.unwrap().unwrap();
        Arc::into_inner(self.database).unwrap().close().unwrap();
        drop(self.directory);
    }
}

/// The client's end of a connection.
pub(crate) struct Wire<S>(pub(crate) S);

/// A connection without a network, which holds so many bytes each way.
pub(crate) fn pipe(home: &Arc<Home>, bytes: usize) -> (Wire<DuplexStream>, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(bytes);
    let home = Arc::clone(home);
    let answering = tokio::spawn(async move { home.service.answer(server).await });
    (Wire(client), answering)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The head and the body of the next answer, which has to say how long it is.
    pub(crate) async fn next(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// The status of the next answer.
    pub(crate) async fn status(&mut self) -> u16 {
        status(&self.next().await.0)
    }

    /// Everything that comes until the server closes, or breaks off.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // Where it breaks off, what came before counts.
        drop(self.0.read_to_end(&mut rest).await);
        String::from_utf8(rest).unwrap()
    }
}

pub(crate) fn status(head: &str) -> u16 {
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|head| head.get(..3));
    status.unwrap_or_else(|| panic!("{head}")).parse().unwrap()
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
