//! Lines into records that are ready to be submitted; runs on many threads.

use std::sync::Arc;

use stemedb::{Prepared, RecordType, limits::LINE_BYTES_MAX, ndjson::Chunk};

use crate::failure::chain;

/// Which lines are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    /// Those that are rejected, for the file of rejects.
    pub(super) rejected: bool,
    /// Those that are records, to be sent.
    pub(super) accepted: bool,
}

/// Lines, each with its line feed.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<usize>,
}

impl Text {
    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }

    fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

/// A chunk whose lines were read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The name of its file.
    pub(super) file: Arc<str>,
    /// What each line is, in order; blank lines are left out.
    pub(super) lines: Vec<Line>,
    /// The records of the lines that were accepted, in order.
    pub(super) records: Vec<Prepared>,
    /// Their lines, if they are to be kept.
    pub(super) text: Text,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// What it is.
    pub(super) verdict: Verdict,
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A record of this type.
    Accepted(RecordType),
    /// No record.
    Rejected {
        /// Why, in one line.
        reason: String,
        /// The line itself, if it is to be kept.
        raw: Option<Vec<u8>>,
    },
}

impl Parsed {
    /// Where the first rejected line stands among the lines.
    pub(super) fn first_rejected(&self) -> Option<usize> {
        let is_rejected = |line: &Line| matches!(line.verdict, Verdict::Rejected { .. });
        self.lines.iter().position(is_rejected)
    }

    /// Drops all lines behind the one at `index`, which is rejected, and their records.
    pub(super) fn cut_after(&mut self, index: usize) {
        // All lines before the first rejected one are records.
        self.records.truncate(index);
        self.text.truncate(index);
        self.lines.truncate(index + 1);
    }
}

/// Reads the lines of `chunk`.
pub(super) fn parse(file: Arc<str>, chunk: &Chunk, keep: Keep) -> Parsed {
    // There is no text of a line that was too long to be kept.
    let mut texts = chunk.lines().map(|(_, text)| text);
    let (mut records, mut kept) = (Vec::new(), Text::default());
    let mut line = |(number, record): (u64, stemedb::Result<Prepared>)| {
        let text = texts.next().filter(|text| text.len() <= LINE_BYTES_MAX);
        let verdict = match record {
            Ok(record) => {
                let record_type = record.record_type();
                records.push(record);
                if let Some(text) = text.filter(|_| keep.accepted) {
                    kept.push(text);
                }
                Verdict::Accepted(record_type)
            }
            Err(error) => Verdict::Rejected {
                reason: chain(&error),
                raw: text.filter(|_| keep.rejected).map(<[u8]>::to_vec),
            },
        };
        Line { number, verdict }
    };
    let lines = chunk.prepare().into_iter().map(&mut line).collect();
    Parsed {
        file,
        lines,
        records,
        text: kept,
    }
}
