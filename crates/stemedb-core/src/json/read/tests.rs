use proptest::prelude::*;
use stemedb_testkit::record::record;

use super::*;

#[test]
fn every_field_belongs_to_a_type_and_stands_at_its_own_index() {
    for (index, field) in Field::ALL.into_iter().enumerate() {
        assert_eq!(field as usize, index);
        assert_eq!(Field::parse(field.name()), Some(field));
        let shapes = [ASSERTION, VOTE, EPOCH];
        assert!(
            shapes.iter().any(|shape| shape.fields.contains(&field)),
            "{field:?}"
        );
    }
    assert_eq!(Field::parse("Type"), None);
}

#[test]
fn a_key_is_the_name_that_its_escapes_spell() {
    let fields = parse(r#"{"sub\u006aect":"s","subject":"t"}"#).unwrap();
    assert_eq!(fields.repeated, Some(Field::Subject));
}

#[test]
fn the_first_problem_of_each_kind_is_kept() {
    let fields = parse(r#"{"a":1,"b":[{}],"type":null,"agent":1,"agent":2,"type":3}"#).unwrap();
    assert_eq!(fields.unknown.as_deref(), Some("a"));
    assert_eq!(fields.repeated, Some(Field::Agent));
    assert_eq!(fields.given(Field::Weight), None);
}

/// Checks what the scanner promises: where it gives fields, the parser gives the same.
fn assert_scanned_as_parsed(text: &str) {
    if let Some(scanned) = scan(text) {
        let parsed = parse(text).map_err(|error| error.to_string());
        assert_eq!(parsed, Ok(scanned), "{text}");
    }
}

#[test]
fn a_plain_line_is_scanned() {
    let id = "0123456789abcdef".repeat(4);
    for line in [
        format!(
            r#"{{"type": "assertion", "subject": "flight:AA-1@2011-12-01", "predicate": "gate", "object": {{"text": "F78"}}, "agent": "site:aa", "confidence": 0.9, "timestamp": 1322783940000, "epoch": "{id}"}}"#
        ),
        format!(r#"{{"type":"vote","assertion":"{id}","agent":"v","weight":-1,"signature":null}}"#),
        r#" {"type":"assertion","subject":"s","predicate":"p","object":true,"agent":"a","nonsense":{"a":1}} "#.into(),
    ] {
        assert!(scan(&line).is_some(), "{line}");
        assert_scanned_as_parsed(&line);
    }
}

/// Characters that mean something in JSON, and a few that do not.
const PIECES: [&str; 32] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    " ",
    "\t",
    "\n",
    "\u{1f}",
    "\u{7f}",
    "\u{a0}",
    "\u{fc}",
    "-",
    "+",
    ".",
    "0",
    "1",
    "e",
    "E",
    "true",
    "false",
    "null",
    "\"type\"",
    "\"object\"",
    "\"a\":1",
    "{\"text\":\"\"}",
    "\\u0041",
    "\u{feff}",
    "/",
];

proptest! {
    #[test]
    fn the_parser_finds_what_the_scanner_finds(
        record in record(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0..PIECES.len()), 1..4),
    ) {
        let mut text: Vec<char> = record.to_json().chars().collect();
        for (at, replaces, piece) in changes {
            let at = at.index(text.len());
            let end = at + usize::from(replaces);
            text.splice(at..end, PIECES[piece].chars());
        }
        assert_scanned_as_parsed(&text.into_iter().collect::<String>());
    }

    #[test]
    fn the_parser_finds_what_the_scanner_finds_in_anything(
        pieces in proptest::collection::vec(prop::sample::select(PIECES.to_vec()), 0..12),
    ) {
        let inner = pieces.concat();
        assert_scanned_as_parsed(&inner);
        assert_scanned_as_parsed(&format!("{{{inner}}}"));
        assert_scanned_as_parsed(&format!("{{\"a\":{inner}}}"));
        assert_scanned_as_parsed(&format!("{{\"a\":{{\"b\":{inner}}}}}"));
    }
}
