//! What the processes are fed: records of all types, in pieces, enough for two segments.

use std::ops::Range;

use serde_json::json;
use stemedb::{Record, RecordId};

/// Bytes of the quotes that fill the first segment, which ends at 1 MiB.
const QUOTE_BYTES: usize = 60_000;

/// Assertions with such a quote.
const QUOTES: usize = 18;

/// Lines and their ids, in the order in which they are fed.
pub(crate) struct Work {
    pub(crate) lines: Vec<String>,
    pub(crate) ids: Vec<RecordId>,
    /// What is handed over at once; the next piece follows when all of one is acknowledged.
    pub(crate) pieces: Vec<Range<usize>>,
}

impl Work {
    /// Assertions, epochs that supersede each other, votes, and a second segment.
    pub(crate) fn of_all_types() -> Self {
        let mut work = Self::empty();
        let claims: Vec<_> = (0..4).map(|at| work.claim(at, "short")).collect();
        let epoch = work.add(&json!({"type": "epoch", "name": "first", "agent": "agent:0"}));
        work.end_piece();
        work.votes(&claims);
        work.end_piece();
        let quote = "long ".repeat(QUOTE_BYTES / 5);
        let quoted: Vec<_> = (4..4 + QUOTES).map(|at| work.claim(at, &quote)).collect();
        work.end_piece();
        work.add(
            &json!({"type": "epoch", "name": "second", "agent": "agent:0", "supersedes": epoch}),
        );
        work.votes(&quoted);
        work.end_piece();
        work.claim(4 + QUOTES, "last");
        work.end_piece();
        work
    }

    /// Short assertions in pieces of `piece`.
    pub(crate) fn claims(count: usize, piece: usize) -> Self {
        let mut work = Self::empty();
        for at in 0..count {
            work.claim(at, "short");
            if (at + 1) % piece == 0 {
                work.end_piece();
            }
        }
        work.end_piece();
        work
    }

    fn empty() -> Self {
        Self {
            lines: Vec::new(),
            ids: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// All of it as one file.
    pub(crate) fn text(&self) -> String {
        self.lines.concat()
    }

    fn claim(&mut self, at: usize, quote: &str) -> String {
        self.add(&json!({
            "type": "assertion", "subject": format!("subject {}", at % 5), "predicate": "size", "object": at,
            "agent": "agent:0", "quote": quote,
        }))
    }

    fn votes(&mut self, assertions: &[String]) {
        for assertion in assertions {
            self.add(
                &json!({"type": "vote", "assertion": assertion, "agent": "agent:1", "weight": 0.5}),
            );
        }
    }

    fn add(&mut self, record: &serde_json::Value) -> String {
        let line = record.to_string();
        let id = Record::from_json(line.as_bytes()).unwrap().id().unwrap();
        self.lines.push(line + "\n");
        self.ids.push(id);
        id.to_string()
    }

    fn end_piece(&mut self) {
        let from = self.pieces.last().map_or(0, |piece| piece.end);
        if from < self.lines.len() {
            self.pieces.push(from..self.lines.len());
        }
    }
}
