//! The trace that a request is part of is told to whoever asked.

use crate::support::{Answer, Home};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// The trace, the span and the flags of an answer.
fn told(answer: &Answer) -> (&str, &str, &str) {
    let parts: Vec<_> = answer.header("traceparent").split('-').collect();
    assert_eq!(parts.len(), 4);
    assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("00", 32, 16));
    (parts[1], parts[2], parts[3])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_the_caller_goes_on_whatever_the_answer() {
    let home = Home::new();
    let parent = format!("00-{TRACE}-{SPAN}-01");
    for (path, status) in [("/v1/stats", 200), ("/nowhere", 404), ("/v1/votes", 405)] {
        let answer = home.get_with(path, &[("traceparent", &parent)]).await;
        let answer = answer.ok(status);
        let (trace, span, flags) = told(&answer);
        assert_eq!((trace, flags), (TRACE, "01"));
        assert_ne!(span, SPAN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_malformed_is_replaced() {
    let home = Home::new();
    let malformed = format!("00-{TRACE}-{SPAN}-01-x");
    let malformed = [("traceparent", malformed.as_str())];
    let first = home.get_with("/v1/stats", &malformed).await.ok(200);
    let second = home.get("/v1/stats").await.ok(200);
    assert_ne!(told(&first).0, TRACE);
    assert_ne!(told(&first).0, told(&second).0);
    assert_eq!(told(&first).2, "00");
}
