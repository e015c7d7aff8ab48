//! The feed of changes: each record once, in order, then what comes, to an end that says so.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use stemedb::{Record, Sequence};
use stemedb_server::Settings;
use stemedb_server::token::{NewToken, Scope, TokenFile};
use stemedb_server::wire::{ChangeEnd, ChangeLine, Code, Heartbeat, StoredRecord};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt as _;

use crate::support::{Home, ask, claim, post, request};

/// No test waits longer than this for one thing.
const LIMIT: Duration = Duration::from_mins(1);

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// A feed that is read piece by piece.
struct Feed {
    body: BodyDataStream,
    text: String,
    separator: &'static str,
}

async fn open(router: Router, path: &str, headers: &[(&str, &str)]) -> Feed {
    let response = router.oneshot(request("GET", path, headers, "")).await;
    let response = response.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let is_events = headers.contains(&EVENTS);
    let kind = if is_events {
        "text/event-stream"
    } else {
        "application/x-ndjson"
    };
    assert_eq!(response.headers()["content-type"], kind);
    assert_eq!(response.headers()["cache-control"], "no-store");
    Feed {
        body: response.into_body().into_data_stream(),
        text: String::new(),
        separator: if is_events { "\n\n" } else { "\n" },
    }
}

impl Feed {
    /// The next line or event; `None` at the end, an error where the feed broke off.
    async fn try_next(&mut self) -> Option<Result<String, axum::Error>> {
        loop {
            if let Some((next, rest)) = self.text.split_once(self.separator) {
                let (next, rest) = (next.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(Ok(next));
            }
            match self.body.next().await? {
                Ok(piece) => self.text += std::str::from_utf8(&piece).unwrap(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn next(&mut self) -> String {
        self.try_next().await.unwrap().unwrap()
    }

    async fn line(&mut self) -> ChangeLine {
        serde_json::from_str(&self.next().await).unwrap()
    }

    async fn record(&mut self) -> StoredRecord {
        match self.line().await {
            ChangeLine::Record(record) => *record,
            other => panic!("{other:?}"),
        }
    }

    async fn sequences(&mut self, count: usize) -> Vec<u64> {
        let mut sequences = Vec::new();
        for _ in 0..count {
            sequences.push(self.record().await.sequence.get());
        }
        sequences
    }
}

/// A home with an assertion about `a`, one about `b`, a vote on the first and an epoch.
async fn four() -> Home {
    let home = Home::new();
    let claims = json!([claim("a", "p", 1), claim("b", "p", 2)]);
    let stored = home.post("/v1/assertions", claims).await.ok(201).json();
    let id = &stored["results"][0]["id"];
    let vote = json!({"assertion": id, "agent": "a", "weight": 1});
    home.post("/v1/votes", vote).await.ok(201);
    let epoch = json!({"name": "2026", "agent": "a"});
    home.post("/v1/epochs", epoch).await.ok(201);
    home.settle();
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_a_sequence_is_given_and_then_what_comes() {
    let home = four().await;
    let mut lines = open(home.service.router(), "/v1/changes?since=1", &[]).await;
    let mut events = open(home.service.router(), "/v1/changes?since=1", &[EVENTS]).await;
    for (sequence, name) in [
        (2, "assertion"),
        (3, "vote"),
        (4, "epoch"),
        (5, "assertion"),
    ] {
        if sequence == 5 {
            home.post("/v1/assertions", claim("c", "p", 3))
                .await
                .ok(201);
        }
        let line = lines.next().await;
        let stored: StoredRecord = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (stored.sequence.get(), stored.record.type_name()),
            (sequence, name)
        );
        // It is the same text that the record is read as.
        let path = format!("/v1/records/{}", stored.id);
        assert_eq!(home.get(&path).await.ok(200).text, line);
        let event = events.next().await;
        assert_eq!(
            event,
            format!("id: {sequence}\nevent: {name}\ndata: {line}")
        );
    }
    let mut all = open(home.service.router(), "/v1/changes", &[]).await;
    assert_eq!(all.sequences(5).await, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_what_is_not_asked_for() {
    let home = four().await;
    for (query, expected) in [
        ("type=assertion", &[1, 2][..]),
        ("type=vote", &[3]),
        ("type=epoch", &[4]),
        ("subject_prefix=b", &[2]),
        ("subject_prefix=b&type=assertion&since=1", &[2]),
        ("type=assertion&since=1", &[2]),
    ] {
        let path = format!("/v1/changes?live=false&{query}");
        let mut feed = open(home.service.router(), &path, &[]).await;
        assert_eq!(feed.sequences(expected.len()).await, expected, "{query}");
        // And nothing besides.
        assert_eq!(feed.line().await, ChangeLine::End(complete(4)), "{query}");
        assert!(feed.try_next().await.is_none());
    }
    for query in [
        "type=claim",
        "since=",
        "since=-1",
        "since=5",
        "since=18446744073709551616",
        "subject_prefix=b&type=vote",
        "subject_prefix=%00",
        "as_of=1",
    ] {
        let answer = home.get(&format!("/v1/changes?{query}")).await;
        answer.problem(Code::BadQuery);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_event_counts_for_more_than_the_beginning() {
    let home = four().await;
    let last = |id| [EVENTS, ("last-event-id", id)];
    let mut feed = open(home.service.router(), "/v1/changes?since=1", &last("3")).await;
    assert!(feed.next().await.starts_with("id: 4\nevent: epoch\n"));
    let mut feed = open(home.service.router(), "/v1/changes?since=3", &last("")).await;
    assert!(feed.next().await.starts_with("id: 4\n"));
    for id in ["x", "5", "1, 2"] {
        let answer = home.get_with("/v1/changes", &last(id)).await;
        answer.problem(Code::BadQuery);
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_in_which_nothing_happens_says_that_it_lives() {
    let mut settings = Settings::default();
    settings.heartbeat_seconds = 7;
    let home = Home::with(&settings);
    let mut lines = open(home.service.router(), "/v1/changes", &[]).await;
    let begun = Instant::now();
    for beat in 1..=3 {
        let expected = Heartbeat {
            heartbeat: true,
            applied_sequence: 0,
            next_since: 0,
        };
        assert_eq!(lines.line().await, ChangeLine::Heartbeat(expected));
        assert_eq!(begun.elapsed().as_secs(), 7 * beat);
    }
    let mut events = open(home.service.router(), "/v1/changes", &[EVENTS]).await;
    assert_eq!(events.next().await, ": heartbeat\nid: 0");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_says_how_far_a_feed_is_that_gives_nothing() {
    let home = Home::new();
    stored(&home, 3000);
    let mut feed = open(home.service.router(), "/v1/changes?type=vote", &[]).await;
    let expected = Heartbeat {
        heartbeat: true,
        applied_sequence: 3000,
        next_since: 3000,
    };
    assert_eq!(feed.line().await, ChangeLine::Heartbeat(expected));
}

/// Stores assertions past the server, and waits until they can be read.
fn stored(home: &Home, count: u64) {
    let record = |number| {
        let mut claim = claim("s", &"p".repeat(200), number);
        claim["type"] = "assertion".into();
        Record::from_json(claim.to_string().as_bytes()).unwrap()
    };
    let receipts = home.database.ingest((0..count).map(record));
    assert!(receipts.iter().all(Result::is_ok));
    home.settle();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_a_feed_and_says_where_to_go_on() {
    let home = four().await;
    let mut lines = open(home.service.router(), "/v1/changes?since=3", &[]).await;
    let mut events = open(home.service.router(), "/v1/changes", &[EVENTS]).await;
    assert_eq!(lines.sequences(1).await, [4]);
    for _ in 0..4 {
        events.next().await;
    }
    home.service.shutdown().begin();
    let ChangeLine::End(end) = lines.line().await else {
        panic!("no end")
    };
    assert!(end.end && end.reason == Some(Code::ShuttingDown) && end.next_since == 4);
    assert!(lines.try_next().await.is_none());
    let last = events.next().await;
    let data = last.strip_prefix("id: 4\nevent: end\ndata: ").unwrap();
    assert_eq!(serde_json::from_str::<ChangeEnd>(data).unwrap(), end);
    assert!(events.try_next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_before_damage_is_given_and_then_the_feed_ends() {
    let home = Home::new();
    for number in 1..=200 {
        let claim = claim(&format!("subject {number}."), "p", number);
        home.post("/v1/assertions", claim).await.ok(201);
    }
    let (database, directory) = home.reopened().await;
    database.close().unwrap();
    // The engines have what the journal had: it is read from its files after the database was opened.
    let home = Home::at(directory);
    let segments = std::fs::read_dir(home.path().join("wal")).unwrap();
    let segments = segments.map(|entry| entry.unwrap().path());
    let damaged = segments.filter(|path| {
        let mut bytes = std::fs::read(path).unwrap();
        let place = bytes.windows(12).position(|it| it == b"subject 151.");
        if let Some(place) = place {
            bytes[place] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
        place.is_some()
    });
    assert_eq!(damaged.count(), 1);

    // More than is read at once, and all of it in one piece.
    let mut feed = open(home.service.router(), "/v1/changes", &[]).await;
    let expected: Vec<u64> = (1..=150).collect();
    assert_eq!(feed.sequences(150).await, expected);
    let again = open(home.service.router(), "/v1/changes?since=150", &[]).await;
    for mut feed in [feed, again] {
        let ChangeLine::End(end) = feed.line().await else {
            panic!("no end")
        };
        assert_eq!((end.reason, end.next_since), (Some(Code::Corruption), 150));
        assert!(feed.try_next().await.is_none());
    }
}

/// Nothing that comes while it is read is part of it, and nothing of what was there is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_not_live_is_a_snapshot_with_an_end() {
    let home = Home::new();
    let path = "/v1/changes?live=false";
    let mut empty = open(home.service.router(), path, &[]).await;
    assert_eq!(empty.line().await, ChangeLine::End(complete(0)));
    assert!(empty.try_next().await.is_none());

    // The end is within what is read at once, and much comes behind it.
    stored(&home, 3017);
    let mut feed = open(home.service.router(), path, &[]).await;
    let late: Vec<_> = (0..150).map(|number| claim("late", "p", number)).collect();
    home.post("/v1/assertions", json!(late)).await.ok(201);
    home.settle();
    let expected: Vec<u64> = (1..=3017).collect();
    assert_eq!(feed.sequences(3017).await, expected);
    assert_eq!(feed.line().await, ChangeLine::End(complete(3017)));
    assert!(feed.try_next().await.is_none());

    let filtered = format!("{path}&type=vote&since=2000");
    let mut feed = open(home.service.router(), &filtered, &[EVENTS]).await;
    let end = feed.next().await;
    let data = end.strip_prefix("id: 3167\nevent: end\ndata: ").unwrap();
    assert_eq!(
        serde_json::from_str::<ChangeEnd>(data).unwrap(),
        complete(3167)
    );
    let refused = home.get("/v1/changes?live=no").await;
    refused.problem(Code::BadQuery);
}

fn complete(upto: u64) -> ChangeEnd {
    ChangeEnd {
        end: true,
        reason: None,
        detail: "all that could be read is given".to_owned(),
        next_since: upto,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_have_their_number_and_one_that_is_left_makes_room() {
    let mut settings = Settings::default();
    settings.feeds_max = 1;
    let home = Home::with(&settings);
    let feed = open(home.service.router(), "/v1/changes", &[]).await;
    let refused = home.get("/v1/changes").await;
    refused.problem(Code::Unavailable);
    assert_eq!(refused.header("retry-after"), "1");
    // The head alone is no feed, and takes no place.
    let head = request("HEAD", "/v1/changes", &[], "");
    let head = ask(home.service.router(), head).await.ok(200);
    assert_eq!(head.header("content-type"), "application/x-ndjson");
    assert!(!head.headers.contains_key("content-length"));
    drop(feed);
    while home
        .service
        .router()
        .oneshot(request("GET", "/v1/changes", &[], ""))
        .await
        .unwrap()
        .status()
        != 200
    {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_cut_off() {
    let mut settings = Settings::default();
    settings.feeds_max = 1;
    let home = Home::with(&settings);
    stored(&home, 10_000);
    let mut slow = open(home.service.router(), "/v1/changes", &[]).await;
    let mut refused = 0;
    let mut other = loop {
        let asked = request("GET", "/v1/changes?since=9999", &[], "");
        let response = home.service.router().oneshot(asked).await.unwrap();
        if response.status() == 200 {
            break response.into_body().into_data_stream();
        }
        refused += 1;
        assert!(refused < 1000);
        sleep(Duration::from_millis(100)).await;
    };
    // The limit is 30 s.
    assert!(refused >= 290);
    assert!(other.next().await.unwrap().unwrap().starts_with(b"{\"id\""));
    let mut given = 0;
    let error = loop {
        match slow.try_next().await.unwrap() {
            Ok(line) => {
                given += 1;
                let stored: StoredRecord = serde_json::from_str(&line).unwrap();
                assert_eq!(stored.sequence.get(), given);
            }
            Err(error) => break error,
        }
    };
    assert!(given < 10_000);
    assert_eq!(error.to_string(), "the stream broke off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_resumed_gives_each_record_once_while_writers_go_on() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 150;
    let home = Home::new();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let router = home.service.router();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let claims: Vec<Value> = (0..3)
                        .map(|part| claim(&format!("w{writer}"), "p", 3 * number + part))
                        .collect();
                    // The second time it is there already.
                    ask(router.clone(), post("/v1/assertions", json!(claims)))
                        .await
                        .ok(201);
                    ask(router.clone(), post("/v1/assertions", json!(claims)))
                        .await
                        .ok(200);
                }
            })
        })
        .collect();
    let total = WRITERS * EACH * 3;
    let (mut given, mut last) = (Vec::new(), String::from("0"));
    let mut stays = 1;
    while (given.len() as u64) < total {
        let headers = [EVENTS, ("last-event-id", last.as_str())];
        let mut feed = open(home.service.router(), "/v1/changes?since=0", &headers).await;
        for _ in 0..stays {
            let event = feed.next().await;
            let id = event
                .lines()
                .find_map(|line| line.strip_prefix("id: "))
                .unwrap();
            if event.contains("\ndata: ") {
                given.push(id.parse::<u64>().unwrap());
            }
            last = id.to_owned();
            if given.len() as u64 == total {
                break;
            }
        }
        stays = stays * 2 % 97 + 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(given.into_iter().eq(1..=total));
    assert_eq!(
        home.database.view().unwrap().applied(),
        Sequence::new(total)
    );
}

#[tokio::test]
async fn other_methods_are_refused() {
    let home = Home::new();
    let posted = Request::builder().method("POST").uri("/v1/changes");
    let answer = ask(home.service.router(), posted.body(Body::empty()).unwrap()).await;
    answer.problem(Code::MethodNotAllowed);
    home.get("/v1/records")
        .await
        .problem(Code::MethodNotAllowed);
}

/// A home that needs a token, one with this scope, and what revokes it.
pub(crate) fn closed(scope: Scope) -> (Home, String, impl FnOnce()) {
    let home = Home::new();
    let file = TokenFile::of(home.path());
    let new = NewToken {
        name: "test".to_owned(),
        scopes: vec![scope],
        days: None,
    };
    let (token, secret) = file.create(new).unwrap();
    home.service.require_tokens();
    let field = format!("Bearer {}", secret.reveal());
    (home, field, move || drop(file.revoke(&token.id).unwrap()))
}

/// Opens it as soon as the server has seen the token.
async fn open_with(home: &Home, path: &str, field: &str) -> Feed {
    let headers = [("authorization", field)];
    for _ in 0..3000 {
        if home.get_with("/v1/stats", &headers).await.status == 200 {
            return open(home.service.router(), path, &headers).await;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the token is never seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ends_when_its_token_is_revoked() {
    let (home, field, revoke) = closed(Scope::Read);
    let record = Record::from_json(
        br#"{"type":"assertion","subject":"a","predicate":"p","object":1,"agent":"x"}"#,
    );
    home.database.add(record.unwrap()).unwrap();
    let mut feed = open_with(&home, "/v1/changes", &field).await;
    assert_eq!(feed.sequences(1).await, [1]);
    revoke();
    let end = loop {
        match timeout(LIMIT, feed.line()).await.unwrap() {
            ChangeLine::End(end) => break end,
            ChangeLine::Heartbeat(_) => {}
            other @ ChangeLine::Record(_) => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (end.reason, end.next_since),
        (Some(Code::Unauthenticated), 1)
    );
    assert!(feed.try_next().await.is_none());
}

/// Whoever reads nothing is given no more of what waits, and is not told to go on behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_ends_with_a_batch_in_hand_names_the_place_before_it() {
    let (home, field, revoke) = closed(Scope::Read);
    let quote = "q".repeat(60_000);
    let records = (0..400).map(|number| {
        let mut claim = claim("s", "p", number);
        claim["type"] = "assertion".into();
        claim["quote"] = quote.as_str().into();
        Record::from_json(claim.to_string().as_bytes()).unwrap()
    });
    home.database.ingest(records);
    home.settle();
    let mut feed = open_with(&home, "/v1/changes", &field).await;
    let first = feed.sequences(1).await;
    assert_eq!(first, [1]);
    revoke();
    // It has room for a few batches only, and waits for a reader when it hears of it.
    sleep(Duration::from_secs(4)).await;
    let mut last = 1;
    let end = loop {
        match timeout(LIMIT, feed.line()).await.unwrap() {
            ChangeLine::Record(record) => last = record.sequence.get(),
            ChangeLine::Heartbeat(_) => {}
            ChangeLine::End(end) => break end,
        }
    };
    assert_eq!(
        (end.reason, end.next_since),
        (Some(Code::Unauthenticated), last)
    );
    assert!(last < 400, "it was given everything");
}
