//! The server as whoever operates it sees it: its log, its metrics, and whether it is ready.

use std::{io::Read as _, process::Command};

use serde_json::Value;

use super::{
    serve::Server,
    support::{Home, can_trace, claims},
    torture::trace::{Effect, Fault},
};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

fn serve(home: &Home, args: &[&str]) -> Command {
    home.command(SERVE.iter().chain(args))
}

/// Ends the server in order, and gives all that it said after its address.
fn end(mut server: Server) -> String {
    server.signal("TERM");
    let mut said = String::new();
    server.stderr.read_to_string(&mut said).unwrap();
    assert_eq!(server.code(), Some(0), "{said}");
    said
}

/// The value of a header.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| *found == name).unwrap().1
}

#[test]
fn every_line_of_a_json_log_is_json_and_tells_of_each_request_once() {
    let home = Home::new();
    let log = ["--log-format", "json", "--log", "info"];
    let (server, mut said) = Server::of(serve(&home, &log));
    let body = r#"{"subject":"a secret","predicate":"p","object":1,"agent":"a"}"#;
    let (head, _) = server.ask_text("POST /v1/assertions?token=hidden", body);
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let (head, receipt) = server.ask_text("POST /v1/assertions", body);
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    server.ask_text("GET /a%20path?token=hidden", "");
    let second = home.run(SERVE.iter().chain(&log));
    let refused: Value = serde_json::from_str(&second.ended(4).stderr).unwrap();
    assert_eq!(refused["level"], "ERROR");
    assert!(refused["message"].as_str().unwrap().contains("in use"));
    said.push_str(&end(server));
    for unsaid in ["secret", "hidden", "token", "path"] {
        assert!(!said.contains(unsaid), "{unsaid} is in {said}");
    }
    let lines = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<_> = lines.collect();
    let of = |message: &str| {
        let of = |line: &&Value| line["message"].as_str().unwrap().starts_with(message);
        lines.iter().filter(of).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("created a database").len(), of("stopping").len()),
        (1, 1)
    );
    let answered = of("answered");
    let told = |line: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let status = line["status"].as_u64().unwrap();
        (text(&line["span"]["route"]), status, text(&line["code"]))
    };
    let expected = [
        ("/v1/assertions", 400, "bad_query"),
        ("/v1/assertions", 201, "none"),
        ("none", 404, "not_found"),
    ];
    let expected = expected.map(|(route, status, code)| (route.into(), status, code.into()));
    assert_eq!(
        answered.iter().map(|line| told(line)).collect::<Vec<_>>(),
        expected
    );
    let stored = answered[1];
    assert_eq!(stored["level"], "INFO");
    assert_eq!(
        (&stored["bytes_in"], &stored["bytes_out"]),
        (&body.len().into(), &receipt.len().into())
    );
    let span = &stored["span"];
    assert_eq!(span["method"], "POST");
    assert_eq!(span["request_id"], header(&head, "x-request-id"));
    let parent = format!(
        "00-{}-{}-00",
        span["trace_id"].as_str().unwrap(),
        span["span_id"].as_str().unwrap()
    );
    assert_eq!(header(&head, "traceparent"), parent);
}

#[test]
fn a_log_for_people_says_what_was_asked_for() {
    let home = Home::new();
    let (server, _) = Server::of(serve(&home, &[]));
    server.ask("GET /v1/stats", "");
    assert_eq!(end(server), "stopping; a second signal stops at once\n");
    let mut chosen = serve(&home, &["--log", "info"]);
    chosen.env("STEMEDB_LOG", "error");
    let (server, _) = Server::of(chosen);
    server.ask("GET /v1/stats", "");
    let said = end(server);
    let lines: Vec<_> = said
        .lines()
        .filter(|line| line.contains("answered"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].contains(r#"INFO request{method="GET" route="/v1/stats""#),
        "{said}"
    );
    assert!(lines[0].contains(" status=200 "), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    let mut by_variable = serve(&home, &[]);
    by_variable.env("STEMEDB_LOG", "warn,stemedb_server=info");
    let (server, _) = Server::of(by_variable);
    server.ask("GET /v1/stats", "");
    assert!(end(server).contains("answered"));
    for text in ["loud", "warn,stemedb_wal"] {
        let refused = home.run(SERVE.iter().chain(&["--log", text])).ended(2);
        assert!(
            refused.stderr.contains("error, warn, info"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn after_a_failed_fsync_it_is_alive_reads_and_is_not_ready() {
    if !can_trace() {
        return;
    }
    let home = Home::with(&claims(1));
    let fault = Fault {
        call: "fdatasync",
        // Opening the database makes fewer on any one thread.
        nth: 10,
        effect: Effect::Error("EIO"),
        files: &[],
    };
    let args = [&SERVE[..], &["--log-format", "json"]].concat();
    let command = fault.command(&home, &args);
    let (mut server, _) = Server::of(command);
    let metric = |server: &Server, line: &str| {
        let (_, text) = server.ask_text("GET /metrics", "");
        text.lines().any(|found| found == line)
    };
    assert_eq!(server.ask("GET /healthz/ready", "").0, 200);
    assert!(metric(&server, "stemedb_ready 1"));
    // The first of these that fails ends the journal.
    let claim =
        |number| format!(r#"{{"subject":"s","predicate":"p","object":{number},"agent":"a"}}"#);
    let failed = (0..40).map(|number| server.ask("POST /v1/assertions", &claim(number)));
    let (status, problem) = failed
        .into_iter()
        .find(|(status, _)| *status != 201)
        .unwrap();
    assert_eq!(status, problem["status"]);
    assert!(status >= 500, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("outcome unknown"),
        "{problem}"
    );

    let (status, ready) = server.ask("GET /healthz/ready", "");
    assert_eq!((status, &ready["code"]), (503, &"unavailable".into()));
    let reason = ready["detail"].as_str().unwrap();
    assert!(
        reason.starts_with("no records are accepted any more"),
        "{reason}"
    );
    assert_eq!(server.ask("GET /healthz/live", "").0, 200);
    assert_eq!(server.ask("GET /v1/subjects", "").0, 200);
    assert!(server.ask("POST /v1/assertions", &claim(99)).0 >= 500);
    for line in [
        "stemedb_ready 0",
        "stemedb_health{state=\"not_writable\"} 1",
        "stemedb_health{state=\"good\"} 0",
    ] {
        assert!(metric(&server, line), "{line}");
    }

    // The program, and not strace, is told to end.
    let process = home.read("stemedb-data/wal/pid");
    let mut kill = Command::new("kill");
    assert!(
        kill.args(["-s", "TERM", process.trim()])
            .status()
            .unwrap()
            .success()
    );
    let mut said = String::new();
    server.stderr.read_to_string(&mut said).unwrap();
    assert!(server.code().is_some());
    for line in said.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert!(said.contains(r#""level":"ERROR""#), "{said}");
    home.run(["verify"]).fine();
}
