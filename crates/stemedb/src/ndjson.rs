//! Newline-delimited JSON, a record a line: cut into chunks of whole lines in bounded memory, and made records.
//!
//! Lines end with a line feed; a carriage return before it is white space to JSON. The mark that some editors put before UTF-8 is passed
//! over, blank lines are counted and left out. The form is that of <https://github.com/ndjson/ndjson-spec>.
//!
//! ```
//! use std::io::Read;
//! use stemedb::ndjson::{ChunkLimit, Splitter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut file = &b"{\"type\":\"epoch\",\"name\":\"2026\",\"agent\":\"desk\"}\n\nno record\n"[..];
//! let mut splitter = Splitter::new(ChunkLimit { bytes: 1 << 16, lines: 1000 });
//! let mut seen = Vec::new();
//! while !splitter.has_ended() {
//!     if splitter.fill(|room| file.read(room))? == 0 {
//!         splitter.end();
//!     }
//!     while let Some(chunk) = splitter.cut() {
//!         seen.extend(chunk.prepare()); // ready for `Database::submit`
//!     }
//! }
//! let lines: Vec<_> = seen.iter().map(|(line, record)| (*line, record.is_ok())).collect();
//! assert_eq!(lines, [(1, true), (3, false)]);
//! # Ok(())
//! # }
//! ```

use std::io;

use memchr::{memchr, memchr_iter, memrchr};
use stemedb_core::Record;
use stemedb_core::limits::LINE_BYTES_MAX;

use crate::error::Cause;
use crate::{Prepared, Result};

#[cfg(test)]
mod tests;

/// The mark that some editors put before UTF-8; it is no part of the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How much is cut off at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimit {
    /// Bytes of lines, at least 1; one line may have more, up to [`LINE_BYTES_MAX`].
    pub bytes: usize,
    /// Lines, at least 1, with those that are blank.
    pub lines: usize,
}

/// Whole lines, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The number of the first line, from 1.
    pub first_line: u64,
    /// What stands there.
    pub content: Content,
}

/// What a [`Chunk`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Lines, each but perhaps the last of all with its line feed.
    Lines(Vec<u8>),
    /// One line of more than [`LINE_BYTES_MAX`] bytes, which was not kept.
    TooLong,
}

impl Chunk {
    /// Bytes that it takes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.text().len()
    }

    /// The lines with their numbers, without line feeds. Blank ones are left out, and so is one that was not kept.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let text = self.text();
        let mut begin = 0;
        let ends = memchr_iter(b'\n', text).chain([text.len()]);
        let lines = ends.map(move |end| {
            let line = text.get(begin..end).unwrap_or_default();
            begin = end + 1;
            line
        });
        (self.first_line..)
            .zip(lines)
            .filter(|(_, line)| !line.trim_ascii().is_empty())
    }

    /// The records of the lines, checked in full, with the numbers of the lines. A line that is too long has its place too, as every
    /// line does that is no record: as an error of the kind [`Invalid`](crate::ErrorKind::Invalid).
    #[must_use]
    pub fn prepare(&self) -> Vec<(u64, Result<Prepared>)> {
        self.prepare_or(|| ())
    }

    /// The same, and `refuse` is called as [`Prepared::all_or`] says: at each line that is refused, and before each signature that is
    /// verified singly.
    #[must_use]
    pub fn prepare_or(&self, mut refuse: impl FnMut()) -> Vec<(u64, Result<Prepared>)> {
        if self.content == Content::TooLong {
            refuse();
            return vec![(self.first_line, Err(Cause::LineTooLong.into()))];
        }
        let read = |line: &[u8]| {
            // The last line of a chunk is kept before it is known how long it is.
            if line.len() > LINE_BYTES_MAX {
                return Err(crate::Error::from(Cause::LineTooLong));
            }
            Ok(Record::from_json(line)?)
        };
        let numbers = self.lines().map(|(number, _)| number);
        let records = Prepared::all_or(self.lines().map(|(_, line)| read(line)), refuse);
        numbers.zip(records).collect()
    }

    fn text(&self) -> &[u8] {
        match &self.content {
            Content::Lines(text) => text,
            Content::TooLong => &[],
        }
    }
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

/// Cuts what it is filled with into chunks.
///
/// It holds at most [`LINE_BYTES_MAX`] and twice the bytes of a chunk.
#[derive(Debug)]
pub struct Splitter {
    limit: ChunkLimit,
    state: State,
    has_ended: bool,
    /// What was read stands at its beginning, the rest is room.
    buffer: Vec<u8>,
    /// How much of `buffer` was read and not passed on yet.
    filled: usize,
    /// How much of that is known to be without a line feed.
    scanned: usize,
    /// Lines before those in `buffer`.
    passed_lines: u64,
}

impl Splitter {
    /// Cuts chunks of at most so much.
    #[must_use]
    pub const fn new(limit: ChunkLimit) -> Self {
        Self {
            limit,
            state: State::Beginning,
            has_ended: false,
            buffer: Vec::new(),
            filled: 0,
            scanned: 0,
            passed_lines: 0,
        }
    }

    /// Lets `read` add to what is there, and gives what it gives: into how much of the room it read. Where it
    /// [is full](Self::is_full) there is no room.
    ///
    /// # Errors
    ///
    /// Those of `read`; nothing was added then.
    pub fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let wanted = self.wanted();
        if self.buffer.len() < wanted {
            // Not twice what there was, as a vector grows by itself.
            self.buffer.reserve_exact(wanted - self.buffer.len());
            self.buffer.resize(wanted, 0);
        }
        let room = self.buffer.get_mut(self.filled..wanted);
        let room = room.unwrap_or_default();
        let read = read(room)?.min(room.len());
        self.filled += read;
        Ok(read)
    }

    /// Whether there is enough for a chunk, so that it is to be cut before more is read.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.filled >= self.wanted()
    }

    /// Nothing more comes: what stands behind the last line feed is a line too.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    /// Whether nothing more comes.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The number of the line that comes next.
    #[must_use]
    pub const fn next_line(&self) -> u64 {
        self.passed_lines + 1
    }

    /// The bytes of memory that it takes.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes whole lines out of what was read; `None` where it takes more for that.
    pub fn cut(&mut self) -> Option<Chunk> {
        match self.state {
            State::Beginning => self.begin(),
            State::Gathering => self.gather(),
            State::Skipping => self.skip(),
        }
    }

    fn begin(&mut self) -> Option<Chunk> {
        if self.filled < BOM.len() && !self.has_ended {
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
            return Some(self.take_lines(self.scanned + at + 1));
        }
        self.scanned = self.filled;
        if self.filled > LINE_BYTES_MAX {
            self.state = State::Skipping;
            return self.skip();
        }
        (self.has_ended && self.filled > 0).then(|| self.take_lines(self.filled))
    }

    fn skip(&mut self) -> Option<Chunk> {
        let feed = memchr(b'\n', self.pending());
        self.pass(feed.map_or(self.filled, |at| at + 1));
        if feed.is_none() && !self.has_ended {
            return None;
        }
        self.state = State::Gathering;
        Some(self.chunk(Content::TooLong, 1))
    }

    /// How much is to be there before a chunk is cut: a line whose end is not seen yet does not count.
    const fn wanted(&self) -> usize {
        let bytes = self.limit.bytes;
        // Fewer would not do to tell whether there is a mark.
        self.scanned + if bytes < BOM.len() { BOM.len() } else { bytes }
    }

    /// What was read and not passed on yet.
    fn pending(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Takes the first `length` bytes of what is pending, or as many lines of them as a chunk may have.
    fn take_lines(&mut self, length: usize) -> Chunk {
        let whole = self.pending().get(..length).unwrap_or_default();
        let (mut feeds, mut taken) = (0, length);
        for at in memchr_iter(b'\n', whole).take(self.limit.lines) {
            feeds += 1;
            if feeds == self.limit.lines {
                taken = at + 1;
            }
        }
        let lines = self.pending().get(..taken).unwrap_or_default().to_vec();
        self.pass(taken);
        self.chunk(Content::Lines(lines), feeds as u64)
    }

    /// Lets go of the first `length` bytes of what is pending.
    fn pass(&mut self, length: usize) {
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
        self.scanned = 0;
    }

    fn chunk(&mut self, content: Content, lines: u64) -> Chunk {
        let first_line = self.next_line();
        self.passed_lines += lines;
        Chunk {
            first_line,
            content,
        }
    }
}
