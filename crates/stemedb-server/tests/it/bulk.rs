//! Uploads of many lines: a result for each, in order, whatever becomes of the connection.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::Request;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream::{iter, repeat_with, unfold};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use stemedb::RecordId;
use stemedb_server::Settings;
use stemedb_server::wire::{BulkEnd, BulkLine, BulkResult, Code, Fate};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::support::{Answer, Home, ask, claim};

pub(crate) const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// What an upload was answered with.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) results: Vec<BulkResult>,
    pub(crate) end: BulkEnd,
}

pub(crate) fn upload(body: Body, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method("POST").uri("/v1/records");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// Reads the lines of an answer, the last of which is the end.
pub(crate) fn read(text: &str) -> Answered {
    let mut results = Vec::new();
    let mut lines = text.lines();
    for line in lines.by_ref() {
        match serde_json::from_str(line).unwrap() {
            BulkLine::Result(result) => results.push(result),
            BulkLine::End(end) => {
                assert_eq!(lines.next(), None);
                assert_eq!(end.lines, results.len() as u64);
                return Answered { results, end };
            }
        }
    }
    panic!("no end: {text}")
}

async fn send(router: Router, body: impl Into<Body>) -> Answered {
    let answer = ask(router, upload(body.into(), &[NDJSON])).await.ok(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    read(&answer.text)
}

pub(crate) fn typed(subject: &str, number: u64) -> String {
    let mut claim = claim(subject, "p", number);
    claim["type"] = "assertion".into();
    format!("{claim}\n")
}

fn id_of(line: &str) -> RecordId {
    stemedb::Record::from_json(line.trim().as_bytes())
        .unwrap()
        .id()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_has_its_result_in_order() {
    let home = Home::new();
    let vote = json!({"type":"vote","assertion":id_of(&typed("s", 1)),"agent":"a","weight":0.5});
    let epoch = json!({"type":"epoch","name":"2026","agent":"a"});
    let lines = [
        typed("s", 1),
        "\n".to_owned(),
        "{\"type\":\"assertion\"}\n".to_owned(),
        typed("s", 1),
        "   \r\n".to_owned(),
        format!("{vote}\r\n"),
        "nonsense\n".to_owned(),
        format!("{epoch}\n"),
        typed("s", 2).trim().to_owned(),
    ];
    let Answered { results, end } = send(home.service.router(), lines.concat()).await;
    let told: Vec<_> = results
        .iter()
        .map(|result| match &result.fate {
            Fate::Stored { sequence, .. } => (result.line, "stored", *sequence),
            Fate::Duplicate { sequence, .. } => (result.line, "duplicate", *sequence),
            Fate::Rejected { detail } => {
                assert!(!detail.is_empty());
                (result.line, "rejected", 0)
            }
        })
        .collect();
    let expected = [
        (1, "stored", 1),
        (3, "rejected", 0),
        (4, "duplicate", 1),
        (6, "stored", 2),
        (7, "rejected", 0),
        (8, "stored", 3),
        (9, "stored", 4),
    ];
    assert_eq!(told, expected);
    let expected = BulkEnd {
        end: true,
        lines: 7,
        stored: 4,
        duplicates: 1,
        rejected: 2,
        durable_sequence: 4,
        problem: None,
    };
    assert_eq!(end, expected);
    let again = send(home.service.router(), lines.concat()).await;
    assert_eq!(
        (
            again.end.stored,
            again.end.duplicates,
            again.end.durable_sequence
        ),
        (0, 5, 4)
    );
    let (database, _directory) = home.reopened().await;
    assert!(
        database
            .view()
            .unwrap()
            .get(id_of(&lines[8]))
            .unwrap()
            .is_some()
    );
}

/// Lines of which every tenth is no record, and every seventh says what another one said.
fn many(count: u64) -> Vec<String> {
    let line = |number: u64| match number {
        _ if number.is_multiple_of(10) => format!("{{\"no\":\"record {number}\"}}\n"),
        _ if number.is_multiple_of(7) => typed("twice", number / 70),
        _ => typed("s", number),
    };
    (1..=count).map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_come_out_in_order_however_they_are_compressed() {
    const LINES: u64 = 30_000;
    let lines = many(LINES);
    let text = lines.concat();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let bodies = [
        ("identity", text.clone().into_bytes()),
        ("gzip", gzip.finish().unwrap()),
        ("ZSTD", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ];
    let mut stored = None;
    for (encoding, body) in bodies {
        let home = Home::new();
        let pieces: Vec<_> = body.chunks(100_000).map(Bytes::copy_from_slice).collect();
        let body = Body::from_stream(iter(pieces).map(Ok::<_, Infallible>));
        let headers = [NDJSON, ("content-encoding", encoding)];
        let answer = ask(home.service.router(), upload(body, &headers))
            .await
            .ok(200);
        let Answered { results, end } = read(&answer.text);
        assert!(end.end && results.iter().map(|result| result.line).eq(1..=LINES));
        let mut next = 1;
        for (result, line) in results.iter().zip(&lines) {
            match &result.fate {
                Fate::Rejected { .. } => assert_eq!(result.line % 10, 0),
                Fate::Duplicate { id, sequence } => assert!(*id == id_of(line) && *sequence < next),
                Fate::Stored { id, sequence } => {
                    assert!(*id == id_of(line) && *sequence == next);
                    next += 1;
                }
            }
        }
        assert_eq!(end.rejected, LINES / 10);
        assert_eq!(end.stored, end.durable_sequence);
        assert_eq!(*stored.get_or_insert(end.stored), end.stored);
        home.settle();
        assert_eq!(home.database.stats().unwrap().counts.assertions, end.stored);
    }
}

#[tokio::test]
async fn what_is_not_said_to_be_lines_is_refused() {
    let home = Home::new();
    let ask = async |headers: &[(&str, &str)]| {
        let request = upload(Body::from(typed("s", 1)), headers);
        ask(home.service.router(), request).await
    };
    for headers in [
        &[][..],
        &[("content-type", "application/json")],
        &[NDJSON, ("content-encoding", "br")],
        &[NDJSON, ("content-encoding", "gzip, zstd")],
        &[
            NDJSON,
            ("content-encoding", "gzip"),
            ("content-encoding", "gzip"),
        ],
    ] {
        ask(headers).await.problem(Code::UnsupportedMediaType);
    }
    for kind in ["Application/X-NDJSON; charset=utf-8", "application/jsonl"] {
        ask(&[("content-type", kind)]).await.ok(200);
    }
    assert_eq!(home.database.stats().unwrap().durable_sequence, 1);
}

/// A body of these pieces that breaks off behind them.
fn breaking(pieces: Vec<Bytes>) -> Body {
    let end = stream::once(async { Err(std::io::Error::other("gone")) });
    Body::from_stream(iter(pieces).map(Ok).chain(end))
}

#[track_caller]
pub(crate) fn broke_off(answered: &Answered, code: Code) {
    assert!(!answered.end.end);
    assert_eq!(answered.end.problem.as_ref().unwrap().code, code);
}

#[tokio::test]
async fn where_a_body_breaks_off_whole_lines_are_stored_and_the_part_of_one_is_not() {
    let home = Home::new();
    // The part is a record of its own, but for the line feed.
    let text = format!("{}{}", typed("s", 1), typed("s", 2).trim());
    let answered = send(home.service.router(), breaking(vec![text.into()])).await;
    broke_off(&answered, Code::InvalidEncoding);
    assert_eq!((answered.end.lines, answered.end.stored), (1, 1));
    let problem = answered.end.problem.unwrap();
    assert_eq!(problem.r#type, "urn:stemedb:problem:invalid_encoding");
    assert!(!problem.request_id.is_empty());

    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(typed("s", 3).as_bytes()).unwrap();
    let mut gzip = gzip.finish().unwrap();
    gzip.pop();
    let headers = [NDJSON, ("content-encoding", "gzip")];
    let answer = ask(home.service.router(), upload(gzip.into(), &headers)).await;
    let answered = read(&answer.text);
    broke_off(&answered, Code::InvalidEncoding);
    assert_eq!(answered.end.stored, 1);
    assert_eq!(home.database.stats().unwrap().durable_sequence, 2);
}

/// A body of what is sent, which goes on until the sender is dropped.
pub(crate) fn fed<T: Into<Bytes> + Send + 'static>() -> (mpsc::Sender<T>, Body) {
    let (sender, receiver) = mpsc::channel::<T>(1);
    let stream = unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((Ok::<_, Infallible>(piece), receiver))
    });
    (sender, Body::from_stream(stream))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_cut_off() {
    let home = Home::new();
    let (sender, body) = fed();
    sender.send(typed("s", 1)).await.unwrap();
    let answered = send(home.service.router(), body).await;
    broke_off(&answered, Code::BodyTimeout);
    assert_eq!(answered.end.stored, 1);
    drop(sender);
}

/// A body of JSON that has begun and goes on until the sender is dropped.
pub(crate) async fn begun(home: &Home) -> (mpsc::Sender<String>, JoinHandle<Answer>) {
    let (sender, body) = fed();
    let request = Request::builder().method("POST").uri("/v1/assertions");
    let request = request.header("content-type", "application/json");
    let asked = ask(home.service.router(), request.body(body).unwrap());
    let asked = tokio::spawn(asked);
    for _ in 0..3 {
        sender.send("{".to_owned()).await.unwrap();
    }
    (sender, asked)
}

#[tokio::test(start_paused = true)]
async fn a_body_of_json_that_stops_coming_is_cut_off() {
    let mut settings = Settings::default();
    settings.stall_seconds_max = 3;
    let home = Home::with(&settings);
    let (_sender, asked) = begun(&home).await;
    let problem = asked.await.unwrap().problem(Code::BodyTimeout);
    let said = "no bytes of the body came for 3 s, or fewer than 1024 a second for longer than that; nothing was stored";
    assert_eq!(problem.detail, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_holds_what_came_of_it_and_not_what_it_may_become() {
    let mut settings = Settings::default();
    settings.body_bytes_max = 4 << 20;
    settings.bodies_bytes_max = 4 << 20;
    let home = Home::with(&settings);
    let mut slow = Vec::new();
    for _ in 0..5 {
        slow.push(begun(&home).await);
    }
    let large = "x".repeat(3 << 20);
    let large = json!({"subject":"s","predicate":"p","object":large,"agent":"a"});
    home.post("/v1/assertions", large)
        .await
        .problem(Code::InvalidRecord);
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    for (sender, asked) in slow {
        assert!(!asked.is_finished());
        drop(sender);
        asked.await.unwrap().problem(Code::InvalidJson);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_not_read_from_and_is_cut_off() {
    let mut settings = Settings::default();
    settings.uploads_max = 1;
    let home = Home::with(&settings);
    let read_bytes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read_bytes);
    let mut number = 0;
    let endless = repeat_with(move || {
        let lines: String = (0..1000).map(|line| typed("s", number + line)).collect();
        number += 1000;
        counter.fetch_add(lines.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(lines)
    });
    let body = Body::from_stream(endless.take(1_000_000));
    let response = home.service.router().oneshot(upload(body, &[NDJSON])).await;
    // Another one has no place before this one is cut off.
    let mut refused = 0;
    let other = loop {
        let request = upload(Body::from(typed("other", 1)), &[NDJSON]);
        let answer: Answer = ask(home.service.router(), request).await;
        if answer.status == 200 {
            break read(&answer.text);
        }
        answer.problem(Code::Unavailable);
        assert_eq!(answer.header("retry-after"), "1");
        refused += 1;
        // The clock runs ahead of the disk, which stands behind this one too.
        assert!(refused < 1_000_000);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(refused > 0 && other.end.end);
    let read_bytes = read_bytes.load(Ordering::Relaxed);
    assert!(read_bytes < 40 << 20, "{read_bytes}");
    // What it can still read has no end, and breaks off.
    let mut body = response.unwrap().into_body().into_data_stream();
    let (mut text, mut has_failed) = (Vec::new(), false);
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => text.extend(piece),
            Err(_) => has_failed = true,
        }
    }
    assert!(has_failed);
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("\"end\""));
    // Each line that it can read is stored.
    home.settle();
    let view = home.database.view().unwrap();
    for line in text.lines() {
        let BulkLine::Result(BulkResult {
            fate: Fate::Stored { id, sequence },
            ..
        }) = serde_json::from_str(line).unwrap()
        else {
            panic!("{line}")
        };
        assert_eq!(view.get(id).unwrap().unwrap().sequence.get(), sequence);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_an_upload_behind_what_was_stored() {
    let home = Home::new();
    let (sender, body) = fed();
    let response = home.service.router().oneshot(upload(body, &[NDJSON])).await;
    let mut answer = response.unwrap().into_body().into_data_stream();
    sender.send(typed("s", 1)).await.unwrap();
    // Its result comes although the upload goes on.
    let first = answer.next().await.unwrap().unwrap();
    let first: BulkLine = serde_json::from_slice(&first).unwrap();
    assert!(matches!(
        first,
        BulkLine::Result(BulkResult { line: 1, .. })
    ));
    home.service.shutdown().begin();
    let rest = to_bytes(Body::from_stream(answer), 1 << 20).await.unwrap();
    let end: BulkEnd = serde_json::from_slice(&rest).unwrap();
    assert_eq!(
        (end.end, end.lines, end.stored, end.durable_sequence),
        (false, 1, 1, 1)
    );
    assert_eq!(end.problem.unwrap().code, Code::ShuttingDown);
    drop(sender);
    let (database, _directory) = home.reopened().await;
    assert_eq!(database.stats().unwrap().counts.assertions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_the_same_lines_side_by_side_store_each_once() {
    let home = Home::new();
    let text: String = (0..5_000).map(|number| typed("s", number)).collect();
    let uploads: Vec<_> = (0..4)
        .map(|_| tokio::spawn(send(home.service.router(), text.clone())))
        .collect();
    let mut stored = 0;
    for upload in uploads {
        let Answered { results, end } = upload.await.unwrap();
        assert!(end.end && end.lines == 5_000 && end.rejected == 0);
        stored += results
            .iter()
            .filter(|result| matches!(result.fate, Fate::Stored { .. }))
            .count();
    }
    assert_eq!(stored, 5_000);
}
