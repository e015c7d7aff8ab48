//! Cuts a stream of bytes into chunks of whole lines, in bounded memory.

use std::io::{self, Read};

use stemedb::limits::LINE_BYTES_MAX;

/// Bytes that are asked for at once.
const READ_BYTES: usize = 512 * 1024;

/// The mark that some editors put before UTF-8; it is no part of the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Whole lines of a file, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The number of the first line, from 1.
    pub(crate) first_line: u64,
    /// What stands there.
    pub(crate) content: Content,
}

/// What a [`Chunk`] holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Lines, each but perhaps the last of a file with its line feed.
    Lines(Vec<u8>),
    /// One line of more than [`LINE_BYTES_MAX`] bytes, which was not kept.
    TooLong,
}

/// Where a [`Splitter`] stands.
#[derive(Debug)]
enum State {
    /// Nothing was read yet that tells whether there is a [`BOM`].
    Beginning,
    /// Lines are gathered.
    Gathering,
    /// The line at hand is too long; what comes of it is dropped.
    Skipping,
}

/// How the stream goes on.
#[derive(Debug)]
enum Stream {
    Open,
    Ended,
    Failed(io::Error),
}

/// Cuts what `reader` gives into chunks.
///
/// It holds at most [`LINE_BYTES_MAX`] + [`READ_BYTES`] bytes. What one read gives is passed on as soon
/// as it completes a line, so that records from a pipe do not wait for more to come.
#[derive(Debug)]
pub(crate) struct Splitter<R> {
    reader: R,
    state: State,
    stream: Stream,
    /// Bytes of lines that were not passed on yet.
    pending: Vec<u8>,
    /// How much of `pending` is known to be without a line feed.
    scanned: usize,
    /// The number of the line with which `pending` begins.
    line: u64,
}

impl<R: Read> Splitter<R> {
    /// Cuts what `reader` gives.
    pub(crate) const fn new(reader: R) -> Self {
        Self {
            reader,
            state: State::Beginning,
            stream: Stream::Open,
            pending: Vec::new(),
            scanned: 0,
            line: 1,
        }
    }

    /// The number of the line that comes next.
    pub(crate) const fn next_line(&self) -> u64 {
        self.line
    }

    /// The bytes that are held.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.pending.capacity()
    }

    /// The next lines, or none at the end.
    ///
    /// # Errors
    ///
    /// Gives the error of the reader after all lines that were complete before it.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            self.fill();
            if let Some(chunk) = self.cut() {
                return Ok(Some(chunk));
            }
            match std::mem::replace(&mut self.stream, Stream::Ended) {
                Stream::Open => self.stream = Stream::Open,
                Stream::Ended => return Ok(None),
                Stream::Failed(error) => return Err(error),
            }
        }
    }

    /// Reads once.
    pub(super) fn fill(&mut self) {
        if !matches!(self.stream, Stream::Open) {
            return;
        }
        let length = self.pending.len();
        self.pending.resize(length + READ_BYTES, 0);
        let room = self.pending.get_mut(length..).unwrap_or_default();
        let read = loop {
            match self.reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let read = read.unwrap_or_else(|error| {
            self.stream = Stream::Failed(error);
            0
        });
        self.pending.truncate(length + read);
        if read == 0 && matches!(self.stream, Stream::Open) {
            self.stream = Stream::Ended;
        }
    }

    /// Takes whole lines out of what is pending.
    pub(super) fn cut(&mut self) -> Option<Chunk> {
        match self.state {
            State::Beginning => self.begin(),
            State::Gathering => self.gather(),
            State::Skipping => self.skip(),
        }
    }

    fn begin(&mut self) -> Option<Chunk> {
        if self.pending.len() < BOM.len() && matches!(self.stream, Stream::Open) {
            return None;
        }
        if self.pending.starts_with(BOM) {
            self.pending.drain(..BOM.len());
        }
        self.state = State::Gathering;
        self.gather()
    }

    fn gather(&mut self) -> Option<Chunk> {
        let unseen = self.pending.get(self.scanned..).unwrap_or_default();
        if let Some(at) = unseen.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.pending.split_off(self.scanned + at + 1);
            self.scanned = rest.len();
            let lines = std::mem::replace(&mut self.pending, rest);
            return Some(self.chunk(Content::Lines(lines)));
        }
        self.scanned = self.pending.len();
        if self.pending.len() > LINE_BYTES_MAX {
            self.state = State::Skipping;
            return self.skip();
        }
        if matches!(self.stream, Stream::Ended) && !self.pending.is_empty() {
            self.scanned = 0;
            let line = std::mem::take(&mut self.pending);
            return Some(self.chunk(Content::Lines(line)));
        }
        None
    }

    fn skip(&mut self) -> Option<Chunk> {
        let feed = self.pending.iter().position(|byte| *byte == b'\n');
        match feed {
            Some(at) => drop(self.pending.drain(..=at)),
            None => self.pending.clear(),
        }
        self.scanned = 0;
        if feed.is_none() && !matches!(self.stream, Stream::Ended) {
            return None;
        }
        self.state = State::Gathering;
        Some(self.chunk(Content::TooLong))
    }

    fn chunk(&mut self, content: Content) -> Chunk {
        let first_line = self.line;
        self.line += match &content {
            Content::Lines(text) => count_feeds(text),
            Content::TooLong => 1,
        };
        Chunk {
            first_line,
            content,
        }
    }
}

fn count_feeds(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// The lines of a chunk's text with their numbers, without line feeds; blank ones are left out.
pub(crate) fn lines(first_line: u64, text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    (first_line..)
        .zip(text.split(|byte| *byte == b'\n'))
        .filter(|(_, line)| !line.trim_ascii().is_empty())
}
