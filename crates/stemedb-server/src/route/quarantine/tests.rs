use std::sync::Arc;
use std::time::Duration;

use axum::{body::Body, http::Request};
use stemedb::{Create, Database};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::limits::BODY_BYTES_INLINE_MAX;
use crate::{Settings, service};

/// A retry waits for the database, and large bodies are checked meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn retries_and_bodies_do_not_wait_for_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Database::builder().create(Create::IfMissing);
    let database = Arc::new(builder.open(directory.path().join("data")).unwrap());
    let service = service(database, &Settings::default()).unwrap();
    let shared = service.shared();
    let ask = async |path: &str, body: String| {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Body::from(body)).unwrap();
        let answer = timeout(Duration::from_mins(1), service.router().oneshot(request));
        answer.await.expect("it waits").unwrap().status().as_u16()
    };
    let checks = u32::try_from(shared.checks.available_permits()).unwrap();
    let checks = shared.checks.acquire_many(checks).await.unwrap();
    let retried = ask("/v1/quarantine/1/retry", String::new()).await;
    assert_eq!(retried, 404);
    drop(checks);
    let _retry = shared.retries.acquire().await.unwrap();
    let large = format!("[{}]", " ".repeat(BODY_BYTES_INLINE_MAX));
    assert_eq!(ask("/v1/votes", large).await, 422);
}
