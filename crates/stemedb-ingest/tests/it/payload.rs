//! Golden bytes and round trips.
//!
//! The payloads of one record of each type are committed in `tests/golden/payloads.txt`: journals on disks hold such bytes. A change of
//! them is a change of the format: it needs a new version in the payload's header, and then
//! `STEMEDB_GOLDEN=write cargo test -p stemedb-ingest` writes the file anew.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;
use stemedb_core::{
    Assertion, Confidence, Description, Epoch, EpochName, Lifecycle, Object, Predicate, Quote,
    Record, RecordId, Signature, Source, SourceHash, Subject, Timestamp, Vote, Weight,
};
use stemedb_ingest::{
    PAYLOAD_HEADER_BYTES, RecordType, SerializeError, deserialize, serialize, serialize_assertion,
    serialize_checked,
};
use stemedb_testkit::record::record;

use crate::support::agent;

/// Tells the golden test to write its file instead of comparing.
const WRITE: &str = "STEMEDB_GOLDEN";

/// Records that have every field, and some that have none.
pub(crate) fn samples() -> Vec<(&'static str, Record)> {
    let short = |object| {
        let subject = Subject::new("Eiffel Tower").unwrap();
        Assertion::new(subject, Predicate::new("height").unwrap(), object, agent())
    };
    let whole = short(Object::number(330.25).unwrap())
        .with_confidence(Confidence::new(0.75).unwrap())
        .with_source(Source::new("https://example.org/tower").unwrap())
        .with_source_hash(SourceHash::from_bytes([0x11; 32]))
        .with_quote(Quote::new("It is 330.25 m high.").unwrap())
        .with_timestamp(Timestamp::from_ms(1_700_000_000_123).unwrap())
        .with_epoch(RecordId::from_bytes([0x22; 32]))
        .with_parent(RecordId::from_bytes([0x33; 32]))
        .with_lifecycle(Lifecycle::UnderReview)
        .with_signature(Signature::from_bytes([0x44; 64]));
    let vote = Vote::new(
        RecordId::from_bytes([0x55; 32]),
        agent(),
        Weight::new(-0.5).unwrap(),
    );
    let epoch = Epoch::new(EpochName::new("2026").unwrap(), agent());
    let later = epoch
        .clone()
        .with_description(Description::new("after the label change").unwrap())
        .with_supersedes(RecordId::from_bytes([0x66; 32]))
        .with_starts_at(Timestamp::from_ms(0).unwrap());
    vec![
        ("assertion", whole.into()),
        ("assertion_of_text", short(Object::text("tall")).into()),
        ("assertion_of_truth", short(Object::from(true)).into()),
        (
            "assertion_of_reference",
            short(Object::reference("Q243").unwrap()).into(),
        ),
        ("vote", vote.clone().into()),
        (
            "vote_with_time",
            vote.with_timestamp(Timestamp::from_ms(7).unwrap()).into(),
        ),
        ("epoch", epoch.into()),
        ("epoch_with_all", later.into()),
    ]
}

fn golden_text() -> String {
    let mut text = String::new();
    for (name, record) in samples() {
        write!(text, "{name} ").unwrap();
        for byte in serialize(&record).unwrap() {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn payloads_are_the_golden_bytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/payloads.txt");
    if std::env::var_os(WRITE).is_some_and(|value| value == "write") {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        file.write_all(golden_text().as_bytes()).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let mut lines = golden.lines();
    for line in golden_text().lines() {
        assert_eq!(
            Some(line),
            lines.next(),
            "the format changed; {WRITE}=write accepts it"
        );
    }
    assert_eq!(lines.next(), None);
}

/// What older programs wrote is read, whatever this one writes.
#[test]
fn golden_bytes_are_read_back() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/payloads.txt");
    let golden = std::fs::read_to_string(path).unwrap();
    assert_eq!(golden.lines().count(), samples().len());
    for (line, (name, record)) in golden.lines().zip(samples()) {
        let (found, hex) = line.split_once(' ').unwrap();
        let digits = hex.as_bytes().chunks(2);
        let payload: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(found, name);
        assert_eq!(deserialize(&payload), Ok(record), "{name}");
    }
}

#[test]
fn a_payload_begins_with_its_type_and_seven_zeros() {
    let types = [RecordType::Assertion, RecordType::Vote, RecordType::Epoch];
    for (record_type, byte) in types.into_iter().zip(0..) {
        assert_eq!((record_type as u8, record_type.to_byte()), (byte, byte));
        assert_eq!(RecordType::from_byte(byte), Some(record_type));
    }
    assert!((3..=u8::MAX).all(|byte| RecordType::from_byte(byte).is_none()));
    for (_, record) in samples() {
        let payload = serialize(&record).unwrap();
        let mut header = [0; PAYLOAD_HEADER_BYTES];
        header[0] = RecordType::of(&record).to_byte();
        assert!(payload.starts_with(&header));
    }
}

#[test]
fn a_record_over_its_limit_is_not_serialized() {
    let mut assertion = Assertion::new(
        Subject::new("s").unwrap(),
        Predicate::new("p").unwrap(),
        Object::text("x".repeat(1 << 20)),
        agent(),
    );
    let refused = serialize_assertion(&assertion).unwrap_err();
    assert!(matches!(refused, SerializeError::Invalid(_)), "{refused}");
    assertion.object = Object::text("x".repeat((1 << 20) - 200));
    let payload = serialize_assertion(&assertion).unwrap();
    assert_eq!(deserialize(&payload), Ok(assertion.into()));
}

proptest! {
    #[test]
    fn every_form_of_a_record_gives_the_same_record(record in record()) {
        let payload = serialize(&record).unwrap();
        prop_assert_eq!(&serialize_checked(&record).unwrap(), &payload);
        let stored = deserialize(&payload).unwrap();
        prop_assert_eq!(&stored, &record);
        prop_assert_eq!(&serialize(&stored).unwrap(), &payload);
        let parsed = Record::from_json(stored.to_json().as_bytes()).unwrap();
        prop_assert_eq!(&parsed, &record);
        prop_assert_eq!(serialize(&parsed).unwrap(), payload);
        prop_assert_eq!(parsed.canonical_bytes().unwrap(), record.canonical_bytes().unwrap());
        prop_assert_eq!(stored.verify().unwrap(), record.id().unwrap());
    }

    #[test]
    fn equal_ids_mean_equal_records_but_for_the_signature(one in record(), other in record()) {
        let bare = |record: &Record| serialize(&record.clone().with_signature(None)).unwrap();
        prop_assert_eq!(one.id().unwrap() == other.id().unwrap(), bare(&one) == bare(&other));
    }
}

#[test]
fn a_payload_is_read_wherever_it_begins() {
    let record = crate::support::claim(1);
    let payload = crate::support::payload(&record);
    for offset in 0..16 {
        let mut bytes = vec![0xA5; offset];
        bytes.extend_from_slice(&payload);
        let found = deserialize(&bytes[offset..]).unwrap();
        assert_eq!(found, record, "at {offset}");
        for bit in 0..payload.len() * 8 {
            bytes[offset + bit / 8] ^= 1 << (bit % 8);
            // Another record or an error, and no panic: the checksum of the value comes before this.
            drop(deserialize(&bytes[offset..]));
            bytes[offset + bit / 8] ^= 1 << (bit % 8);
        }
    }
}
