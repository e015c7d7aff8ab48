//! Connections from addresses of one's own, and requests on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::bench::serve::{content_length, split};

/// After this long, whoever waits for an answer gives up.
const PATIENCE: Duration = Duration::from_secs(45);

/// What an answer is read into at first.
const ANSWER_BYTES: usize = 4096;

/// Connects from an address, so that a server that counts by addresses can tell who it is.
pub(super) async fn connect(server: SocketAddr, own: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((own, 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request without a body.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A request with a body of JSON.
pub(super) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The status in the first line of a head.
pub(super) fn status(head: &str) -> Option<u16> {
    head.split(' ').nth(1)?.parse().ok()
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// A client that keeps its connection, and makes a new one where it broke.
#[derive(Debug)]
pub(super) struct Client {
    server: SocketAddr,
    own: Ipv4Addr,
    stream: Option<TcpStream>,
}

impl Client {
    pub(super) fn new(server: SocketAddr, own: Ipv4Addr) -> Self {
        let stream = None;
        Self {
            server,
            own,
            stream,
        }
    }

    /// Sends a request, and reads the whole answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        let answered = timeout(PATIENCE, self.try_ask(request)).await;
        let answered = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if answered.is_err() {
            self.hang_up();
        }
        answered
    }

    /// Ends the connection.
    pub(super) fn hang_up(&mut self) {
        self.stream = None;
    }

    async fn try_ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(self.server, self.own).await?),
        };
        stream.write_all(request).await?;
        let mut bytes = Vec::with_capacity(ANSWER_BYTES);
        loop {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((head, body)) = split(&bytes) {
                let length = content_length(head).ok_or(io::ErrorKind::InvalidData)?;
                if body.len() >= length {
                    let status = status(head).ok_or(io::ErrorKind::InvalidData)?;
                    let body = body.to_vec();
                    return Ok(Answer { status, body });
                }
            }
        }
    }
}
