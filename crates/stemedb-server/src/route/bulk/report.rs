//! The lines of the answer, and their sums.

use stemedb::{Error, Receipt, Status};

use super::check::Line;
use crate::courtesy::let_others_run;
use crate::wire::{BulkEnd, BulkLine, BulkResult, Fate, Problem};

#[cfg(test)]
mod tests;

/// The bytes of a result, roughly.
const RESULT_BYTES: usize = 140;

/// What became of the lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) stored: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
}

impl Tally {
    /// The last line.
    pub(super) fn end(self, durable_sequence: u64, problem: Option<Problem>) -> BulkEnd {
        let Self {
            stored,
            duplicates,
            rejected,
        } = self;
        BulkEnd {
            end: problem.is_none(),
            lines: stored + duplicates + rejected,
            stored,
            duplicates,
            rejected,
            durable_sequence,
            problem,
        }
    }

    fn count(&mut self, receipt: Receipt) -> Fate {
        let (id, sequence) = (receipt.id, receipt.sequence.get());
        match receipt.status {
            Status::Stored => {
                self.stored += 1;
                Fate::Stored { id, sequence }
            }
            Status::AlreadyStored => {
                self.duplicates += 1;
                Fate::Duplicate { id, sequence }
            }
        }
    }

    /// Writes the results of the lines, up to the first of which it is not known what became of it.
    pub(super) fn report(
        &mut self,
        lines: Vec<Line>,
        receipts: Vec<stemedb::Result<Receipt>>,
    ) -> (Vec<u8>, Option<Unknown>) {
        let mut text = Vec::with_capacity(lines.len() * RESULT_BYTES);
        let mut receipts = receipts.into_iter();
        for line in lines {
            let fate = match line.refusal {
                Some(detail) => {
                    let_others_run();
                    self.rejected += 1;
                    Fate::Rejected {
                        detail: detail.into(),
                    }
                }
                None => match receipts.next() {
                    Some(Ok(receipt)) => self.count(receipt),
                    Some(Err(error)) => return (text, Some(Unknown::Failed(error))),
                    None => return (text, Some(Unknown::NoReceipt)),
                },
            };
            let line = line.number;
            write(&mut text, &BulkLine::Result(BulkResult { line, fate }));
        }
        (text, None)
    }
}

/// Why it is not known what became of a line.
#[derive(Debug)]
pub(super) enum Unknown {
    /// It was not stored, or perhaps was.
    Failed(Error),
    /// There are fewer receipts than records.
    NoReceipt,
}

/// Appends a line.
pub(super) fn write(text: &mut Vec<u8>, line: &BulkLine) {
    if let Err(error) = serde_json::to_writer(&mut *text, line) {
        // Nothing in a line can fail to be written; a client would not take what is there for a line.
        tracing::error!(%error, "a line cannot be written");
    }
    text.push(b'\n');
}
