//! The JSON form of records, the wire and file format.

mod field;
mod read;
mod scan;
mod value;

pub(crate) use read::read;

use crate::record::Record;

/// The JSON form of `record`.
pub(crate) fn write(record: &Record) -> String {
    #[expect(
        clippy::expect_used,
        reason = "serde_json fails only on keys that are no strings and on a failing writer"
    )]
    serde_json::to_string(record).expect("a record is a map of names to plain values")
}

/// Appends the JSON form of `record` to `out`.
pub(crate) fn write_into(record: &Record, out: &mut Vec<u8>) {
    #[expect(
        clippy::expect_used,
        reason = "serde_json fails only on keys that are no strings and on a failing writer"
    )]
    serde_json::to_writer(out, record).expect("a record is a map of names to plain values");
}
