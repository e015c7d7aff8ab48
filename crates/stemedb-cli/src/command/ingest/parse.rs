//! Lines into records that are ready to be submitted; runs on many threads.

use std::sync::Arc;

use stemedb::{Prepared, Record, RecordType, limits::LINE_BYTES_MAX};

use crate::{
    failure::chain,
    input::{Chunk, Content, lines},
};

/// Whether rejected lines are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// For the file of rejects.
    Rejects,
    /// Nobody wants them.
    Nothing,
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
        self.lines.truncate(index + 1);
    }
}

/// Reads the lines of `chunk`.
pub(super) fn parse(file: Arc<str>, chunk: &Chunk, keep: Keep) -> Parsed {
    match &chunk.content {
        Content::Lines(text) => parse_lines(file, chunk.first_line, text, keep),
        Content::TooLong => Parsed {
            file,
            lines: vec![rejected(chunk.first_line, too_long(), None)],
            records: Vec::new(),
        },
    }
}

fn parse_lines(file: Arc<str>, first_line: u64, text: &[u8], keep: Keep) -> Parsed {
    let all: Vec<_> = lines(first_line, text).collect();
    let is_short = |line: &[u8]| line.len() <= LINE_BYTES_MAX;
    let short = all.iter().filter(|(_, line)| is_short(line));
    let mut prepared = Prepared::all(short.map(|(_, line)| Record::from_json(line))).into_iter();
    let mut records = Vec::with_capacity(prepared.len());
    let mut done = Vec::with_capacity(all.len());
    for (number, line) in all {
        let next = if is_short(line) {
            prepared.next()
        } else {
            None
        };
        done.push(match next {
            Some(Ok(record)) => {
                let verdict = Verdict::Accepted(record.record_type());
                records.push(record);
                Line { number, verdict }
            }
            Some(Err(error)) => {
                let raw = (keep == Keep::Rejects).then(|| line.to_vec());
                rejected(number, chain(&error), raw)
            }
            None => rejected(number, too_long(), None),
        });
    }
    Parsed {
        file,
        lines: done,
        records,
    }
}

fn rejected(number: u64, reason: String, raw: Option<Vec<u8>>) -> Line {
    let verdict = Verdict::Rejected { reason, raw };
    Line { number, verdict }
}

fn too_long() -> String {
    format!("the line is longer than {LINE_BYTES_MAX} bytes")
}
