use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    ARRAY_RECORDS_MAX, Form, JSON_DEPTH_MAX, SCANNED_BYTES, check_depth, check_form, next_capacity,
    prepare, read,
};
use crate::courtesy::lets_others_run;
use crate::wire::Code;

const CLAIM: &str = r#""subject":"s","predicate":"p","object":1,"agent":"a""#;

#[test]
fn the_type_of_the_route_is_filled_in_and_no_other_is_taken() {
    let typed = read(
        format!(r#"{{"type":"assertion",{CLAIM}}}"#).as_bytes(),
        "assertion",
    )
    .unwrap();
    assert_eq!(
        read(format!("{{{CLAIM}}}").as_bytes(), "assertion").unwrap(),
        typed
    );
    assert_eq!(
        read(format!("{{ {CLAIM} }}").as_bytes(), "assertion").unwrap(),
        typed
    );

    let refused = |text: &str| read(text.as_bytes(), "vote").unwrap_err();
    assert_eq!(
        refused(&format!(r#"{{"type":"assertion",{CLAIM}}}"#)),
        "type: this route takes records of type vote, found assertion"
    );
    assert_eq!(refused("{ }"), "assertion: missing");
    assert_eq!(
        refused("7"),
        "expected a JSON object with the fields of a record"
    );
}

#[test]
fn a_type_that_is_null_or_given_twice_is_not_filled_in() {
    let refused = |text: &str| read(text.as_bytes(), "assertion").unwrap_err();
    assert_eq!(
        refused(&format!(r#"{{"type":null,{CLAIM}}}"#)),
        "type: missing"
    );
    let twice = format!(r#"{{"type":"assertion","type":"assertion",{CLAIM}}}"#);
    assert!(refused(&twice).starts_with("type: given twice"));
    let escaped = format!(r#"{{"t\u0079pe":"vote",{CLAIM}}}"#);
    assert!(!refused(&escaped).contains("given twice"));
}

#[test]
fn bodies_that_are_no_json_are_told_from_records_that_are_wrong() {
    let code = |body: &[u8]| prepare(body, "assertion").unwrap_err().code;
    for body in [
        &b""[..],
        b"{",
        b"[",
        b"[1,]",
        b"{} {}",
        b"\xff",
        b"{\"a\":\"\xff\"}",
        b"nul",
    ] {
        assert_eq!(code(body), Code::InvalidJson, "{body:?}");
    }
    for body in [&b"{}"[..], b"[]", b"[1]", b"7", b"null", b"\"\"", b"[[]]"] {
        assert_eq!(code(body), Code::InvalidRecord, "{body:?}");
    }
    let good = prepare(format!(" {{{CLAIM}}}\n").as_bytes(), "assertion").unwrap();
    assert_eq!((good.form, good.prepared.len()), (Form::One, 1));
}

#[test]
fn what_is_long_and_nested_too_deep_is_not_followed_to_its_end() {
    let refused = |text: &str| prepare(text.as_bytes(), "assertion").unwrap_err();
    let is_too_deep = |text: &str| refused(text).detail.contains("deeper than 128 levels");
    let blanks = " ".repeat(SCANNED_BYTES);
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let deep = open.repeat(JSON_DEPTH_MAX + 1);
        assert!(
            !is_too_deep(&deep),
            "where it is short the parser says what is wrong"
        );
        assert!(is_too_deep(&(deep.clone() + &blanks)), "{open}");
        // Beyond the first part, and from one into the next.
        assert!(is_too_deep(&(blanks.clone() + &deep)), "{open}");
        let half = blanks.get(deep.len() / 2..).unwrap();
        assert!(is_too_deep(&(half.to_owned() + &deep)), "{open}");
    }
    let problem = refused(&("[".repeat(JSON_DEPTH_MAX + 1) + &blanks));
    assert_eq!(problem.code, Code::InvalidRecord);
    assert!(
        problem.detail.contains("at byte 128,"),
        "{}",
        problem.detail
    );
    // As deep as may be, and as wide as it wants.
    let closed = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
    assert!(!is_too_deep(&(closed + &blanks)));
    let wide = format!("[{}[]]", "[],".repeat(SCANNED_BYTES));
    assert_eq!(refused(&wide).code, Code::BodyTooLarge);
    // In a text they are no brackets, whatever is escaped in it, however long it is, and wherever a part of it ends.
    for text in [r#""[""#, r#""{""#, r#""\"[""#, r#""\\","[""#, r#""\\\"[""#] {
        let texts = format!("[{}0]", format!("{text},").repeat(SCANNED_BYTES / 3));
        assert!(!is_too_deep(&texts), "{text}");
        for shift in 0..12 {
            let filled = format!("[\"{}{}", "-".repeat(SCANNED_BYTES - shift), &text[1..]);
            let brackets = "[".repeat(JSON_DEPTH_MAX);
            assert!(
                !is_too_deep(&format!("{filled}{}", &brackets[1..])),
                "{text} {shift}"
            );
            assert!(is_too_deep(&(filled + &brackets)), "{text} {shift}");
        }
    }
    let endless = format!("[\"{}", "[".repeat(3 * SCANNED_BYTES));
    assert!(!is_too_deep(&endless));
    let behind_texts = format!(
        "[{}{}",
        r#""\\","\"","#.repeat(SCANNED_BYTES / 3),
        "[".repeat(JSON_DEPTH_MAX)
    );
    assert!(is_too_deep(&behind_texts));
}

#[test]
fn a_long_body_lets_others_run_while_its_depth_is_looked_at() {
    let blanks = " ".repeat(SCANNED_BYTES);
    let texts = "\"[\",".repeat(SCANNED_BYTES / 4 + 1);
    let text = format!("\"{}\"", "[".repeat(2 * SCANNED_BYTES));
    let escapes = format!("\"{}\"", r"\n".repeat(SCANNED_BYTES));
    for rest in [blanks, texts, text, escapes] {
        let body = format!("[{rest}");
        // Its turn was over before.
        assert!(lets_others_run(|| drop(check_depth(body.as_bytes()))));
    }
}

#[test]
fn an_array_has_its_limit_and_its_faults_are_counted() {
    let array = |element: &str, count: usize| format!("[{}]", vec![element; count].join(","));
    let most = array(&format!("{{{CLAIM}}}"), ARRAY_RECORDS_MAX);
    let records = prepare(most.as_bytes(), "assertion").unwrap();
    assert_eq!(
        (records.form, records.prepared.len()),
        (Form::Array, ARRAY_RECORDS_MAX)
    );

    let more = prepare(array("1", ARRAY_RECORDS_MAX + 1).as_bytes(), "vote").unwrap_err();
    assert_eq!(more.code, Code::BodyTooLarge);
    let bad = prepare(array("1", 500).as_bytes(), "vote").unwrap_err();
    assert_eq!((bad.code, bad.errors.len()), (Code::InvalidRecord, 100));
    assert!(bad.detail.contains("500 of 500 records"), "{}", bad.detail);
}

#[test]
fn json_has_to_be_said() {
    let accepted = |name: &'static str, value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        check_form(&headers).is_ok()
    };
    assert!(accepted("content-type", "Application/JSON ; charset=utf-8"));
    assert!(accepted("content-encoding", "identity"));
    assert!(!accepted(
        "content-type",
        "application/x-www-form-urlencoded"
    ));
    assert!(!accepted("content-type", "application/jsonp"));
    assert!(!accepted("content-encoding", "gzip"));
    assert!(check_form(&HeaderMap::new()).is_err());
}

#[test]
fn a_short_body_is_allocated_once_and_a_long_one_holds_twice_what_came_at_most() {
    assert_eq!(next_capacity(0, 1, 1000), 1000);
    assert_eq!(next_capacity(0, 1, 8 << 20), 1, "what is said alone");
    assert_eq!(next_capacity(1000, 1500, 8 << 20), 2000);
    assert_eq!(next_capacity(1000, 5000, 8 << 20), 5000);
    assert_eq!(
        next_capacity(5 << 20, 6 << 20, 8 << 20),
        8 << 20,
        "no more than it may be"
    );
    assert_eq!(next_capacity(0, 9, 1), 9, "what came is there");
}
