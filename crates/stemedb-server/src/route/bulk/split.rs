//! Cuts bytes into chunks of whole lines, in bounded memory.

use std::io;

use memchr::{memchr, memchr_iter, memrchr};
use stemedb::limits::LINE_BYTES_MAX;

use crate::limits::{CHUNK_BYTES, CHUNK_LINES_MAX};

#[cfg(test)]
mod tests;

/// The mark that some editors put before UTF-8; it is no part of the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Whole lines, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The number of the first line, from 1.
    pub(super) first_line: u64,
    /// What stands there.
    pub(super) content: Content,
}

/// What a [`Chunk`] holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Lines, each but perhaps the last of an upload with its line feed.
    Lines(Vec<u8>),
    /// One line of more than [`LINE_BYTES_MAX`] bytes, which was not kept.
    TooLong,
}

impl Chunk {
    /// Bytes that it takes.
    pub(super) fn length(&self) -> usize {
        match &self.content {
            Content::Lines(text) => text.len(),
            Content::TooLong => 0,
        }
    }

    /// The lines with their numbers, without line feeds; blank ones are left out.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let text: &[u8] = match &self.content {
            Content::Lines(text) => text,
            Content::TooLong => &[],
        };
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
}

/// Where a [`Splitter`] stands.
#[derive(Debug, Default)]
enum State {
    /// Nothing was read yet that tells whether there is a [`BOM`].
    #[default]
    Beginning,
    /// Lines are gathered.
    Gathering,
    /// The line at hand is too long; what comes of it is dropped.
    Skipping,
}

/// Cuts what it is filled with. It holds at most [`LINE_BYTES_MAX`] + 2 * [`CHUNK_BYTES`] bytes.
#[derive(Debug, Default)]
pub(super) struct Splitter {
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
    /// Lets `read` add to what is there.
    pub(super) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let wanted = self.scanned + CHUNK_BYTES;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let room = self.buffer.get_mut(self.filled..wanted);
        let room = room.unwrap_or_default();
        let read = read(room)?;
        self.filled += read;
        Ok(read)
    }

    /// Whether there is enough for a chunk, so that it is to be cut before more is read.
    pub(super) fn is_full(&self) -> bool {
        self.filled >= self.scanned + CHUNK_BYTES
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
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

    /// What was read and not passed on yet.
    fn pending(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Takes the first `length` bytes of what is pending, or as many lines of them as a chunk may have.
    fn take_lines(&mut self, length: usize) -> Chunk {
        let whole = self.pending().get(..length).unwrap_or_default();
        let (mut feeds, mut taken) = (0, length);
        for at in memchr_iter(b'\n', whole).take(CHUNK_LINES_MAX) {
            feeds += 1;
            if feeds == CHUNK_LINES_MAX {
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
        let first_line = self.passed_lines + 1;
        self.passed_lines += lines;
        Chunk {
            first_line,
            content,
        }
    }
}
