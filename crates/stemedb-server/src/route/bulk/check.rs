//! From lines to records that were checked, named and verified.

use stemedb::{Prepared, Record, limits::LINE_BYTES_MAX};

use super::split::{Chunk, Content};
use crate::problem::chain;

/// A chunk whose lines were read.
#[derive(Debug)]
pub(super) struct Checked {
    /// What each line is, in order; blank lines are left out.
    pub(super) lines: Vec<Line>,
    /// The records of the lines that are some, in order.
    pub(super) records: Vec<Prepared>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Why it is no record, if it is none.
    pub(super) refusal: Option<Box<str>>,
}

/// Reads and checks the lines of a chunk.
pub(super) fn check(chunk: &Chunk) -> Checked {
    if chunk.content == Content::TooLong {
        return Checked {
            lines: vec![Line {
                number: chunk.first_line,
                refusal: Some(too_long()),
            }],
            records: Vec::new(),
        };
    }
    let is_short = |line: &[u8]| line.len() <= LINE_BYTES_MAX;
    let short = chunk.lines().filter(|(_, line)| is_short(line));
    let mut prepared = Prepared::all(short.map(|(_, line)| Record::from_json(line))).into_iter();
    let mut records = Vec::with_capacity(prepared.len());
    let mut lines = Vec::with_capacity(prepared.len());
    for (number, line) in chunk.lines() {
        let next = is_short(line).then(|| prepared.next()).flatten();
        let refusal = match next {
            Some(Ok(record)) => {
                records.push(record);
                None
            }
            Some(Err(error)) => Some(chain(&error).into()),
            None => Some(too_long()),
        };
        lines.push(Line { number, refusal });
    }
    Checked { lines, records }
}

fn too_long() -> Box<str> {
    format!("the line is longer than {LINE_BYTES_MAX} bytes").into()
}
