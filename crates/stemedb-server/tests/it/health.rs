//! Whether the server lives and serves, and where the database stands.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use stemedb_server::wire::{Code, Head, Problem, Stats};
use stemedb_testkit::skip::say_skipped;

use crate::support::{Home, claim};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_serves_says_so() {
    let home = Home::new();
    for (path, status) in [("/healthz/live", "live"), ("/healthz/ready", "ready")] {
        let health = home.get(path).await.ok(200);
        assert_eq!(health.json(), json!({"status": status}));
        assert_eq!(health.header("cache-control"), "no-store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_and_head_are_those_of_the_database() {
    let home = Home::new();
    let empty: Head = serde_json::from_str(&home.get("/v1/journal/head").await.text).unwrap();
    assert_eq!((empty.sequence, empty.hash), (0, None));
    let claims = json!([claim("s", "p", 1), claim("s", "p", 2)]);
    home.post("/v1/assertions", claims).await.ok(201);
    home.settle();
    let expected = home.database.stats().unwrap();
    let head: Head = serde_json::from_str(&home.get("/v1/journal/head").await.text).unwrap();
    assert_eq!(
        (head.journal, head.sequence),
        (expected.journal.id.clone(), 2)
    );
    assert_eq!(head.hash, expected.journal.head_hash);
    let stats: Stats = serde_json::from_str(&home.get("/v1/stats").await.text).unwrap();
    assert_eq!((stats.assertions, stats.applied_sequence), (2, 2));
    assert_eq!(stats.journal.head_hash, expected.journal.head_hash);
    assert_eq!(stats.store.kind, "hybrid");
}

/// A small file system in memory in the place of the journal.
struct Small<'a>(&'a Path);

impl Drop for Small<'_> {
    fn drop(&mut self) {
        run("umount", &[], self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = Command::new(program).args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_by_name_and_goes_on_reading() {
    let journal = tempfile::tempdir().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
    if !run("mount", &mount, journal.path()) {
        say_skipped("no tmpfs can be mounted here");
        return;
    }
    let _small = Small(journal.path());
    let home = Home::with_journal_in(journal.path());
    let (mut stored, quote) = (0, "q".repeat(60_000));
    let refused = loop {
        let mut large = claim("s", "p", stored);
        large["quote"] = quote.as_str().into();
        let answer = home.post("/v1/assertions", &large).await;
        if answer.status != 201 {
            break answer;
        }
        stored += 1;
        assert!(stored < 1000, "the disk is never full");
    };
    refused.problem(Code::NoSpace);
    assert!(!refused.headers.contains_key("retry-after"));
    // Nothing smaller overtakes what was refused.
    let small = home.post("/v1/assertions", claim("s", "p", 5000)).await;
    small.problem(Code::NoSpace);
    let head: Head = serde_json::from_str(&home.get("/v1/journal/head").await.text).unwrap();
    assert_eq!(head.sequence, stored);
    home.settle();
    let page = home
        .get("/v1/subjects/s/assertions?limit=1000")
        .await
        .ok(200);
    let items = page.json()["items"].as_array().unwrap().len();
    assert_eq!(items as u64, stored);
    let ready = home.get("/healthz/ready").await.ok(503);
    let problem: Problem = serde_json::from_str(&ready.text).unwrap();
    assert_eq!((problem.code, problem.status), (Code::NoSpace, 503));
    assert!(problem.detail.contains("make room"), "{}", problem.detail);
    home.get("/healthz/live").await.ok(200);
    drop(home);
}
