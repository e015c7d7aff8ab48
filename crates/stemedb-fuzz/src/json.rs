//! Lines of JSON: what is accepted is written as a line that is the same record, and both ways of reading agree.

use std::mem::{Discriminant, discriminant};

use stemedb_core::{Invalid, Reason, Record};

/// A line of each kind, with every field somewhere.
pub(crate) const LINES: [&str; 8] = [
    r#"{"type":"assertion","subject":"Eiffel Tower","predicate":"height","object":{"number":330},"agent":"survey"}"#,
    r#"{"type":"assertion","subject":"Eiffel Tower","predicate":"name","object":"la \u00e9tour \ud83d\ude00","agent":"a","confidence":0.25,"source":"https://example.org/1","source_hash":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","quote":"as high as","timestamp":1700000000000,"epoch":"aa112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","parent":"bb112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","lifecycle":"under_review"}"#,
    r#"{"type":"assertion","subject":"s","predicate":"p","object":{"boolean":true},"agent":"a","lifecycle":"approved","signature":null}"#,
    r#"{"type":"assertion","subject":"s","predicate":"p","object":{"reference":"Paris"},"agent":"a","confidence":-0.0}"#,
    r#"{"type":"assertion","subject":"s","predicate":"p","object":-1.5e-300,"agent":"a","lifecycle":"rejected"}"#,
    r#"{"type":"vote","assertion":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","agent":"v","weight":-0.5,"timestamp":0}"#,
    r#"{"type":"vote","assertion":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","agent":"v","weight":1}"#,
    r#"{"type":"epoch","name":"survey of 2024","agent":"a","description":"all of it","supersedes":"aa112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","starts_at":9007199254740991}"#,
];

pub(crate) fn run(bytes: &[u8]) {
    let read = Record::from_json(bytes);
    if let Some(escaped) = escape_first_name(bytes) {
        let again = Record::from_json(&escaped);
        // Where JSON is malformed, the column is another.
        let is_same = match (&read, &again) {
            (Err(one), Err(other)) => kind(one) == kind(other),
            (one, other) => one == other,
        };
        assert!(is_same, "an escape in a name changes what a line is");
    }
    let Ok(record) = read else {
        return;
    };
    let written = record.to_json();
    let again = Record::from_json(written.as_bytes()).unwrap();
    assert!(
        again == record,
        "a line is not the record it was written from"
    );
    assert!(
        again.to_json() == written,
        "a record is written in two ways"
    );
    let ids = (record.id(), again.id());
    assert!(ids.0 == ids.1, "a record has two ids");
    if let Ok(id) = record.verify() {
        assert!(ids.0 == Ok(id), "verifying gives another id");
    }
}

fn kind(invalid: &Invalid) -> (Option<&str>, Discriminant<Reason>) {
    (invalid.field(), discriminant(invalid.reason()))
}

/// The same line with an escape for the first character of its first name: such a line is read in the slow and thorough way.
fn escape_first_name(line: &[u8]) -> Option<Vec<u8>> {
    let quote = line.iter().position(|byte| *byte == b'"')?;
    let (before, name) = line.split_at_checked(quote + 1)?;
    let first = *name.first().filter(|byte| byte.is_ascii_alphanumeric())?;
    if before.trim_ascii().strip_prefix(b"{")?.trim_ascii() != b"\"" {
        return None;
    }
    let escape = format!("\\u{first:04x}");
    Some([before, escape.as_bytes(), name.get(1..)?].concat())
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    LINES.map(|line| line.as_bytes().to_vec()).to_vec()
}
