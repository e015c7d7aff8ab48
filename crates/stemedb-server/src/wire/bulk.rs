//! What an upload of many lines is answered with, line by line.

use serde::{Deserialize, Serialize};
use stemedb::RecordId;

use super::{Problem, text};

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BulkLine {
    /// What became of a line.
    Result(BulkResult),
    /// The last line.
    End(BulkEnd),
}

/// What became of one line; the results stand in the order of the lines, and blank lines have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkResult {
    /// The number of the line, from 1; blank lines are counted.
    pub line: u64,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Fate {
    /// A new record, which is as durable as the database makes it.
    Stored {
        /// Its id.
        #[serde(deserialize_with = "text::parse")]
        id: RecordId,
        /// Its sequence.
        sequence: u64,
    },
    /// A record that had been stored before, in this upload or in another one.
    Duplicate {
        /// Its id.
        #[serde(deserialize_with = "text::parse")]
        id: RecordId,
        /// The sequence of its first arrival.
        sequence: u64,
    },
    /// No record; the lines behind it go on.
    Rejected {
        /// What is wrong with it.
        detail: String,
    },
}

/// The end of the answer. Where it is missing, results are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkEnd {
    /// Whether every line of the upload has its result.
    pub end: bool,
    /// How many results were given.
    pub lines: u64,
    /// How many of them are new records.
    pub stored: u64,
    /// How many had been stored before.
    pub duplicates: u64,
    /// How many are no records.
    pub rejected: u64,
    /// The last sequence of the database that is durable, 0 where there is none.
    pub durable_sequence: u64,
    /// Why the upload broke off behind the last result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
