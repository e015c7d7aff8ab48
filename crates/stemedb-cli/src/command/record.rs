//! A stored record as it is printed.

use serde::Serialize;
use stemedb::{Assertion, Epoch, PageCursor, Record, RecordId, Sequence, Stored, Timestamp, Vote};

use crate::{
    failure::Failure,
    output::{Output, Style},
    text,
};

/// The JSON form of a stored record: what the record says, and what the database knows of it.
#[derive(Debug, Serialize)]
struct Json<'a> {
    id: RecordId,
    sequence: Sequence,
    arrived_at: String,
    #[serde(flatten)]
    record: &'a Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Prints `stored` as one line of JSON.
pub(super) fn json(
    output: &mut Output,
    stored: &Stored,
    cursor: Option<&PageCursor>,
) -> Result<(), Failure> {
    output.json(&Json {
        id: stored.id,
        sequence: stored.sequence,
        arrived_at: text::time(stored.arrived_at_ms),
        record: &stored.record,
        cursor: cursor.map(ToString::to_string),
    })
}

/// Prints `stored` as a table of its fields.
pub(super) fn table(output: &mut Output, stored: &Stored) -> Result<(), Failure> {
    let heading = format!("{} {}", stored.record.type_name(), stored.id);
    let heading = output.styled(Style::Bold, heading);
    output.line(heading)?;
    let mut rows = vec![
        ("sequence", stored.sequence.to_string()),
        ("arrived_at", text::time(stored.arrived_at_ms)),
    ];
    match &stored.record {
        Record::Assertion(it) => rows.extend(assertion_rows(it)),
        Record::Vote(it) => rows.extend(vote_rows(it)),
        Record::Epoch(it) => rows.extend(epoch_rows(it)),
    }
    print_rows(output, &rows)
}

fn assertion_rows(it: &Assertion) -> Vec<Row> {
    let mut rows = vec![
        ("subject", it.subject.to_string()),
        ("predicate", it.predicate.to_string()),
        ("object", text::object(&it.object)),
        ("agent", it.agent.to_string()),
        ("confidence", it.confidence.to_string()),
    ];
    optional(&mut rows, "source", it.source.as_ref());
    optional(&mut rows, "source_hash", it.source_hash);
    optional(&mut rows, "quote", it.quote.as_ref());
    optional(&mut rows, "timestamp", it.timestamp.map(time));
    optional(&mut rows, "epoch", it.epoch);
    optional(&mut rows, "parent", it.parent);
    rows.push(("lifecycle", it.lifecycle.to_string()));
    optional(&mut rows, "signature", it.signature);
    rows
}

fn vote_rows(it: &Vote) -> Vec<Row> {
    let mut rows = vec![
        ("assertion", it.assertion.to_string()),
        ("agent", it.agent.to_string()),
        ("weight", it.weight.to_string()),
    ];
    optional(&mut rows, "timestamp", it.timestamp.map(time));
    optional(&mut rows, "signature", it.signature);
    rows
}

fn epoch_rows(it: &Epoch) -> Vec<Row> {
    let mut rows = vec![
        ("name", it.name.to_string()),
        ("agent", it.agent.to_string()),
    ];
    optional(&mut rows, "description", it.description.as_ref());
    optional(&mut rows, "supersedes", it.supersedes);
    optional(&mut rows, "starts_at", it.starts_at.map(time));
    optional(&mut rows, "signature", it.signature);
    rows
}

fn time(time: Timestamp) -> String {
    text::time(time.as_ms())
}

type Row = (&'static str, String);

fn optional(rows: &mut Vec<Row>, name: &'static str, value: Option<impl ToString>) {
    rows.extend(value.map(|value| (name, value.to_string())));
}

/// Prints names and values in two columns.
pub(super) fn print_rows(output: &mut Output, rows: &[Row]) -> Result<(), Failure> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        let name = output.styled(Style::Dim, format_args!("{name:width$}"));
        output.line(format_args!("  {name}  {}", text::printable(value)))?;
    }
    Ok(())
}
