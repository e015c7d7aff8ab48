use axum::http::{HeaderMap, HeaderValue};

use super::Form;
use crate::wire::{ChangeEnd, ChangeLine, Code, Heartbeat};

#[test]
fn events_are_given_to_whoever_names_them_and_lines_to_all_others() {
    let form = |accept: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static(accept));
        Form::of(&headers)
    };
    assert_eq!(Form::of(&HeaderMap::new()), Form::Lines);
    for accept in ["*/*", "application/x-ndjson", "text/*, application/json"] {
        assert_eq!(form(accept), Form::Lines);
    }
    for accept in ["text/event-stream", "text/html, Text/Event-Stream;q=0.5"] {
        assert_eq!(form(accept), Form::Events);
    }
}

#[test]
fn an_event_ends_with_an_empty_line_and_a_line_is_read_as_it_was_written() {
    let heartbeat = Heartbeat {
        heartbeat: true,
        applied_sequence: 9,
        next_since: 7,
    };
    let end = ChangeEnd {
        end: true,
        reason: Some(Code::ShuttingDown),
        detail: "over".to_owned(),
        next_since: 7,
    };
    let written = |form: Form| {
        let mut text = Vec::new();
        form.heartbeat(&mut text, heartbeat.clone());
        form.end(&mut text, end.clone());
        String::from_utf8(text).unwrap()
    };
    let json = r#"{"end":true,"reason":"shutting_down","detail":"over","next_since":7}"#;
    let events = format!(": heartbeat\nid: 7\n\nid: 7\nevent: end\ndata: {json}\n\n");
    assert_eq!(written(Form::Events), events);
    let text = written(Form::Lines);
    let lines: Vec<ChangeLine> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        [ChangeLine::Heartbeat(heartbeat), ChangeLine::End(end)]
    );
}
