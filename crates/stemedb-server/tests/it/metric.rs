//! What a scrape says: exactly what was done, well formed, and all of it documented.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream::{once, pending};
use serde_json::{Value, json};
use stemedb_server::Settings;
use tokio::task::yield_now;
use tokio::time::sleep;
use tower::ServiceExt as _;

use crate::exposition::{Exposition, Kind};
use crate::support::{Home, ask, claim, post, request};

async fn scrape(home: &Home) -> Exposition {
    let answer = home.get("/metrics").await.ok(200);
    let text = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("content-type"), text);
    Exposition::parse(&answer.text)
}

/// A file of the repository.
fn read(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_what_was_done() {
    let home = Home::new();
    let claims = json!([claim("s", "p", 1), claim("s", "p", 2)]);
    home.post("/v1/assertions", claims).await.ok(201);
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(200);
    let half = json!([claim("s", "p", 3), {"subject": "s"}, {"subject": "t"}]);
    home.post("/v1/assertions", half).await.ok(422);
    home.post("/v1/votes", "{}").await.ok(422);
    home.post("/v1/votes", "{").await.ok(400);
    home.settle();
    let subject = "/v1/subjects/s/assertions";
    home.get(subject).await.ok(200);
    home.get("/v1/subjects/t/assertions").await.ok(200);
    let seen = scrape(&home).await;
    let outcome = |outcome| {
        let name = "stemedb_submitted_records_total";
        seen.value(name, &[("outcome", outcome)])
    };
    let outcomes = ["stored", "duplicate", "rejected", "failed"].map(outcome);
    assert_eq!(outcomes, [2, 1, 3, 0]);
    let requests = |route, method, class| {
        let labels = [("route", route), ("method", method), ("class", class)];
        seen.value("stemedb_http_requests_total", &labels)
    };
    assert_eq!(requests("/v1/assertions", "POST", "2xx"), 2);
    assert_eq!(requests("/v1/assertions", "POST", "4xx"), 1);
    assert_eq!(requests("/v1/votes", "POST", "4xx"), 2);
    let template = "/v1/subjects/{subject}/assertions";
    assert_eq!(requests(template, "GET", "2xx"), 2);
    let count = "stemedb_http_request_duration_seconds_count";
    assert_eq!(seen.value(count, &[("route", "/v1/assertions")]), 3);
    let problems = |code| seen.value("stemedb_http_problems_total", &[("code", code)]);
    assert_eq!(problems("invalid_record"), 2);
    assert_eq!(problems("invalid_json"), 1);
    assert_eq!(problems("internal"), 0);
    let stored = seen.value("stemedb_stored_records", &[("type", "assertion")]);
    assert_eq!(stored, 2);
    for (name, value) in [
        ("stemedb_journal_group_records_count", 1),
        ("stemedb_journal_group_records_sum", 2),
        ("stemedb_journal_append_seconds_count", 1),
        ("stemedb_journal_durable_sequence", 2),
        ("stemedb_ingest_applied_sequence", 2),
        ("stemedb_ingest_lag_records", 0),
        ("stemedb_ingest_records_total", 2),
        ("stemedb_quarantined_records", 0),
        ("stemedb_http_requests_in_flight", 1),
        ("stemedb_store_stalled", 0),
        ("stemedb_ready", 1),
    ] {
        assert_eq!(seen.value(name, &[]), value, "{name}");
    }
    assert_eq!(seen.value("stemedb_health", &[("state", "good")]), 1);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(seen.value("stemedb_build_info", &version), 1);
}

fn upload(kind: &[(&str, &str)], body: &str) -> axum::http::Request<Body> {
    let mut headers = vec![("content-type", "application/x-ndjson")];
    headers.extend(kind);
    request("POST", "/v1/records", &headers, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_in_each_cache_are_told_by_where_they_were_answered() {
    let home = Home::new();
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    home.settle();
    let caches = || home.database.observe().unwrap().caches;
    let before = caches();
    let seen = scrape(&home).await;
    let after = caches();
    assert_eq!(before.len(), 4);
    for (before, after) in before.iter().zip(&after) {
        let value = |answered_by| {
            let labels = [
                ("engine", before.engine),
                ("content", before.content),
                ("answered_by", answered_by),
            ];
            seen.value("stemedb_store_cache_lookups_total", &labels)
        };
        assert!((before.misses..=after.misses).contains(&value("file")));
        if let (Some(least), Some(most)) = (before.hits, after.hits) {
            assert!((least..=most).contains(&value("cache")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_an_upload_counts_as_it_does_in_single_requests() {
    let home = Home::new();
    let mut line = claim("s", "p", 1);
    line["type"] = "assertion".into();
    let body = format!("{line}\n{{}}\n{line}\n{{\n[]\n");
    ask(home.service.router(), upload(&[], &body)).await.ok(200);
    let gzip = [("content-encoding", "gzip")];
    let broken = ask(home.service.router(), upload(&gzip, "no gzip")).await;
    assert!(broken.ok(200).text.contains("invalid_encoding"));
    let seen = scrape(&home).await;
    let outcome = |outcome| {
        let name = "stemedb_submitted_records_total";
        seen.value(name, &[("outcome", outcome)])
    };
    let outcomes = ["stored", "duplicate", "rejected", "failed"].map(outcome);
    assert_eq!(outcomes, [1, 1, 3, 0]);
    let problems = |code| seen.value("stemedb_http_problems_total", &[("code", code)]);
    assert_eq!(problems("invalid_encoding"), 1);
    assert_eq!(problems("invalid_record"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_counted_while_they_are_taken() {
    let mut settings = Settings::default();
    settings.feeds_max = 7;
    let home = Home::with(&settings);
    let places = async |name, of| scrape(&home).await.value(name, &[("of", of)]);
    let taken = async |of| places("stemedb_http_places_taken", of).await;
    assert_eq!(places("stemedb_http_places", "feeds").await, 7);
    assert_eq!([taken("feeds").await, taken("uploads").await], [0, 0]);
    let router = home.service.router();
    let feed = router.oneshot(request("GET", "/v1/changes", &[], "")).await;
    assert_eq!([taken("feeds").await, taken("uploads").await], [1, 0]);
    drop(feed);
    let mut looks = 0..1000;
    while taken("feeds").await > 0 {
        looks.next().expect("its place is free again");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scrape_says_is_what_is_documented() {
    let home = Home::new();
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    let seen = scrape(&home).await;
    let told = seen.kinds();
    let document = read("docs/METRICS.md");
    let rows = document
        .lines()
        .filter(|line| line.starts_with("| `stemedb_"));
    let documented = rows.map(|row| {
        let cells: Vec<_> = row
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ']))
            .collect();
        assert_eq!(cells.len(), 5, "{row}");
        (
            cells[0].trim_matches('`').to_owned(),
            Kind::of(cells[1]),
            cells[2].to_owned(),
        )
    });
    let documented: Vec<_> = documented.collect();
    for (name, kind, unit) in &documented {
        let base = name.strip_suffix("_total").unwrap_or(name);
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        for suffix in ["seconds", "bytes"] {
            assert_eq!(base.ends_with(suffix), unit == suffix, "{name}: {unit}");
        }
    }
    let documented: BTreeSet<_> = documented
        .into_iter()
        .map(|(name, kind, _)| (name, kind))
        .collect();
    assert_eq!(told, documented);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_methods_of_clients_make_no_series() {
    let home = Home::new();
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    let before = scrape(&home).await.series();
    for number in 0..20 {
        home.get(&format!("/nowhere/{number}")).await.ok(404);
        home.get(&format!("/v1/records/{number}?x=secret{number}"))
            .await
            .ok(400);
        let method = format!("METHOD{number}");
        let odd = request(&method, "/v1/stats", &[], "");
        ask(home.service.router(), odd).await.ok(405);
    }
    let answer = home.get("/metrics").await.ok(200);
    for text in ["nowhere", "secret", "METHOD"] {
        assert!(!answer.text.contains(text), "{text}");
    }
    let seen = Exposition::parse(&answer.text);
    for (route, method, class) in [
        ("none", "GET", "4xx"),
        ("/v1/records/{id}", "GET", "4xx"),
        ("/v1/stats", "other", "4xx"),
    ] {
        let labels = [("route", route), ("method", method), ("class", class)];
        assert_eq!(seen.value("stemedb_http_requests_total", &labels), 20);
    }
    // Each of the four routes, that of the first scrape included, has a count of requests and a histogram of 16 buckets, a sum and a count.
    assert_eq!(seen.series() - before, 4 * (1 + 18));
}

/// Scrapes until this is what is seen.
async fn until(home: &Home, name: &str, value: u64) -> Exposition {
    for _ in 0..10_000 {
        let seen = scrape(home).await;
        if seen.value(name, &[]) == value {
            return seen;
        }
        yield_now().await;
    }
    panic!("{name} does not become {value}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_its_way_is_seen_and_so_is_that_its_client_went_away() {
    let home = Home::new();
    let mut endless = post("/v1/votes", "");
    let begun = std::io::Result::Ok(Bytes::from(vec![b' '; 5000]));
    *endless.body_mut() = Body::from_stream(once(ready(begun)).chain(pending()));
    let asking = tokio::spawn(ask(home.service.router(), endless));
    until(&home, "stemedb_http_bodies_held_bytes", 5000).await;
    // One more look: a scrape reads one value after the other.
    let seen = scrape(&home).await;
    assert_eq!(seen.value("stemedb_http_requests_in_flight", &[]), 2);
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    until(&home, "stemedb_http_bodies_held_bytes", 0).await;
    let seen = scrape(&home).await;
    assert_eq!(seen.value("stemedb_http_requests_in_flight", &[]), 1);
    let labels = [
        ("route", "/v1/votes"),
        ("method", "POST"),
        ("class", "none"),
    ];
    assert_eq!(seen.value("stemedb_http_requests_total", &labels), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_at_the_same_time_are_all_answered() {
    let home = Home::new();
    let scrapes = (0..32).map(|_| {
        let router = home.service.router();
        tokio::spawn(ask(router, request("GET", "/metrics", &[], "")))
    });
    for scrape in scrapes.collect::<Vec<_>>() {
        let answer = scrape.await.unwrap().ok(200);
        Exposition::parse(&answer.text);
    }
    let seen = scrape(&home).await;
    assert_eq!(seen.value("stemedb_views_outdated", &[]), 0);
}

/// The names of metrics in a text, as a query has them.
fn names_in(text: &str) -> BTreeSet<&str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !is_part(character));
    words.filter(|word| word.starts_with("stemedb_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alerts_ask_for_metrics_that_are_there() {
    let home = Home::new();
    home.post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    let seen = scrape(&home).await;
    let dashboard = read("examples/grafana/stemedb.json");
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        let asks = |target: &Value| !names_in(target["expr"].as_str().unwrap()).is_empty();
        assert!(!targets.is_empty() && targets.iter().all(asks), "{panel}");
    }
    let alerts = read("examples/prometheus/alerts.yml");
    let asked = names_in(&dashboard);
    for name in asked.iter().copied().chain(names_in(&alerts)) {
        assert!(seen.has(name), "{name} is asked for, and not told");
    }
    let shown = |name: &str| {
        let shown = |asked: &&str| asked.strip_suffix("_bucket").unwrap_or(asked) == name;
        asked.iter().any(shown)
    };
    for (name, _) in seen.kinds() {
        assert!(shown(&name), "{name} is on no panel");
    }
}
