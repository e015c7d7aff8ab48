//! Cuts what a reader gives into chunks of whole lines.

use std::io::{self, Read};

use stemedb::ndjson::{Chunk, ChunkLimit, Splitter};

/// Bytes of a chunk.
pub(super) const CHUNK_BYTES: usize = 512 * 1024;

/// When lines are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as one read has completed a line, so that records from a pipe do not wait for more to come.
    AsTheyCome,
    /// Many at once, since reading on does not wait for anybody: from a file.
    ManyAtOnce,
}

/// The lines that a reader gives.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    pace: Pace,
    splitter: Splitter,
    failure: Option<io::Error>,
}

impl<R: Read> Lines<R> {
    /// Cuts what `reader` gives.
    pub(crate) const fn new(reader: R, pace: Pace) -> Self {
        let limit = ChunkLimit {
            bytes: CHUNK_BYTES,
            lines: usize::MAX,
        };
        Self {
            reader,
            pace,
            splitter: Splitter::new(limit),
            failure: None,
        }
    }

    /// The number of the line that comes next.
    pub(crate) const fn next_line(&self) -> u64 {
        self.splitter.next_line()
    }

    /// The bytes that are held.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.splitter.held_bytes()
    }

    /// The next lines, or none at the end.
    ///
    /// # Errors
    ///
    /// Gives the error of the reader after all lines that were complete before it.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.splitter.cut() {
                return Ok(Some(chunk));
            }
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            if self.splitter.has_ended() {
                return Ok(None);
            }
            self.fill();
        }
    }

    /// Reads once, or until there is enough for a chunk.
    fn fill(&mut self) {
        loop {
            match self.splitter.fill(|room| self.reader.read(room)) {
                Ok(0) => self.splitter.end(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.failure = Some(error),
            }
            let goes_on = self.failure.is_none() && !self.splitter.has_ended();
            if !goes_on || self.pace == Pace::AsTheyCome || self.splitter.is_full() {
                return;
            }
        }
    }
}
