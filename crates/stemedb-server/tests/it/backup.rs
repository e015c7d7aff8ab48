//! A backup that is made from elsewhere, of what the server gives.

use stemedb::Database;
use stemedb::backup::{BackupWriter, RestoreOptions, restore};
use stemedb_server::wire::{Code, Segment, Segments};

use crate::support::{Answer, Home, ask, claim, request};

async fn segments(home: &Home) -> Segments {
    let answer = home.get("/v1/backup").await.ok(200);
    serde_json::from_value(answer.json()).unwrap()
}

/// Bytes of a segment.
async fn bytes(home: &Home, path: &str) -> Vec<u8> {
    use tower::ServiceExt as _;
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
    assert!(back_up(&home, &destination).await.is_empty());
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
