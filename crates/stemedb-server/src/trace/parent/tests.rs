use axum::http::{HeaderMap, HeaderValue};

use super::{HEADER, TraceIds, parse, scatter};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn given(values: &[&str]) -> HeaderMap {
    let values = values
        .iter()
        .map(|value| HeaderValue::from_str(value).unwrap());
    values.map(|value| (HEADER, value)).collect()
}

#[test]
fn what_is_well_formed_is_taken() {
    for (text, flags) in [
        (format!("00-{TRACE}-{SPAN}-01"), 1),
        (format!("00-{TRACE}-{SPAN}-00"), 0),
        (format!("00-{TRACE}-{SPAN}-ff"), 1),
        (format!("cc-{TRACE}-{SPAN}-01"), 1),
        (format!("cc-{TRACE}-{SPAN}-01-what the future brings"), 1),
    ] {
        assert_eq!(parse(&text), Some((TRACE, flags)), "{text}");
    }
}

#[test]
fn what_is_malformed_is_ignored() {
    let zeros = "0".repeat(32);
    let upper = TRACE.to_uppercase();
    for text in [
        String::new(),
        "00".to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-0g"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-011"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("cc-{TRACE}-{SPAN}-01.more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-001"),
        format!("00-{upper}-{SPAN}-01"),
        format!("00-{zeros}-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", &zeros[..16]),
        format!("00-{SPAN}-{TRACE}-01"),
        format!("00_{TRACE}_{SPAN}_01"),
        format!(" 00-{TRACE}-{SPAN}-01"),
        format!("00-{}\u{e9}-{SPAN}-01", &TRACE[..30]),
    ] {
        assert_eq!(parse(&text), None, "{text}");
    }
}

#[test]
fn a_request_is_a_new_span_of_the_trace_of_its_caller() {
    let ids = TraceIds::new().unwrap();
    let caller = given(&[&format!("00-{TRACE}-{SPAN}-01")]);
    let (first, second) = (ids.of(&caller), ids.of(&caller));
    assert_eq!((first.trace_id(), second.trace_id()), (TRACE, TRACE));
    assert_ne!(first.span_id(), second.span_id());
    assert_ne!(first.span_id(), SPAN);
    let header = first.to_header();
    let again = parse(header.to_str().unwrap());
    assert_eq!(again, Some((TRACE, 1)));
}

#[test]
fn without_a_caller_that_tells_of_one_a_trace_begins() {
    let ids = TraceIds::new().unwrap();
    let sound = format!("00-{TRACE}-{SPAN}-01");
    // Which one of two would be meant cannot be known.
    for values in [&[][..], &["nonsense"], &[&sound, &sound]] {
        let (first, second) = (ids.of(&given(values)), ids.of(&given(values)));
        assert_ne!(first.trace_id(), TRACE);
        assert_ne!(first.trace_id(), second.trace_id());
        let header = first.to_header();
        let own = parse(header.to_str().unwrap()).unwrap();
        assert_eq!(own, (first.trace_id(), 0));
    }
}

#[test]
fn no_id_is_zero() {
    // This is the seed that gives 0 first.
    assert_eq!(scatter(0, 0), 1);
}
