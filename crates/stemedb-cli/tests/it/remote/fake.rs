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

const STATS: &str = r#"{"assertions":1,"votes":0,"epochs":0,"quarantined":0,"durable_sequence":1,"applied_sequence":1,"journal":{"id":"x","head_hash":null,"segments":1,"bytes":1},"store":{"kind":"hybrid","bytes":1}}"#;

const LIVE: &str = r#"{"status":"live"}"#;

/// Answers by the path, from the last answer that was not given yet; `answers` are beginnings of requests, and whole answers.
fn routes(answers: Vec<(&'static str, String)>) -> String {
    let mut answers = answers;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = vec![0; 1 << 16];
            let length = stream.read(&mut head).unwrap();
            let begins = |(path, _): &(&str, String)| head[..length].starts_with(path.as_bytes());
            let Some(at) = answers.iter().rposition(begins) else {
                continue;
            };
            stream.write_all(answers[at].1.as_bytes()).unwrap();
            // The first answer to a path is given for ever.
            let path = answers[at].0;
            if answers.iter().filter(|(other, _)| *other == path).count() > 1 {
                answers.remove(at);
            }
        }
    });
    url
}

fn json(body: &str) -> String {
    ok("application/json", body)
}

#[test]
fn a_record_under_another_id_is_refused() {
    let record = r#"{"id":"0000000000000000000000000000000000000000000000000000000000000000","sequence":1,"arrived_at":"2026-01-01T00:00:00.000Z","type":"assertion","subject":"s","predicate":"p","object":{"number":1.0},"agent":"a","confidence":1.0}"#;
    let url = routes(vec![
        ("GET /v1/stats", json(STATS)),
        ("GET /v1/records", json(record)),
    ]);
    ask(&url, COMMANDS[1]).failed(5, &["has another id"]);
}

/// The record of `claims(1)`, as a feed gives it.
fn line() -> String {
    let home = Home::with(&crate::support::claims(1));
    let id = home.run(["export", "--ids"]).fine().stdout;
    home.run(["get", "--json", id.trim()]).fine().stdout
}

#[test]
fn an_export_without_its_end_fails() {
    let (line, stats) = (line(), ("GET /v1/stats", json(STATS)));
    let feed = |end: &str| {
        let feed = ok("application/x-ndjson", &format!("{line}{end}"));
        routes(vec![stats.clone(), ("GET /v1/changes", feed)])
    };
    let exported = |end: &str| {
        let url = feed(end);
        ask(&url, &["export"])
    };
    let whole = exported("{\"end\":true,\"reason\":null,\"detail\":\"all\",\"next_since\":1}\n");
    assert_eq!(whole.fine().stdout.lines().count(), 1);
    let cut = exported("").ended(4);
    assert!(cut.error().contains("broke off"), "{}", cut.stderr);
    let half = exported("{\"end\":true,\"rea").ended(4);
    assert!(half.error().contains("broke off"), "{}", half.stderr);
    let over = exported(
        "{\"end\":true,\"reason\":\"shutting_down\",\"detail\":\"over\",\"next_since\":1}\n",
    );
    assert!(over.ended(4).error().contains("over"));
    let twice = exported(&line).ended(4);
    assert!(
        twice.error().contains("sequence 1 behind 1"),
        "{}",
        twice.stderr
    );
}

fn result(line: &str, number: u64) -> String {
    let stored: serde_json::Value = serde_json::from_str(line).unwrap();
    let id = stored["id"].as_str().unwrap();
    format!("{{\"line\":{number},\"status\":\"stored\",\"id\":\"{id}\",\"sequence\":1}}\n")
}

const END: &str = "{\"end\":true,\"lines\":1,\"stored\":1,\"duplicates\":0,\"rejected\":0,\"durable_sequence\":1}\n";

/// Ingests one claim where the uploads are answered so, one after the other.
fn upload(answers: Vec<String>) -> Run {
    let mut all = vec![
        ("GET /healthz/live", json(LIVE)),
        ("GET /v1/stats", json(STATS)),
    ];
    let uploads = answers.into_iter().rev();
    all.extend(uploads.map(|answer| ("POST /v1/records", answer)));
    ask(&routes(all), &["ingest", "claim.ndjson", "--json"])
}

#[test]
fn what_has_no_result_is_sent_again() {
    let line = line();
    let lines = |text: &str| ok("application/x-ndjson", text);
    let good = lines(&(result(&line, 1) + END));
    let busy = "HTTP/1.1 503 X\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"line\"";
    let run = upload(vec![busy.into(), broken.into(), lines(""), good]).fine();
    assert_eq!(
        (&run.json()["stored"], &run.json()["rejected"]),
        (&1.into(), &0.into())
    );
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("status 503; try again later; what has no result is sent again"),
        "{}",
        run.stderr
    );
    // The end was missing, the result was not.
    let run = upload(vec![lines(&result(&line, 1)), "never asked for".into()]).fine();
    assert_eq!(run.json()["stored"], 1);
    assert_eq!(run.stderr, "");
}

#[test]
fn results_that_do_not_fit_the_lines_are_refused() {
    let line = line();
    let lines = |text: String| ok("application/x-ndjson", &text);
    let other = {
        let right = result(&line, 1);
        let at = right.find("\"id\":\"").unwrap() + 6;
        format!("{}{}{}", &right[..at], "0".repeat(64), &right[at + 64..])
    };
    for (answer, words) in [
        (lines(result(&line, 2) + END), "order of the lines"),
        (lines(END.to_owned()), "fewer results"),
        (
            lines(result(&line, 1) + &result(&line, 2) + END),
            "more results",
        ),
        (lines(result(&line, 1) + END + END), "behind its last line"),
        (lines(other + END), "another record"),
    ] {
        let run = upload(vec![answer]).ended(4);
        assert!(run.error().contains(words), "{words}: {}", run.stderr);
    }
}

/// Reads one request: its first line and its body.
fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut text = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).unwrap();
        text.extend_from_slice(&piece[..length]);
        let said = String::from_utf8(text.clone()).unwrap();
        let Some((head, body)) = said.split_once("\r\n\r\n") else {
            assert!(length > 0);
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return (head.lines().next().unwrap().to_owned(), body.to_owned());
        }
    }
}

#[test]
fn what_has_its_result_is_not_sent_again() {
    let claims = crate::support::claims(3);
    let home = Home::with(&claims);
    let ids = home.run(["export", "--ids"]).fine().stdout;
    let stored = |id: &str, line: u64| {
        format!("{{\"line\":{line},\"status\":\"stored\",\"id\":\"{id}\",\"sequence\":{line}}}\n")
    };
    let ids: Vec<_> = ids.lines().map(str::to_owned).collect();
    let halves = [
        stored(&ids[0], 1),
        stored(&ids[1], 1) + &stored(&ids[2], 2) + &END.replace(":1", ":2"),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, bodies) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut halves = halves.into_iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (line, body) = read_request(&mut stream);
            let answer = match line.split(' ').nth(1).unwrap() {
                "/healthz/live" => json(LIVE),
                "/v1/stats" => json(&STATS.replace("_sequence\":1", "_sequence\":3")),
                _ => {
                    sender.send(body).unwrap();
                    ok("application/x-ndjson", &halves.next().unwrap())
                }
            };
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    home.write("claims.ndjson", &claims);
    let run = home
        .run(["--url", &url, "ingest", "claims.ndjson", "--json"])
        .fine();
    assert_eq!(run.json()["stored"], 3);
    assert!(
        run.stderr.contains("its answer broke off"),
        "{}",
        run.stderr
    );
    let lines: Vec<_> = claims.split_inclusive('\n').collect();
    assert_eq!(
        bodies.try_iter().collect::<Vec<_>>(),
        [lines.concat(), lines[1..].concat()]
    );
}
