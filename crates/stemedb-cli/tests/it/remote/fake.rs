//! Servers that are none, or break: a clear error, in bounded memory and time.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Home, Run};

/// Commands that ask once, and more often.
const COMMANDS: [&[&str]; 6] = [
    &["stats"],
    &[
        "get",
        "0000000000000000000000000000000000000000000000000000000000000000",
    ],
    &["subjects"],
    &["subject", "s", "--json"],
    &[
        "epochs",
        "0000000000000000000000000000000000000000000000000000000000000000",
    ],
    &["ingest", "claim.ndjson"],
];

/// Answers every request like this, whatever is asked.
fn fake(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the process of the test.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok_and(|length| length > 0) {
                answer(&mut stream);
            }
        }
    });
    url
}

/// Answers every request with this text, and closes the connection.
fn says(answer: impl Into<Vec<u8>>) -> String {
    let answer = answer.into();
    fake(move |stream| drop(stream.write_all(&answer)))
}

fn ok(kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn ask(url: &str, command: &[&str]) -> Run {
    let home = Home::new();
    home.write("claim.ndjson", crate::support::claims(1));
    home.run([&["--url", url], command].concat())
}

/// Every command fails with the same code, and names who is asked.
#[track_caller]
fn fails(url: &str, code: i32, words: &[&str]) {
    for command in COMMANDS {
        let run = ask(url, command).failed(code, words);
        assert!(run.error().contains(url), "{command:?}: {}", run.stderr);
        assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn nobody_there_is_said_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    fails(&url, 4, &["cannot connect", "stemedb serve"]);
}

#[test]
fn a_page_for_people_is_no_answer() {
    let url = says(ok("text/html", "<html>\u{1b}[31mhello</html>"));
    fails(
        &url,
        4,
        &["cannot be understood", "is that a StemeDB server"],
    );
}

#[test]
fn other_json_is_no_answer() {
    for body in [
        "{}",
        "[]",
        "null",
        "{\"items\":[1],\"next_cursor\":null}",
        "{\"items\":[],\"next_cursor\":\"00\"}",
    ] {
        fails(&says(ok("application/json", body)), 4, &["StemeDB"]);
    }
}

#[test]
fn what_is_no_http_is_no_answer() {
    for text in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\u{0}\u{1}\u{2}",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
    ] {
        fails(&says(text), 4, &["broke"]);
    }
    fails(&says(""), 4, &["broke"]);
}

#[test]
fn an_answer_that_breaks_off_is_none() {
    let text = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"assertions\":1,";
    fails(&says(text), 4, &["broke"]);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"ass\r\n";
    fails(&says(chunked), 4, &["broke"]);
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let url = fake(|stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        let mut written = stream.write_all(head.as_bytes());
        while written.is_ok() {
            written = stream.write_all(&[b'['; 1 << 14]);
        }
    });
    fails(&url, 4, &["is longer than"]);
}

#[test]
fn a_head_without_end_is_cut_off() {
    let url = fake(|stream| {
        let mut written = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while written.is_ok() {
            written = stream.write_all(b"x-more: and more and more and more\r\n");
        }
    });
    fails(&url, 4, &["broke"]);
}

#[test]
fn nobody_is_followed_elsewhere() {
    let url = says(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    fails(&url, 4, &["status 302"]);
}

#[test]
fn what_a_server_says_does_not_steer_a_terminal() {
    let problem = |status: u16, code: &str| {
        let body = format!(
            r#"{{"type":"t","title":"t","status":{status},"detail":"no \u001b[31m\u009b\nway","code":"{code}","request_id":"\u001br"}}"#
        );
        let length = body.len();
        format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    fails(
        &says(problem(401, "unauthenticated")),
        4,
        &["no \\u{1b}[31m", "token"],
    );
    fails(
        &says(problem(500, "corruption")),
        5,
        &["no \\u{1b}[31m", "(request \\u{1b}r)", "log"],
    );
    fails(
        &says(problem(422, "invalid_record")),
        2,
        &["no \\u{1b}[31m"],
    );
}

#[test]
fn a_record_under_another_id_is_refused() {
    let record = r#"{"id":"0000000000000000000000000000000000000000000000000000000000000000","sequence":1,"arrived_at":"2026-01-01T00:00:00.000Z","type":"assertion","subject":"s","predicate":"p","object":{"number":1.0},"agent":"a","confidence":1.0}"#;
    let stats = r#"{"assertions":1,"votes":0,"epochs":0,"quarantined":0,"durable_sequence":1,"applied_sequence":1,"journal":{"id":"x","head_hash":null,"segments":1,"bytes":1},"store":{"kind":"hybrid","bytes":1}}"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            let is_stats = head[..length].starts_with(b"GET /v1/stats");
            let body = if is_stats { stats } else { record };
            stream
                .write_all(ok("application/json", body).as_bytes())
                .unwrap();
        }
    });
    ask(&url, COMMANDS[1]).failed(5, &["has another id"]);
}
