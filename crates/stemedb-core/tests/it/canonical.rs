//! Canonical bytes against an independent CBOR reader, and their order of keys against sorting.

use ciborium::Value;
use proptest::prelude::*;
use stemedb_core::{Assertion, Invalid, Object, Reason, Record, limits};
use stemedb_testkit::record::{record, with_agent, with_signature};

/// What the canonical bytes should say, made from the JSON form by rules of its own.
fn expected(record: &Record) -> Value {
    let json: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
    let mut entries = Vec::new();
    for (name, value) in json.as_object().unwrap() {
        let value = match (name.as_str(), value) {
            ("signature", _) => continue,
            ("source_hash" | "epoch" | "parent" | "assertion" | "supersedes", hex) => {
                let hex = hex.as_str().unwrap().as_bytes();
                Value::Bytes(data_encoding::HEXLOWER.decode(hex).unwrap())
            }
            ("timestamp" | "starts_at", ms) => Value::Integer(ms.as_u64().unwrap().into()),
            ("object", object) => {
                let (kind, value) = object.as_object().unwrap().iter().next().unwrap();
                Value::Map(vec![(Value::Text(kind.clone()), scalar(value))])
            }
            (_, value) => scalar(value),
        };
        entries.push((Value::Text(name.clone()), value));
    }
    entries.sort_by_key(|(key, _)| encoded(key));
    Value::Map(entries)
}

fn scalar(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap()),
        serde_json::Value::Bool(boolean) => Value::Bool(*boolean),
        other => panic!("{other}"),
    }
}

/// The encoding by ciborium, which writes shortest heads and floats, too.
fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn canonical_bytes_say_what_the_record_says(record in record()) {
        let bytes = record.canonical_bytes().unwrap();
        let decoded: Value = ciborium::from_reader(&bytes[..]).unwrap();
        let expected = expected(&record);
        // Values are equal, fields stand in sorted order, and the bytes are the shortest.
        prop_assert_eq!(&decoded, &expected);
        prop_assert_eq!(bytes, encoded(&expected));
    }

    #[test]
    fn equal_ids_are_equal_records_up_to_the_signature(one in record(), other in record()) {
        let bare = |record: &Record| with_signature(record.clone(), None);
        prop_assert_eq!(one.id() == other.id(), bare(&one) == bare(&other));
        prop_assert_eq!(one.id(), bare(&one).id());
    }

    #[test]
    fn whoever_says_it_belongs_to_what_is_said(record in record()) {
        let other = with_agent(record.clone(), "somebody else".parse().unwrap());
        prop_assert_ne!(other.id(), record.id());
    }

    #[test]
    fn a_buffer_may_hold_anything_before(record in record(), before in any::<[u8; 7]>()) {
        let mut buffer = before.to_vec();
        record.canonical_into(&mut buffer).unwrap();
        prop_assert_eq!(Ok(buffer), record.canonical_bytes());
        prop_assert_eq!(record.id_with(&mut before.to_vec()), record.id());
    }
}

fn assertion_of(text: usize) -> Record {
    Record::from(Assertion::new(
        "s".parse().unwrap(),
        "p".parse().unwrap(),
        Object::text("x".repeat(text)),
        "a".parse().unwrap(),
    ))
}

#[test]
fn a_record_has_at_most_a_mebibyte() {
    let overhead = assertion_of(1 << 16).canonical_bytes().unwrap().len() - (1 << 16);
    let fits = limits::CANONICAL_BYTES_MAX - overhead;
    let bytes = assertion_of(fits).canonical_bytes().unwrap();
    assert_eq!(bytes.len(), limits::CANONICAL_BYTES_MAX);
    let refused: Invalid = assertion_of(fits + 1).verify().unwrap_err();
    let (bytes, max) = (limits::CANONICAL_BYTES_MAX + 1, limits::CANONICAL_BYTES_MAX);
    assert_eq!(refused.reason(), &Reason::TooLarge { bytes, max });
    assert_eq!(
        refused.to_string(),
        "the record has 1048577 canonical bytes; at most 1048576 are allowed"
    );
    assert_eq!(assertion_of(fits + 1).id(), Err(refused.clone()));
    assert_eq!(assertion_of(fits + 1).check(&mut Vec::new()), Err(refused));
}
