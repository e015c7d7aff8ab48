//! The JSON form there and back.

use proptest::prelude::*;
use stemedb_core::{
    Agent, Assertion, Confidence, Epoch, EpochName, Lifecycle, Object, Predicate, Quote, Record,
    RecordId, Signature, Source, SourceHash, Subject, Timestamp, Vote, Weight,
};
use stemedb_testkit::record::{foreign_signature, record};

proptest! {
    #[test]
    fn json_reads_back_to_the_same_record(record in record()) {
        let json = record.to_json();
        prop_assert_eq!(Record::from_json(json.as_bytes()), Ok(record.clone()));
        let mut appended = b"before".to_vec();
        record.write_json(&mut appended);
        prop_assert_eq!(appended, [b"before", json.as_bytes()].concat());
    }

    #[test]
    fn json_does_not_depend_on_the_order_of_fields(record in record(), reverse in any::<bool>()) {
        let json = record.to_json();
        // A sorted map of raw values, forwards or backwards.
        let fields: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(&json).unwrap();
        let mut shuffled: Vec<_> =
            fields.iter().map(|(name, value)| format!(" \"{name}\" :\t{value} ")).collect();
        if reverse {
            shuffled.reverse();
        }
        let shuffled = format!(" {{{}}}\r\n", shuffled.join(","));
        prop_assert_eq!(Record::from_json(shuffled.as_bytes()), Ok(record));
    }

    #[test]
    fn a_signature_survives_whatever_it_is(record in record(), signature in foreign_signature()) {
        let record = record.with_signature(Some(signature));
        prop_assert_eq!(Record::from_json(record.to_json().as_bytes()), Ok(record));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(Record::from_json(&line).is_err());
    }

    #[test]
    fn no_damage_makes_the_reader_panic(record in record(), at in any::<u64>(), byte in any::<u8>()) {
        let mut line = record.to_json().into_bytes();
        let length = u64::try_from(line.len()).unwrap();
        line[usize::try_from(at % length).unwrap()] = byte;
        if let Ok(other) = Record::from_json(&line) {
            prop_assert_eq!(Record::from_json(other.to_json().as_bytes()), Ok(other));
        }
        line.truncate(usize::try_from(at % length).unwrap());
        prop_assert!(Record::from_json(&line).is_err());
    }

    #[test]
    fn any_double_reads_back_bit_for_bit(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite() && bits != 1 << 63);
        for literal in [format!("{value:e}"), format!("{value:?}"), format!("{value:.1200}")] {
            let line = format!(
                r#"{{"type":"assertion","subject":"s","predicate":"p","object":{literal},"agent":"a"}}"#
            );
            let Ok(Record::Assertion(read)) = Record::from_json(line.as_bytes()) else {
                panic!("{line}");
            };
            prop_assert_eq!(read.object, Object::number(value).unwrap());
        }
    }
}

fn id(seed: u8) -> RecordId {
    RecordId::from_bytes([seed; 32])
}

fn full_assertion() -> Assertion {
    Assertion::new(
        Subject::new("s\u{e9}").unwrap(),
        Predicate::new("p").unwrap(),
        Object::text("a \"text\"\n"),
        Agent::new("a").unwrap(),
    )
    .with_confidence(Confidence::new(0.5).unwrap())
    .with_source(Source::new("b").unwrap())
    .with_source_hash(SourceHash::from_bytes([1; 32]))
    .with_quote(Quote::new("q").unwrap())
    .with_timestamp(Timestamp::from_ms(7).unwrap())
    .with_epoch(id(2))
    .with_parent(id(3))
    .with_lifecycle(Lifecycle::UnderReview)
    .with_signature(Signature::from_bytes([4; 64]))
}

#[test]
fn fields_are_written_in_the_order_of_the_table() {
    let hex = |digits: &str, length: usize| digits.repeat(length);
    assert_eq!(
        Record::from(full_assertion()).to_json(),
        format!(
            concat!(
                r#"{{"type":"assertion","subject":"s{}","predicate":"p","object":{{"text":"#,
                r#""a \"text\"\n"}},"agent":"a","confidence":0.5,"source":"b","source_hash":"{}","#,
                r#""quote":"q","timestamp":7,"epoch":"{}","parent":"{}","#,
                r#""lifecycle":"under_review","signature":"{}"}}"#,
            ),
            '\u{e9}',
            hex("01", 32),
            hex("02", 32),
            hex("03", 32),
            hex("04", 64)
        )
    );
    let vote = Vote::new(id(2), Agent::new("a").unwrap(), Weight::new(-1.0).unwrap())
        .with_timestamp(Timestamp::from_ms(0).unwrap())
        .with_signature(Signature::from_bytes([4; 64]));
    assert_eq!(
        Record::from(vote).to_json(),
        format!(
            r#"{{"type":"vote","assertion":"{}","agent":"a","weight":-1.0,"timestamp":0,"signature":"{}"}}"#,
            hex("02", 32),
            hex("04", 64)
        )
    );
    let epoch = Epoch::new(EpochName::new("n").unwrap(), Agent::new("a").unwrap())
        .with_description("d".parse().unwrap())
        .with_supersedes(id(2))
        .with_starts_at(Timestamp::from_ms(9).unwrap())
        .with_signature(Signature::from_bytes([4; 64]));
    assert_eq!(
        Record::from(epoch).to_json(),
        format!(
            concat!(
                r#"{{"type":"epoch","name":"n","agent":"a","description":"d","#,
                r#""supersedes":"{}","starts_at":9,"signature":"{}"}}"#,
            ),
            hex("02", 32),
            hex("04", 64)
        )
    );
}

#[test]
fn defaults_are_not_written_except_for_confidence() {
    let assertion = |object| {
        let names = (
            "s".parse().unwrap(),
            "p".parse().unwrap(),
            "a".parse().unwrap(),
        );
        Record::from(Assertion::new(names.0, names.1, object, names.2)).to_json()
    };
    let expected = |object: &str| {
        format!(
            r#"{{"type":"assertion","subject":"s","predicate":"p","object":{object},"agent":"a","confidence":1.0}}"#
        )
    };
    assert_eq!(assertion(Object::text("")), expected(r#"{"text":""}"#));
    assert_eq!(
        assertion(Object::number(-0.0).unwrap()),
        expected(r#"{"number":0.0}"#)
    );
    assert_eq!(
        assertion(Object::from(true)),
        expected(r#"{"boolean":true}"#)
    );
    let reference = Object::reference("Q42").unwrap();
    assert_eq!(assertion(reference), expected(r#"{"reference":"Q42"}"#));
}

#[test]
fn a_bare_scalar_means_the_object_that_it_looks_like() {
    let read = |object: &str| {
        let line = format!(
            r#"{{"type":"assertion","subject":"s","predicate":"p","object":{object},"agent":"a"}}"#
        );
        match Record::from_json(line.as_bytes()) {
            Ok(Record::Assertion(it)) => it.object,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(r#""x""#), read(r#"{"text":"x"}"#));
    assert_eq!(read(r#""x""#), read(r#"{"te\u0078t" : "\u0078"}"#));
    assert_eq!(read("42"), read(r#"{"number":42.0}"#));
    assert_eq!(read("-0"), Object::number(0.0).unwrap());
    assert_eq!(read("false"), read(r#"{"boolean":false}"#));
    assert_eq!(read(r#""""#), Object::text(""));
}

#[test]
fn null_is_absence_where_a_field_is_optional() {
    let with = r#"{"type":"assertion","subject":"s","predicate":"p","object":1,"agent":"a","confidence":null,"source":null,"source_hash":null,"quote":null,"timestamp":null,"epoch":null,"parent":null,"lifecycle":null,"signature":null}"#;
    let without = r#"{"type":"assertion","subject":"s","predicate":"p","object":1,"agent":"a"}"#;
    assert_eq!(
        Record::from_json(with.as_bytes()),
        Record::from_json(without.as_bytes())
    );
    assert!(Record::from_json(without.as_bytes()).is_ok());
}

#[test]
fn a_record_stands_in_a_larger_answer() {
    #[derive(serde::Serialize)]
    struct Stored {
        #[serde(flatten)]
        record: Record,
        sequence: stemedb_core::Sequence,
    }
    let record = Record::from(Epoch::new("n".parse().unwrap(), "a".parse().unwrap()));
    let stored = Stored {
        record,
        sequence: stemedb_core::Sequence::FIRST,
    };
    assert_eq!(
        serde_json::to_string(&stored).unwrap(),
        r#"{"type":"epoch","name":"n","agent":"a","sequence":1}"#
    );
}

#[test]
fn a_record_that_could_not_be_read_again_is_refused() {
    let with_text = |length: usize| {
        let subject = Subject::new("s").unwrap();
        let text = Object::text("\u{1}".repeat(length));
        let agent = Agent::new("a").unwrap();
        Record::from(Assertion::new(
            subject,
            Predicate::new("p").unwrap(),
            text,
            agent,
        ))
    };
    let fits = with_text(699_000);
    assert!(fits.verify().is_ok());
    assert_eq!(Record::from_json(fits.to_json().as_bytes()), Ok(fits));
    let refused = with_text(700_000).verify().unwrap_err().to_string();
    assert!(
        refused.contains("as a line of JSON; at most 4194304"),
        "{refused}"
    );
}
