use stemedb::{
    Agent, Assertion, Confidence, Object, Predicate, Quote, Record, Sequence, Stored, Subject,
};

use super::{Code, StoredRecord};

#[test]
fn a_stored_record_is_read_as_it_was_written() {
    let assertion = Assertion::new(
        Subject::new("Eiffel Tower").unwrap(),
        Predicate::new("height").unwrap(),
        Object::number(0.1 + 0.2).unwrap(),
        Agent::new("editor:ana").unwrap(),
    )
    .with_confidence(Confidence::new(0.25).unwrap())
    .with_quote(Quote::new("Zw\u{f6}lf \"Stunden\"\n").unwrap());
    let record = Record::from(assertion);
    let stored = StoredRecord::from(Stored {
        id: record.id().unwrap(),
        sequence: Sequence::new(7).unwrap(),
        arrived_at_ms: 1_700_000_000_123,
        record,
    });
    let text = serde_json::to_string(&stored).unwrap();
    assert!(text.contains(r#""sequence":7,"arrived_at":"2023-11-14T22:13:20.123Z","type":"assertion","subject":"Eiffel Tower""#), "{text}");
    assert_eq!(serde_json::from_str::<StoredRecord>(&text).unwrap(), stored);
    let more = text.replace("\"object\"", "\"objekt\"");
    assert!(serde_json::from_str::<StoredRecord>(&more).is_err());
}

#[test]
fn every_code_is_written_by_its_name_and_no_two_are_alike() {
    let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    for code in Code::ALL {
        let text = serde_json::to_string(&code).unwrap();
        assert_eq!(text, format!("\"{}\"", code.name()));
        assert!((400..600).contains(&code.status()));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
}
