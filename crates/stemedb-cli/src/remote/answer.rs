//! What a server answers, read with bounds.

use std::{future::poll_fn, pin::Pin, time::Duration};

use hyper::{
    body::{Body as _, Bytes, Incoming},
    header,
};
use memchr::memchr;
use serde::de::DeserializeOwned;
use stemedb_server::wire::Problem;
use tokio::{runtime::Runtime, time::timeout};

use super::Trouble;
use crate::failure::chain;

/// Bytes of an answer that is read as a whole: a page is 4 MiB and an item long, and an item some 6 MiB, if all of it is escaped.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Bytes of one line of an answer.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Bytes of a problem.
const PROBLEM_BYTES_MAX: usize = 4 << 20;

/// Seconds for which a server may say nothing, before and within an answer.
pub(super) const SILENCE_SECONDS_MAX: u64 = 60;

/// An answer whose body was not read yet.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    runtime: &'a Runtime,
    body: Incoming,
}

impl<'a> Answer<'a> {
    /// The answer, if it says that the request was done.
    pub(super) fn of(
        runtime: &'a Runtime,
        response: hyper::Response<Incoming>,
    ) -> Result<Self, Trouble> {
        let (head, body) = response.into_parts();
        let mut answer = Self { runtime, body };
        if head.status.is_success() {
            return Ok(answer);
        }
        let status = head.status.as_u16();
        let retry_after = head.headers.get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = answer.bytes_up_to(PROBLEM_BYTES_MAX)?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) if problem.status == status => Err(Trouble::Refused {
                problem: Box::new(problem),
                retry_after,
            }),
            _ if matches!(status, 429 | 502..=504) => Err(Trouble::Busy {
                status,
                retry_after,
            }),
            _ => Err(Trouble::Strange(format!(
                "it answers with the status {status}, and does not say why"
            ))),
        }
    }

    /// The whole of it as JSON.
    pub(crate) fn json<T: DeserializeOwned>(mut self) -> Result<T, Trouble> {
        let bytes = self.bytes_up_to(ANSWER_BYTES_MAX)?;
        serde_json::from_slice(&bytes).map_err(|error| not_understood(&error))
    }

    fn bytes_up_to(&mut self, max: usize) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece()? {
            if bytes.len() + piece.len() > max {
                let text = format!("its answer is longer than {max} bytes");
                return Err(Trouble::Strange(text));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// The next bytes; none at the end.
    pub(crate) fn piece(&mut self) -> Result<Option<Bytes>, Trouble> {
        let body = &mut self.body;
        let next = async {
            loop {
                let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
                match frame.transpose()?.map(hyper::body::Frame::into_data) {
                    Some(Ok(bytes)) => return Ok::<_, hyper::Error>(Some(bytes)),
                    // Trailers say nothing that is asked for.
                    Some(Err(_)) => {}
                    None => return Ok(None),
                }
            }
        };
        let limit = Duration::from_secs(SILENCE_SECONDS_MAX);
        let next = self.runtime.block_on(async { timeout(limit, next).await });
        match next {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(silent()),
        }
    }

    /// The same line by line.
    pub(crate) fn lines(self) -> Lines<'a> {
        Lines {
            answer: self,
            buffer: Vec::new(),
            begin: 0,
            scanned: 0,
            has_ended: false,
        }
    }
}

/// An answer of lines.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    answer: Answer<'a>,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    begin: usize,
    /// How far it is known to have no line feed.
    scanned: usize,
    has_ended: bool,
}

impl Lines<'_> {
    /// The next line as JSON; none at the end. A line that breaks off is no line.
    pub(crate) fn next_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Trouble> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(line);
        value.map(Some).map_err(|error| not_understood(&error))
    }

    fn next_line(&mut self) -> Result<Option<&[u8]>, Trouble> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(at) = memchr(b'\n', unseen) {
                let end = self.scanned + at;
                let begin = std::mem::replace(&mut self.begin, end + 1);
                self.scanned = self.begin;
                return Ok(self.buffer.get(begin..end));
            }
            self.buffer.drain(..self.begin);
            self.begin = 0;
            self.scanned = self.buffer.len();
            if self.has_ended {
                return Ok(None);
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                let text = format!("a line of its answer is longer than {LINE_BYTES_MAX} bytes");
                return Err(Trouble::Strange(text));
            }
            match self.answer.piece()? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => self.has_ended = true,
            }
        }
    }
}

/// The connection does no more.
pub(super) fn broken(error: &dyn std::error::Error) -> Trouble {
    Trouble::Lost(format!("the connection broke: {}", chain(error)))
}

/// Nothing came.
pub(super) fn silent() -> Trouble {
    Trouble::Lost(format!("it said nothing for {SILENCE_SECONDS_MAX} s"))
}

/// The answer is none that was asked for.
fn not_understood(error: &serde_json::Error) -> Trouble {
    Trouble::Strange(format!("its answer cannot be understood: {error}"))
}
