//! Connections of clients that keep them as long as they can.

use std::{
    io::{self, BufRead as _, BufReader, Error, ErrorKind, Read, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// After this long, a server that says nothing hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(100);

/// A connection that is made when it is needed, and made anew when it broke.
pub(super) struct Wire {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Wire {
    pub(super) fn to(address: SocketAddr) -> Self {
        let stream = None;
        Self { address, stream }
    }

    /// Posts JSON; gives the status and the body of the answer. After an error nobody knows what became of it.
    pub(super) fn post(&mut self, path: &str, body: &str) -> io::Result<(u16, String)> {
        let answered = self.try_post(path, body);
        if answered.is_err() {
            self.stream = None;
        }
        answered
    }

    fn try_post(&mut self, path: &str, body: &str) -> io::Result<(u16, String)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(self.address)?),
        };
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let (status, length) = read_head(stream)?;
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        Ok((status, String::from_utf8(answer).map_err(Error::other)?))
    }
}

pub(super) fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Reads the head of an answer: its status, and the length of its body where it is said.
pub(super) fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<(u16, usize)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| *name == "content-length");
    let length = length.and_then(|(_, length)| length.parse().ok());
    let status = status.ok_or(ErrorKind::InvalidData)?;
    Ok((status, length.unwrap_or(0)))
}

/// A body that comes in chunks. One that ends before its last chunk is an error.
pub(super) struct Chunks {
    stream: BufReader<TcpStream>,
    /// Bytes of this chunk that are to come.
    left: usize,
}

impl Chunks {
    /// What follows behind a head.
    pub(super) fn of(stream: BufReader<TcpStream>) -> Self {
        let left = 0;
        Self { stream, left }
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut size = String::new();
        self.stream.read_line(&mut size)?;
        let size = size.strip_suffix("\r\n").ok_or(ErrorKind::UnexpectedEof)?;
        self.left = usize::from_str_radix(size, 16).map_err(Error::other)?;
        Ok(())
    }
}

impl Read for Chunks {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.begin()?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = self.left.min(room.len());
        let count = self.stream.read(&mut room[..most])?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= count;
        if self.left == 0 {
            self.stream.read_exact(&mut [0; 2])?;
        }
        Ok(count)
    }
}
