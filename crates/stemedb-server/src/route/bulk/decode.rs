//! From the bytes of a body to chunks of lines: the encoding is undone as far as there is room, whatever it would expand to.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read};

use axum::body::Bytes;
use flate2::bufread::MultiGzDecoder;
use stemedb::ndjson::{Chunk, Splitter};

use crate::courtesy::let_others_run;
use crate::limits::{CHUNK, DECODED_BYTES, ZSTD_WINDOW_LOG_MAX};

#[cfg(test)]
mod tests;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The one with this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What one step came to.
#[derive(Debug)]
pub(super) enum Step {
    /// Lines.
    Chunk(Chunk),
    /// Nothing yet, and there is more to do.
    Working,
    /// Nothing before more bytes come.
    Hungry,
    /// Everything was given.
    Ended,
}

/// Cuts a body into chunks of lines.
pub(super) struct Cutter {
    decoder: Decoder,
    splitter: Splitter,
    /// The byte that was read last.
    last: Option<u8>,
    failure: Option<io::Error>,
}

impl Cutter {
    pub(super) fn new(encoding: Encoding) -> io::Result<Self> {
        Ok(Self {
            decoder: Decoder::new(encoding)?,
            splitter: Splitter::new(CHUNK),
            last: None,
            failure: None,
        })
    }

    /// Whether a step is work that the connections should not wait for.
    pub(super) fn is_costly(&self) -> bool {
        !matches!(self.decoder, Decoder::Identity(_))
    }

    /// The number of the line that comes next.
    pub(super) const fn next_line(&self) -> u64 {
        self.splitter.next_line()
    }

    /// Whether what was read so far ends within a line.
    pub(super) fn is_within_line(&self) -> bool {
        self.last.is_some_and(|last| last != b'\n')
    }

    /// Adds bytes.
    pub(super) fn feed(&mut self, bytes: impl IntoIterator<Item = Bytes>) {
        let bytes = bytes.into_iter().filter(|bytes| !bytes.is_empty());
        self.decoder.pieces().pieces.extend(bytes);
    }

    /// No more bytes come.
    pub(super) fn end(&mut self) {
        self.decoder.pieces().has_ended = true;
    }

    /// Undoes the encoding of a chunk's worth of bytes at most, and cuts a chunk.
    ///
    /// # Errors
    ///
    /// Where the body is not encoded as it said, after all lines that were whole before.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        let mut is_hungry = false;
        while self.failure.is_none() && !self.splitter.is_full() && !self.splitter.has_ended() {
            let (decoder, last) = (&mut self.decoder, &mut self.last);
            let filled = self.splitter.fill(|room| {
                let_others_run();
                let most = room.len().min(DECODED_BYTES);
                let room = room.get_mut(..most).unwrap_or_default();
                let read = decoder.read(room)?;
                *last = room.get(..read).and_then(<[u8]>::last).copied().or(*last);
                Ok(read)
            });
            match filled {
                Ok(0) => self.splitter.end(),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        is_hungry = true;
                        break;
                    }
                    ErrorKind::Interrupted => {}
                    _ => self.failure = Some(error),
                },
            }
        }
        if let Some(chunk) = self.splitter.cut() {
            return Ok(Step::Chunk(chunk));
        }
        match self.failure.take() {
            Some(error) => Err(error),
            None if self.splitter.has_ended() => Ok(Step::Ended),
            None if is_hungry => Ok(Step::Hungry),
            None => Ok(Step::Working),
        }
    }
}

/// Undoes an encoding.
enum Decoder {
    Identity(Pieces),
    Gzip(Box<MultiGzDecoder<Pieces>>),
    Zstd(zstd::Decoder<'static, Pieces>),
}

impl Decoder {
    fn new(encoding: Encoding) -> io::Result<Self> {
        let pieces = Pieces::default();
        Ok(match encoding {
            Encoding::Identity => Self::Identity(pieces),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(pieces))),
            Encoding::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(pieces)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Self::Zstd(decoder)
            }
        })
    }

    fn pieces(&mut self) -> &mut Pieces {
        match self {
            Self::Identity(pieces) => pieces,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Identity(pieces) => pieces.read(room),
            Self::Gzip(decoder) => decoder.read(room),
            Self::Zstd(decoder) => decoder.read(room),
        }
    }
}

/// Pieces of a body as a reader: where there are none yet, it would block.
#[derive(Debug, Default)]
struct Pieces {
    pieces: VecDeque<Bytes>,
    has_ended: bool,
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // What is compressed may come to nothing, however long it is.
        let_others_run();
        match self.pieces.front() {
            Some(piece) => Ok(piece.get(..DECODED_BYTES).unwrap_or(piece)),
            None if self.has_ended => Ok(&[]),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn consume(&mut self, bytes: usize) {
        if let Some(piece) = self.pieces.front_mut() {
            drop(piece.split_to(bytes));
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(room)?;
        self.consume(read);
        Ok(read)
    }
}
