//! From lines to records that were checked, named and verified.

use stemedb::ndjson::Chunk;
use stemedb::{Prepared, error_chain};

use crate::courtesy::let_others_run;

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
    let mut records = Vec::new();
    let lines = chunk
        .prepare_or(let_others_run)
        .into_iter()
        .map(|(number, record)| {
            let refusal = match record {
                Ok(record) => {
                    records.push(record);
                    None
                }
                Err(error) => {
                    let_others_run();
                    Some(error_chain(&error).into())
                }
            };
            Line { number, refusal }
        });
    let lines = lines.collect();
    Checked { lines, records }
}
