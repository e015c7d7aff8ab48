//! Whether the server lives and serves, and where the database stands.

use serde_json::json;
use stemedb_server::wire::{Head, Stats};

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
