//! A backup that is made from elsewhere, of what the server gives.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use stemedb::backup::{BackupWriter, RestoreOptions, restore};
use stemedb::{Database, Record};
use stemedb_server::Settings;
use stemedb_server::token::Scope;
use stemedb_server::wire::{Code, Segment, Segments};
use tokio::time::sleep;
use tower::ServiceExt as _;

use crate::change::closed;
use crate::support::{Answer, Home, ask, claim, request};

async fn segments(home: &Home) -> Segments {
    let answer = home.get("/v1/backup").await.ok(200);
    serde_json::from_value(answer.json()).unwrap()
}

/// Bytes of a segment.
async fn bytes(home: &Home, path: &str) -> Vec<u8> {
    let asked = request("GET", path, &[], "");
    let response = home.service.router().oneshot(asked).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/octet-stream"
    );
    let length = response.headers()["content-length"].clone();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    let body = body.unwrap().to_vec();
    assert_eq!(length, body.len().to_string());
    body
}

/// Brings a backup up to date; gives the segments that it took.
async fn back_up(home: &Home, destination: &std::path::Path) -> Vec<u64> {
    let segments = segments(home).await.to_backup().unwrap();
    let begun = BackupWriter::begin(destination, &segments, "the server", &mut |_| {});
    let mut writer = begun.unwrap();
    let mut taken = Vec::new();
    while let Some(wanted) = writer.wanted() {
        taken.push(wanted.number);
        let path = format!(
            "/v1/backup/segments/{}?bytes={}",
            wanted.number, wanted.bytes
        );
        writer.write(&bytes(home, &path).await).unwrap();
    }
    writer.finish().unwrap();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_elsewhere_grows_while_writing_goes_on_and_is_restored() {
    let home = Home::new();
    let parent = tempfile::tempdir().unwrap();
    let destination = parent.path().join("backup");
    home.post("/v1/assertions", claim("a", "p", 1))
        .await
        .ok(201);
    assert_eq!(back_up(&home, &destination).await, [1]);
    // The journal covers its last group when nothing more comes, at a moment of its own; behind that there is nothing new.
    let mut more = back_up(&home, &destination).await;
    if !more.is_empty() {
        more = back_up(&home, &destination).await;
    }
    assert!(more.is_empty());
    // What comes between the list and the bytes is not part of this backup, and does no harm.
    let before = segments(&home).await;
    home.post("/v1/assertions", claim("a", "p", 2))
        .await
        .ok(201);
    let Segment {
        number,
        bytes: length,
        ..
    } = before.segments[0].clone();
    let path = format!("/v1/backup/segments/{number}");
    let whole = bytes(&home, &path).await;
    assert!(whole.len() as u64 > length);
    let part = bytes(&home, &format!("{path}?offset=8&bytes={}", length - 8)).await;
    assert!(part == whole[8..usize::try_from(length).unwrap()]);
    assert!(
        bytes(&home, &format!("{path}?offset={}", whole.len()))
            .await
            .is_empty()
    );
    assert_eq!(back_up(&home, &destination).await, [1]);

    let head = home.database.stats().unwrap().journal.head_hash;
    let target = parent.path().join("restored");
    let restored = restore(&destination, &target, &RestoreOptions { head }, &mut |_| {});
    assert_eq!(restored.unwrap().counts.assertions, 2);
    Database::open(&target).unwrap().close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_and_bytes_that_there_are_not_are_refused() {
    let home = Home::new();
    let get = async |path: &str| -> Answer {
        ask(home.service.router(), request("GET", path, &[], "")).await
    };
    get("/v1/backup?x=1").await.problem(Code::BadQuery);
    get("/v1/backup/segments/0")
        .await
        .problem(Code::RecordNotFound);
    get("/v1/backup/segments/2")
        .await
        .problem(Code::RecordNotFound);
    get("/v1/backup/segments/-1").await.problem(Code::BadPath);
    get("/v1/backup/segments/99999999999999999999")
        .await
        .problem(Code::BadPath);
    get("/v1/backup/segments/..%2f..%2fstemedb.json")
        .await
        .problem(Code::BadPath);
    let durable = segments(&home).await.segments[0].bytes;
    let beyond = format!("/v1/backup/segments/1?offset={}", durable + 1);
    get(&beyond).await.problem(Code::BadQuery);
    get("/v1/backup/segments/1?bytes=all")
        .await
        .problem(Code::BadQuery);
    // Room that was prepared, and is not written yet, is not given out.
    assert_eq!(
        bytes(&home, "/v1/backup/segments/1?bytes=99999999")
            .await
            .len() as u64,
        durable
    );
}

/// Stores, past the server, more than waits for a client that takes nothing; gives the segment that holds it.
fn fill(home: &Home) -> Segment {
    let quote = "q".repeat(60_000);
    let records = (0..60).map(|number| {
        let mut claim = claim("s", "p", number);
        claim["type"] = "assertion".into();
        claim["quote"] = quote.as_str().into();
        Record::from_json(claim.to_string().as_bytes()).unwrap()
    });
    let receipts = home.database.ingest(records);
    assert!(receipts.iter().all(Result::is_ok));
    let segments = Segments::from(home.database.segments()).segments;
    let longest = segments.into_iter().max_by_key(|segment| segment.bytes);
    longest.filter(|segment| segment.bytes > 3 << 20).unwrap()
}

fn path_of(segment: &Segment) -> String {
    format!("/v1/backup/segments/{}", segment.number)
}

/// Begins to read a segment.
async fn begin(home: &Home, path: &str, headers: &[(&str, &str)]) -> BodyDataStream {
    let asked = request("GET", path, headers, "");
    let response = home.service.router().oneshot(asked).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let body: Body = response.into_body();
    body.into_data_stream()
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_have_a_number_of_their_own() {
    let mut settings = Settings::default();
    settings.feeds_max = 1;
    let home = Home::with(&settings);
    let segment = fill(&home);
    let path = path_of(&segment);
    let feed = request("GET", "/v1/changes", &[], "");
    let feed = home.service.router().oneshot(feed).await.unwrap();
    home.get("/v1/changes").await.problem(Code::Unavailable);
    // Whoever has all the feeds has none of these.
    let mut begun = Vec::new();
    for _ in 0..4 {
        begun.push(begin(&home, &path, &[]).await);
    }
    home.get(&path).await.problem(Code::Unavailable);
    let head = ask(home.service.router(), request("HEAD", &path, &[], "")).await;
    let head = head.ok(200);
    assert_eq!(head.header("content-length"), segment.bytes.to_string());
    assert!(head.text.is_empty());
    drop((begun, feed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_breaks_off_when_its_token_is_revoked() {
    let (home, field, revoke) = closed(Scope::Admin);
    let path = path_of(&fill(&home));
    let headers = [("authorization", field.as_str())];
    while home.get_with("/v1/backup", &headers).await.status != 200 {
        sleep(Duration::from_millis(20)).await;
    }
    let mut body = begin(&home, &path, &headers).await;
    body.next().await.unwrap().unwrap();
    revoke();
    while home.get_with("/v1/backup", &headers).await.status == 200 {
        sleep(Duration::from_millis(20)).await;
    }
    let error = loop {
        match body.next().await.expect("it was given everything") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the stream broke off");
}
