//! Cuts a stream of bytes into chunks of whole lines, in bounded memory.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};
use stemedb::limits::LINE_BYTES_MAX;

/// Bytes that are asked for at once.
pub(super) const READ_BYTES: usize = 512 * 1024;

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

/// When lines are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as one read has completed a line, so that records from a pipe do not wait for more to come.
    AsTheyCome,
    /// Many at once, since reading on does not wait for anybody: from a file.
    ManyAtOnce,
}

/// Cuts what `reader` gives into chunks.
///
/// It holds at most [`LINE_BYTES_MAX`] + [`READ_BYTES`] bytes.
#[derive(Debug)]
pub(crate) struct Splitter<R> {
    reader: R,
    pace: Pace,
    state: State,
    stream: Stream,
    /// What was read stands at its beginning, the rest is room.
    buffer: Vec<u8>,
    /// How much of `buffer` was read and not passed on yet.
    filled: usize,
    /// How much of that is known to be without a line feed.
    scanned: usize,
    /// The number of the line with which `buffer` begins.
    line: u64,
}

impl<R: Read> Splitter<R> {
    /// Cuts what `reader` gives.
    pub(crate) const fn new(reader: R, pace: Pace) -> Self {
        Self {
            reader,
            pace,
            state: State::Beginning,
            stream: Stream::Open,
            buffer: Vec::new(),
            filled: 0,
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
        self.buffer.capacity()
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

    /// Reads once, or until there is no room.
    pub(super) fn fill(&mut self) {
        if !matches!(self.stream, Stream::Open) {
            return;
        }
        let wanted = self.filled + READ_BYTES;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        loop {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => self.stream = Stream::Ended,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.stream = Stream::Failed(error),
            }
            let goes_on = matches!(self.stream, Stream::Open) && self.pace == Pace::ManyAtOnce;
            if !goes_on || self.filled == self.buffer.len() {
                return;
            }
        }
    }

    /// Takes whole lines out of what was read.
    pub(super) fn cut(&mut self) -> Option<Chunk> {
        match self.state {
            State::Beginning => self.begin(),
            State::Gathering => self.gather(),
            State::Skipping => self.skip(),
        }
    }

    fn begin(&mut self) -> Option<Chunk> {
        if self.filled < BOM.len() && matches!(self.stream, Stream::Open) {
            return None;
        }
        if self.pending().starts_with(BOM) {
            self.pass(BOM.len());
        }
        self.state = State::Gathering;
        self.gather()
    }

    fn gather(&mut self) -> Option<Chunk> {
        let unseen = self.pending().get(self.scanned..).unwrap_or_default();
        if let Some(at) = memrchr(b'\n', unseen) {
            let chunk = self.take_lines(self.scanned + at + 1);
            self.scanned = self.filled;
            return Some(chunk);
        }
        self.scanned = self.filled;
        if self.filled > LINE_BYTES_MAX {
            self.state = State::Skipping;
            return self.skip();
        }
        if matches!(self.stream, Stream::Ended) && self.filled > 0 {
            self.scanned = 0;
            return Some(self.take_lines(self.filled));
        }
        None
    }

    fn skip(&mut self) -> Option<Chunk> {
        let feed = memchr(b'\n', self.pending());
        self.pass(feed.map_or(self.filled, |at| at + 1));
        self.scanned = 0;
        if feed.is_none() && !matches!(self.stream, Stream::Ended) {
            return None;
        }
        self.state = State::Gathering;
        Some(self.chunk(Content::TooLong))
    }

    /// What was read and not passed on yet.
    fn pending(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Takes the first `length` bytes of what is pending.
    fn take_lines(&mut self, length: usize) -> Chunk {
        let lines = self.pending().get(..length).unwrap_or_default().to_vec();
        self.pass(length);
        self.chunk(Content::Lines(lines))
    }

    /// Lets go of the first `length` bytes of what is pending.
    fn pass(&mut self, length: usize) {
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
    }

    fn chunk(&mut self, content: Content) -> Chunk {
        let first_line = self.line;
        self.line += match &content {
            Content::Lines(text) => memchr_iter(b'\n', text).fold(0, |feeds, _| feeds + 1),
            Content::TooLong => 1,
        };
        Chunk {
            first_line,
            content,
        }
    }
}

/// The lines of a chunk's text with their numbers, without line feeds; blank ones are left out.
pub(crate) fn lines(first_line: u64, text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut begin = 0;
    let ends = memchr_iter(b'\n', text).chain([text.len()]);
    let lines = ends.map(move |end| {
        let line = text.get(begin..end).unwrap_or_default();
        begin = end + 1;
        line
    });
    (first_line..)
        .zip(lines)
        .filter(|(_, line)| !line.trim_ascii().is_empty())
}
