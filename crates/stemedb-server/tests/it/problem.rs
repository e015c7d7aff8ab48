//! Every refusal is a problem with its code, whoever refuses.

use axum::body::{Body, Bytes};
use futures_util::stream::pending;
use serde_json::json;
use stemedb_server::Settings;
use stemedb_server::wire::Code;

use crate::support::{Answer, Home, ask, claim, post, request};

async fn send(home: &Home, method: &str, path: &str) -> Answer {
    let json = [("content-type", "application/json")];
    ask(home.service.router(), request(method, path, &json, "")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_and_methods_that_are_not_there_are_problems() {
    let home = Home::new();
    for path in ["/", "/v1", "/v2/assertions", "/v1/assertions/"] {
        send(&home, "GET", path).await.problem(Code::NotFound);
    }
    for (method, path, allowed) in [
        ("GET", "/v1/assertions", "POST"),
        ("PUT", "/v1/epochs", "GET,HEAD,POST"),
        ("DELETE", "/v1/stats", "GET,HEAD"),
        ("POST", "/healthz/live", "GET,HEAD"),
    ] {
        let refused = send(&home, method, path).await;
        refused.problem(Code::MethodNotAllowed);
        let mut methods: Vec<_> = refused.header("allow").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_taken_are_problems() {
    let home = Home::new();
    let body = claim("s", "p", 1);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let zipped = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    for headers in [&[][..], &form, &zipped] {
        let request = request("POST", "/v1/assertions", headers, body.to_string());
        let refused = ask(home.service.router(), request).await;
        let problem = refused.problem(Code::UnsupportedMediaType);
        assert!(problem.detail.starts_with("send "), "{}", problem.detail);
    }
    for text in ["", "{", "nonsense", "[{}"] {
        let refused = home.post("/v1/assertions", text).await;
        refused.problem(Code::InvalidJson);
    }
    let refused = home.post("/v1/assertions", json!({"subject": "s"})).await;
    let problem = refused.problem(Code::InvalidRecord);
    assert_eq!(problem.detail, "predicate: missing");
    assert!(problem.errors.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_with_or_without_its_length() {
    let mut settings = Settings::default();
    settings.body_bytes_max = 4 << 20;
    let home = Home::with(&settings);
    let long = " ".repeat(settings.body_bytes_max + 1);
    let refused = home.post("/v1/assertions", long.as_str()).await;
    refused.problem(Code::BodyTooLarge);
    let said = [
        ("content-type", "application/json"),
        ("content-length", "99999999999"),
    ];
    let request = request("POST", "/v1/assertions", &said, "{}");
    let refused = ask(home.service.router(), request).await;
    refused.problem(Code::BodyTooLarge);
    let most = format!("{}{}", claim("s", "p", 1), &long[..long.len() - 1000]);
    home.post("/v1/assertions", most.as_str()).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_queries_and_cursors_that_are_malformed_are_problems() {
    let home = Home::new();
    home.post(
        "/v1/assertions",
        json!([claim("s", "p", 1), claim("t", "p", 1)]),
    )
    .await
    .ok(201);
    home.settle();
    let long = "x".repeat(1025);
    let upper = "A".repeat(64);
    for path in [
        "/v1/records/beef".to_owned(),
        format!("/v1/records/{upper}"),
        "/v1/epochs/%ff".to_owned(),
        "/v1/subjects//assertions".to_owned(),
        "/v1/subjects/100%/assertions".to_owned(),
        "/v1/subjects/%00/assertions".to_owned(),
        format!("/v1/subjects/{long}/assertions"),
    ] {
        home.get(&path).await.problem(Code::BadPath);
    }
    let cursor = home
        .get("/v1/subjects/s/assertions?limit=1")
        .await
        .ok(200)
        .json();
    assert!(cursor["next_cursor"].is_null());
    for path in [
        "/v1/subjects?offset=1",
        "/v1/subjects?limit=1&limit=2",
        "/v1/subjects?limit=0",
        "/v1/subjects?as_of=0",
        "/v1/subjects?prefix=%00",
        "/v1/subjects/s/assertions?predicate=",
        "/v1/stats?x",
        "/healthz/ready?x=1",
    ] {
        home.get(path).await.problem(Code::BadQuery);
    }
    let refused = home
        .post("/v1/assertions?dry_run=1", claim("s", "p", 2))
        .await;
    refused.problem(Code::BadQuery);
    let subjects = home.get("/v1/subjects?limit=1").await.ok(200).json();
    let foreign = subjects["next_cursor"].as_str().unwrap();
    for path in [
        "/v1/subjects?cursor=xyz".to_owned(),
        "/v1/subjects?cursor=".to_owned(),
        format!("/v1/epochs?cursor={foreign}"),
    ] {
        home.get(&path).await.problem(Code::BadCursor);
    }
    assert_eq!(home.database.stats().unwrap().durable_sequence, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_does_not_come_is_waited_for_but_not_for_ever() {
    let mut settings = Settings::default();
    settings.wait_seconds_max = 0;
    let home = Home::with(&settings);
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    home.settle();
    for path in ["/v1/subjects?min_sequence=2", "/v1/subjects?as_of=2"] {
        let refused = home.get(path).await;
        refused.problem(Code::NotYetApplied);
        assert_eq!(refused.header("retry-after"), "1");
    }
    home.get("/v1/subjects?min_sequence=1&as_of=1")
        .await
        .ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_sequence_reads_it_when_it_comes() {
    let home = Home::new();
    let router = home.service.router();
    let waiting = tokio::spawn(ask(
        router,
        request("GET", "/v1/subjects?min_sequence=1", &[], ""),
    ));
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    let read = waiting.await.unwrap().ok(200).json();
    assert_eq!(read["items"][0]["subject"], "s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_answered_and_whose_fault_it_is() {
    let mut settings = Settings::default();
    settings.request_seconds_max = 1;
    let home = Home::with(&settings);
    // A body that never comes, and a sequence that never does.
    let mut endless = post("/v1/assertions", "");
    *endless.body_mut() = Body::from_stream(pending::<std::io::Result<Bytes>>());
    let write = ask(home.service.router(), endless).await;
    let problem = write.problem(Code::BodyTimeout);
    assert!(problem.detail.ends_with("nothing was stored"));
    assert_eq!(write.header("retry-after"), "1");
    let read = home.get("/v1/subjects?min_sequence=7").await;
    let problem = read.problem(Code::RequestTimeout);
    assert!(!problem.detail.contains("outcome unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_request_is_its_own_or_a_new_one() {
    let home = Home::new();
    let own = home
        .get_with("/v1/stats", &[("x-request-id", "mine-7")])
        .await;
    assert_eq!(own.header("x-request-id"), "mine-7");
    let unsound = [("x-request-id", "two words")];
    let first = home.get_with("/v1/stats", &unsound).await;
    let second = home.get("/nowhere").await;
    assert_ne!(first.header("x-request-id"), "two words");
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_end_has_begun_requests_are_refused() {
    let home = Home::new();
    home.service.shutdown().begin();
    let refused = ask(
        home.service.router(),
        post("/v1/assertions", claim("s", "p", 1)),
    )
    .await;
    refused.problem(Code::ShuttingDown);
    assert_eq!(refused.header("connection"), "close");
    home.get("/healthz/ready").await.problem(Code::ShuttingDown);
    home.get("/healthz/live").await.ok(200);
    assert_eq!(home.database.stats().unwrap().durable_sequence, 0);
}
