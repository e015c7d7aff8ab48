//! What is refused, and in which words: they are what a user reads beside the number of the line.

use stemedb_core::Record;

/// The refusal of a line.
fn refusal(line: impl AsRef<[u8]>) -> String {
    let line = line.as_ref();
    match Record::from_json(line) {
        Err(invalid) => invalid.to_string(),
        Ok(record) => panic!("{} was read as {record:?}", String::from_utf8_lossy(line)),
    }
}

/// An assertion of which one field is replaced, or gets company.
fn assertion(field: &str, value: &str) -> String {
    let fields = [
        ("type", r#""assertion""#),
        ("subject", r#""s""#),
        ("predicate", r#""p""#),
        ("object", "1"),
        ("agent", r#""a""#),
    ];
    let mut pairs: Vec<_> = fields
        .into_iter()
        .filter(|(name, _)| *name != field)
        .collect();
    pairs.push((field, value));
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// Each field of an assertion with a value that it refuses, and the refusal.
fn assert_refusals(cases: &[(&str, &str, &str)]) {
    for (field, value, expected) in cases {
        assert_eq!(
            refusal(assertion(field, value)),
            *expected,
            "{field} {value}"
        );
    }
}

#[test]
fn names_of_an_assertion() {
    let did_key = "agent: is no did:key of an Ed25519 key, which begins with did:key:z6Mk";
    let cases = [
        ("subject", "5", "subject: expected a string, found 5"),
        ("subject", "null", "subject: missing"),
        (
            "subject",
            r#"["s"]"#,
            "subject: expected a string, found a list",
        ),
        (
            "subject",
            r#""""#,
            "subject: is empty; a name has at least one character",
        ),
        (
            "subject",
            r#""bel\u0007""#,
            "subject: holds the control character U+0007 at byte 3",
        ),
        (
            "subject",
            r#""\ud800""#,
            "subject: holds half of a surrogate pair, which is no character",
        ),
        (
            "predicate",
            "\"\u{7f}\"",
            "predicate: holds the control character U+007F at byte 0",
        ),
        ("agent", r#""did:key:abc""#, did_key),
        ("source", "{}", "source: expected a string, found a map"),
        ("source", "true", "source: expected a string, found true"),
    ];
    assert_refusals(&cases);
}

#[test]
fn numbers_and_times() {
    let times = "(Unix milliseconds)";
    let cases = [
        ("confidence", "1.5", "confidence: 1.5 is outside 0..=1"),
        ("confidence", "-0.1", "confidence: -0.1 is outside 0..=1"),
        (
            "confidence",
            "1e999",
            "confidence: 1e999 is no finite double",
        ),
        (
            "confidence",
            r#""high""#,
            "confidence: expected a number, found the string \"high\"",
        ),
        (
            "confidence",
            "true",
            "confidence: expected a number, found true",
        ),
        (
            "timestamp",
            "1.0",
            "timestamp: 1.0 is no integer; times are whole Unix milliseconds",
        ),
        (
            "timestamp",
            "1e3",
            "timestamp: 1e3 is no integer; times are whole Unix milliseconds",
        ),
        (
            "timestamp",
            "-1",
            &format!("timestamp: -1 is outside 0..=9007199254740991 {times}"),
        ),
        (
            "timestamp",
            r#""1""#,
            "timestamp: expected a number, found the string \"1\"",
        ),
        (
            "timestamp",
            "9007199254740992",
            &format!("timestamp: 9007199254740992 is outside 0..=9007199254740991 {times}"),
        ),
    ];
    assert_refusals(&cases);
}

#[test]
fn hashes_and_words() {
    let cases = [
        (
            "epoch",
            r#""00""#,
            "epoch: expected 64 lower-case hex digits, found 2 bytes of text",
        ),
        ("parent", "7", "parent: expected a string, found 7"),
        (
            "signature",
            r#""""#,
            "signature: expected 128 lower-case hex digits, found 0 bytes of text",
        ),
        (
            "source_hash",
            &format!("\"0A{}\"", "0".repeat(62)),
            "source_hash: expected 64 lower-case hex digits, found another character at byte 1",
        ),
        (
            "lifecycle",
            r#""Approved""#,
            "lifecycle: \"Approved\" is unknown; known are proposed, under_review, approved, deprecated, rejected",
        ),
        ("lifecycle", "1", "lifecycle: expected a string, found 1"),
        (
            "type",
            r#""claim""#,
            "type: \"claim\" is unknown; known are assertion, vote, epoch",
        ),
        ("type", "null", "type: missing"),
        ("type", "1", "type: expected a string, found 1"),
    ];
    assert_refusals(&cases);
}

#[test]
fn objects() {
    let exactly = "object: expected exactly one of text, number, boolean, reference, found ";
    let cases = [
        ("null", "object: missing".to_owned()),
        ("[1]", format!("{exactly}[1]")),
        ("{}", format!("{exactly}{{}}")),
        (r#"{"text":"a","number":1}"#, format!(r#"{exactly}{{\"text\":\"a\",\"number\":1}}"#)),
        (r#"{"text":"a","text":"a"}"#, format!(r#"{exactly}{{\"text\":\"a\",\"text\":\"a\"}}"#)),
        (r#"{"text":"a","te\u0078t":1}"#, format!(r#"{exactly}{{\"text\":\"a\",\"te\\u0078t\":1}}"#)),
        (r#"{"Text":"a"}"#, format!(r#"{exactly}{{\"Text\":\"a\"}}"#)),
        (r#"{"text":null}"#, "object: expected a string, found null".to_owned()),
        (r#"{"text":1}"#, "object: expected a string, found 1".to_owned()),
        (r#"{"number":"1"}"#, "object: expected a number, found the string \"1\"".to_owned()),
        (r#"{"number":true}"#, "object: expected a number, found true".to_owned()),
        (r#"{"boolean":1}"#, "object: expected true or false, found 1".to_owned()),
        (r#"{"reference":""}"#, "object: is empty; a name has at least one character".to_owned()),
        (r#"{"\ud800":""}"#, "object: holds half of a surrogate pair, which is no character".to_owned()),
        (
            "9007199254740993",
            "object: the integer 9007199254740993 cannot be held exactly by a double; write it as text".to_owned(),
        ),
        ("-1e400", "object: -1e400 is no finite double".to_owned()),
        (
            r#"{"reference":"a\nb"}"#,
            "object: holds the control character U+000A at byte 1".to_owned(),
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(refusal(assertion("object", value)), expected, "{value}");
    }
}

#[test]
fn limits_are_named_with_the_length() {
    let long = |length| format!("\"{}\"", "x".repeat(length));
    let reference = format!("{{\"reference\":{}}}", long(1025));
    let cases = [
        (
            "subject",
            long(1025),
            "subject: is 1025 bytes long; at most 1024 are allowed",
        ),
        (
            "predicate",
            long(257),
            "predicate: is 257 bytes long; at most 256 are allowed",
        ),
        (
            "agent",
            long(513),
            "agent: is 513 bytes long; at most 512 are allowed",
        ),
        (
            "source",
            long(513),
            "source: is 513 bytes long; at most 512 are allowed",
        ),
        (
            "quote",
            long(65537),
            "quote: is 65537 bytes long; at most 65536 are allowed",
        ),
        (
            "object",
            reference,
            "object: is 1025 bytes long; at most 1024 are allowed",
        ),
    ];
    for (field, value, expected) in cases {
        assert_eq!(refusal(assertion(field, &value)), expected);
    }
}

#[test]
fn fields_that_do_not_belong_there() {
    let known = "known are type, subject, predicate, object, agent, confidence, source, source_hash, quote, timestamp, epoch, parent, lifecycle, signature";
    for (name, value) in [
        ("agnet", "\"a\""),
        ("weight", "null"),
        ("Subject", "[[{\"a\":1}]]"),
    ] {
        let expected = format!("{name}: unknown field of an assertion; {known}");
        assert_eq!(refusal(assertion(name, value)), expected);
    }
    assert_eq!(
        refusal(r#"{"type":"vote","confidence":1}"#),
        "confidence: unknown field of a vote; known are type, assertion, agent, weight, timestamp, signature"
    );
    assert_eq!(
        refusal(r#"{"type":"epoch","subject":"s"}"#),
        "subject: unknown field of an epoch; known are type, name, agent, description, supersedes, starts_at, signature"
    );
    let hostile = assertion(&format!("\\u001b[31m{}", "x".repeat(99)), "1");
    let shown = format!("\\u{{1b}}[31m{}...: unknown field", "x".repeat(35));
    assert!(
        refusal(&hostile).starts_with(&shown),
        "{}",
        refusal(hostile)
    );
}

#[test]
fn fields_given_twice_and_not_at_all() {
    let base = assertion("object", "1");
    let twice = |pair: &str| refusal(base.replace('}', &format!(",{pair}}}")));
    assert_eq!(
        twice(r#""subject":"s""#),
        "subject: given twice; a field stands once in a record"
    );
    assert_eq!(
        twice(r#""s\u0075bject":null"#),
        "subject: given twice; a field stands once in a record"
    );
    assert_eq!(
        twice(r#""quote":null,"quote":"q""#),
        "quote: given twice; a field stands once in a record"
    );
    assert_eq!(
        twice(r#""type":"vote""#),
        "type: given twice; a field stands once in a record"
    );
    let required = [
        ("{}", "type"),
        (r#"{"type":"assertion"}"#, "subject"),
        (r#"{"type":"assertion","subject":"s"}"#, "predicate"),
        (
            r#"{"type":"assertion","subject":"s","predicate":"p"}"#,
            "object",
        ),
        (
            r#"{"type":"assertion","subject":"s","predicate":"p","object":1}"#,
            "agent",
        ),
        (r#"{"type":"vote"}"#, "assertion"),
        (r#"{"type":"epoch"}"#, "name"),
        (r#"{"type":"epoch","name":"n"}"#, "agent"),
    ];
    for (line, field) in required {
        assert_eq!(refusal(line), format!("{field}: missing"));
    }
    let vote = format!(
        r#"{{"type":"vote","assertion":"{}","agent":"a""#,
        "0".repeat(64)
    );
    assert_eq!(refusal(format!("{vote}}}")), "weight: missing");
    assert_eq!(
        refusal(format!("{vote},\"weight\":-1.01}}")),
        "weight: -1.01 is outside -1..=1"
    );
}

#[test]
fn lines_that_are_no_json() {
    let good = assertion("object", "1");
    let cases: [(&[u8], &str); 16] = [
        (b"", "malformed JSON at column 0: EOF while parsing a value"),
        (b"nonsense", "malformed JSON at column 2: expected ident"),
        (b"5", "expected a JSON object with the fields of a record"),
        (b"[1]", "expected a JSON object with the fields of a record"),
        (
            b"\"type\"",
            "expected a JSON object with the fields of a record",
        ),
        (
            b"null",
            "expected a JSON object with the fields of a record",
        ),
        (
            b"{\"type\"",
            "malformed JSON at column 7: EOF while parsing an object",
        ),
        (b"{\"type\" 1}", "malformed JSON at column 9: expected `:`"),
        (
            b"{type:1}",
            "malformed JSON at column 2: key must be a string",
        ),
        (b"{\"a\":01}", "malformed JSON at column 7: invalid number"),
        (b"{\"a\":NaN}", "malformed JSON at column 6: expected value"),
        (
            b"{\"a\":\"\x01\"}",
            "malformed JSON at column 6: control character (\\u0000-\\u001F) found while parsing a string",
        ),
        (
            b"{\"a\":\"\\x\"}",
            "malformed JSON at column 8: invalid escape",
        ),
        (b"{\"a\":1,}", "malformed JSON at column 8: trailing comma"),
        (b"{\"a\":\"\xff\"}", "invalid UTF-8 at column 7"),
        (
            b"\xef\xbb\xbf{}",
            "malformed JSON at column 1: expected value",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(refusal(line), expected, "{}", String::from_utf8_lossy(line));
    }
    let behind = |text: &str| refusal(format!("{good}{text}"));
    let column = good.len() + 2;
    assert_eq!(
        behind(" {}"),
        format!("malformed JSON at column {column}: trailing characters")
    );
    assert_eq!(
        behind(" x"),
        format!("malformed JSON at column {column}: trailing characters")
    );
    assert_eq!(
        refusal("{\"\\udc00\":1}"),
        "malformed JSON at column 8: lone leading surrogate in hex escape"
    );
    // A bomb of brackets neither overflows a stack nor is taken for a record.
    assert!(refusal(assertion("object", &"[".repeat(1 << 20))).starts_with("malformed JSON"));
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    assert!(refusal(assertion("object", &deep)).starts_with("object: expected exactly one of"));
}
