//! The records that are counted: lines of JSON, alike in length and shape to those of real data, each a function of its number.

use crate::failure::Failure;
use stemedb::Record;
use stemedb_testkit::disk::Random;

/// Assertions about each subject.
pub(super) const SUBJECT_RECORDS: u64 = 100;
const PREDICATES: [&str; 4] = [
    "scheduled_departure",
    "actual_departure",
    "departure_gate",
    "actual_arrival",
];

/// The subject of a record.
pub(super) fn subject(number: u64) -> String {
    let group = number / SUBJECT_RECORDS;
    format!("flight:AA-{group:05}-TPA-MIA@2011-12-01")
}

/// A record as a line of JSON.
pub(super) fn line(number: u64) -> String {
    let mut random = Random::new(number);
    let predicate = random.pick(&PREDICATES).copied().unwrap_or_default();
    let (hour, minute) = (random.below(24), random.below(60));
    let site = random.below(38);
    let time = 1_322_783_940_000 + number;
    format!(
        r#"{{"type":"assertion","subject":"{}","predicate":"{predicate}","object":{{"text":"{hour:02}:{minute:02}"}},"agent":"site:{site:02}","timestamp":{time},"epoch":"a39331b98b76037473c8875b1362e643f16a0d21d1582fe0a2a3693f10ae7507"}}"#,
        subject(number)
    )
}

/// A record.
///
/// # Errors
///
/// If a line is no record, which the first run would show.
pub(super) fn record(number: u64) -> Result<Record, Failure> {
    Record::from_json(line(number).as_bytes()).map_err(|error| Failure::Usage(error.to_string()))
}
