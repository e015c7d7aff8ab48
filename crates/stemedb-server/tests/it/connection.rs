//! Connections that take their time: each is ended by itself, and nobody else waits for it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stemedb_server::Settings;
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio::time::{Instant, pause, sleep, timeout};

use crate::support::Home;
use crate::wire::{LIVE, Running, Wire, header, pipe, status};

const SECOND: Duration = Duration::from_secs(1);

/// A request that is answered for as long as anybody listens.
const FEED: &str = "GET /v1/changes HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A server whose clock stands still while anything can happen.
fn home(change: impl FnOnce(&mut Settings)) -> Arc<Home> {
    let mut settings = Settings::default();
    change(&mut settings);
    Arc::new(Home::with(&settings))
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_cut_off_and_others_are_served() {
    let home = home(|settings| settings.head_seconds_max = 10);
    let (mut slow, answering) = pipe(&home, 1 << 16);
    let (mut other, _) = pipe(&home, 1 << 16);
    let begun = Instant::now();
    for byte in LIVE.bytes().cycle() {
        if answering.is_finished() || slow.0.write_all(&[byte]).await.is_err() {
            break;
        }
        other.send(LIVE).await;
        assert_eq!(other.status().await, 200);
        sleep(SECOND).await;
    }
    assert!((10..=11).contains(&begun.elapsed().as_secs()));
    assert_eq!(slow.rest().await, "");
    answering.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_head_has_its_own_time() {
    let home = home(|settings| {
        settings.head_seconds_max = 10;
        settings.idle_seconds_max = 100;
    });
    let (mut slow, answering) = pipe(&home, 1 << 16);
    slow.send(LIVE).await;
    assert_eq!(slow.status().await, 200);
    sleep(50 * SECOND).await;
    let begun = Instant::now();
    slow.send(&LIVE[..20]).await;
    sleep(9 * SECOND).await;
    slow.send(&LIVE[20..30]).await;
    answering.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn silence_is_ended_sooner_before_the_first_request_than_behind_one() {
    let home = home(|settings| {
        settings.head_seconds_max = 10;
        settings.idle_seconds_max = 60;
    });
    let (_mute, answering) = pipe(&home, 1 << 16);
    let begun = Instant::now();
    answering.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);

    let (mut silent, answering) = pipe(&home, 1 << 16);
    for _ in 0..3 {
        silent.send(LIVE).await;
        assert_eq!(silent.status().await, 200);
        sleep(59 * SECOND).await;
    }
    assert!(!answering.is_finished());
    let begun = Instant::now();
    answering.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_and_one_that_reads_slowly_is_not() {
    let home = home(|settings| {
        settings.write_stall_seconds_max = 30;
        settings.answer_bytes_per_second_min = 1;
    });
    let begun = Instant::now();
    let (mut deaf, answering) = pipe(&home, 100);
    deaf.send(LIVE).await;
    answering.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30);

    let (mut slow, _) = pipe(&home, 100);
    slow.send(LIVE).await;
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"live"}"#) {
        sleep(29 * SECOND).await;
        let mut piece = [0; 100];
        let read = tokio::io::AsyncReadExt::read(&mut slow.0, &mut piece).await;
        answer.extend(&piece[..read.unwrap()]);
    }
    assert!(begun.elapsed().as_secs() > 60);
}

/// The request is over when the last of its answer is queued, which is long before that is read.
#[tokio::test(start_paused = true)]
async fn a_long_answer_that_is_read_slowly_and_steadily_arrives_whole() {
    let home = home(|settings| {
        settings.head_seconds_max = 5;
        settings.idle_seconds_max = 5;
        settings.answer_bytes_per_second_min = 1024;
    });
    let (mut slow, answering) = pipe(&home, 4096);
    slow.send("GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    let begun = Instant::now();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n}\n") {
        sleep(SECOND).await;
        let mut piece = [0; 4096];
        let read = tokio::io::AsyncReadExt::read(&mut slow.0, &mut piece).await;
        let read = read.unwrap();
        assert!(read > 0, "it ended after {} bytes", answer.len());
        answer.extend(&piece[..read]);
    }
    assert!(answer.len() > 100 << 10, "{}", answer.len());
    assert!(begun.elapsed().as_secs() > 20);
    // From here the pause behind it runs.
    answering.await.unwrap();
    assert!((4..=6).contains(&(begun.elapsed().as_secs() - (answer.len() as u64).div_ceil(4096))));
}

/// What came while an answer waited is the beginning of a head, whose time runs once the answer is taken.
#[tokio::test(start_paused = true)]
async fn a_head_that_begins_before_the_last_answer_is_read_is_ended_in_its_own_time() {
    let home = home(|settings| {
        settings.head_seconds_max = 5;
        settings.idle_seconds_max = 100;
    });
    let (mut slow, answering) = pipe(&home, 4096);
    slow.send("GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    sleep(SECOND).await;
    slow.send(&LIVE[..20]).await;
    sleep(20 * SECOND).await;
    assert!(!answering.is_finished());
    let (head, _) = slow.next().await;
    assert_eq!(status(&head), 200);
    let begun = Instant::now();
    answering.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5);
}

/// It took a byte within every limit on silence, and so held its answer for as long as it liked.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_byte_now_and_then_is_cut_off() {
    let home = home(|settings| {
        settings.write_stall_seconds_max = 30;
        settings.answer_bytes_per_second_min = 10;
    });
    let begun = Instant::now();
    let (mut sly, answering) = pipe(&home, 1);
    sly.send(LIVE).await;
    let mut taken = 0;
    while !answering.is_finished() {
        sleep(10 * SECOND).await;
        taken += tokio::io::AsyncReadExt::read(&mut sly.0, &mut [0])
            .await
            .unwrap();
    }
    answering.await.unwrap();
    assert!(taken < 5, "{taken}");
    assert!((30..=40).contains(&begun.elapsed().as_secs()));

    let begun = Instant::now();
    let (mut steady, _) = pipe(&home, 1);
    steady.send(LIVE).await;
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"live"}"#) {
        sleep(SECOND / 11).await;
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut steady.0, &mut byte)
            .await
            .unwrap();
        answer.extend(byte);
    }
    assert!(begun.elapsed().as_secs() < 30);
}

#[tokio::test(start_paused = true)]
async fn a_feed_with_nothing_to_send_is_not_cut_off_for_taking_nothing() {
    let home = home(|settings| {
        settings.write_stall_seconds_max = 2;
        settings.answer_bytes_per_second_min = 1 << 20;
        settings.heartbeat_seconds = 100;
    });
    let (mut feed, answering) = pipe(&home, 1 << 16);
    feed.send(FEED).await;
    let begun = Instant::now();
    let mut text: Vec<u8> = Vec::new();
    while text.windows(9).filter(|part| *part == b"heartbeat").count() < 3 {
        let mut piece = [0; 1000];
        let read = tokio::io::AsyncReadExt::read(&mut feed.0, &mut piece)
            .await
            .unwrap();
        assert!(read > 0, "it ended");
        text.extend(&piece[..read]);
    }
    assert!(begun.elapsed().as_secs() >= 300);
    assert!(!answering.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_request_may_take_longer_than_a_pause_may() {
    let home = home(|settings| {
        settings.head_seconds_max = 1;
        settings.idle_seconds_max = 1;
        settings.request_seconds_max = 30;
    });
    let head = "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
    let (mut slow, _) = pipe(&home, 1 << 16);
    slow.send(head).await;
    sleep(20 * SECOND).await;
    slow.send("no").await;
    assert_eq!(slow.status().await, 400);

    slow.send(head).await;
    let begun = Instant::now();
    let (head, _) = slow.next().await;
    assert_eq!((status(&head), begun.elapsed().as_secs()), (408, 30));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_until_another_one_ends() {
    let mut settings = Settings::default();
    settings.connections_max = 2;
    settings.idle_seconds_max = 86_400;
    let running = Running::start(&settings).await;
    let mut inside = [running.connect().await, running.connect().await];
    for wire in &mut inside {
        // They are answered for as long as they like.
        wire.send(FEED).await;
        assert_eq!(wire.status().await, 200);
    }
    let mut third = running.connect().await;
    third.send(LIVE).await;
    // Longer than those stay who wait for their clients.
    let moment = Duration::from_millis(1500);
    assert!(timeout(moment, third.next()).await.is_err());
    drop(inside);
    assert_eq!(third.status().await, 200);
    drop(third);
    running.end().await;
}

/// Whoever held all places with connections on which nothing came kept others out for as long as a head or a pause may take.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_makes_room_for_who_comes() {
    let mut settings = Settings::default();
    settings.connections_max = 3;
    settings.idle_seconds_max = 86_400;
    settings.head_seconds_max = 86_400;
    let running = Running::start(&settings).await;
    let mut answered = running.connect().await;
    answered.send(FEED).await;
    assert_eq!(answered.status().await, 200);
    let mut idle = running.connect().await;
    idle.send(LIVE).await;
    assert_eq!(idle.status().await, 200);
    let mut half = running.connect().await;
    half.send(&LIVE[..10]).await;

    let mut newcomers = [running.connect().await, running.connect().await];
    for wire in &mut newcomers {
        wire.send(FEED).await;
        let status = timeout(100 * SECOND, wire.status()).await;
        assert_eq!(status.expect("there is room"), 200);
    }
    assert_eq!((idle.rest().await, half.rest().await), Default::default());
    drop((answered, newcomers));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_those_of_its_address_is_closed_at_once() {
    let mut settings = Settings::default();
    settings.connections_per_address_max = 2;
    let running = Running::start(&settings).await;
    let mut inside = [running.connect().await, running.connect().await];
    for wire in &mut inside {
        wire.send(LIVE).await;
        assert_eq!(wire.status().await, 200);
    }
    let mut third = running.connect().await;
    let closed = timeout(5 * SECOND, third.rest()).await;
    assert_eq!(closed.expect("before its first head is due"), "");
    for wire in &mut inside {
        wire.send(LIVE).await;
        assert_eq!(wire.status().await, 200);
    }
    drop(inside);
    // The server hears of their end a moment later.
    let last = LIVE.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    for _ in 0..1000 {
        let mut wire = running.connect().await;
        if wire.0.write_all(last.as_bytes()).await.is_ok() {
            answer = wire.rest().await;
        }
        if !answer.is_empty() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(status(&answer), 200);
    running.end().await;
}

#[tokio::test]
async fn a_long_answer_waits_until_another_one_is_read_but_not_for_ever() {
    let home = home(|settings| {
        settings.answers_bytes_max = 1;
        settings.request_seconds_max = 5;
    });
    let text = "a".repeat(100 << 10);
    let record = json!({"subject": "s", "predicate": "p", "object": text, "agent": "x"});
    home.post("/v1/assertions", record).await.ok(201);
    home.settle();
    // Nothing but the threads of the runtime has work from here.
    pause();
    let list = "GET /v1/subjects/s/assertions HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (mut slow, _) = pipe(&home, 4096);
    slow.send(list).await;
    sleep(SECOND).await;
    let (mut other, _) = pipe(&home, 4096);
    let begun = Instant::now();
    other.send(list).await;
    assert_eq!((other.status().await, begun.elapsed().as_secs()), (503, 5));
    other.send(LIVE).await;
    assert_eq!(other.status().await, 200, "a short one");
    let (head, body) = slow.next().await;
    assert_eq!(status(&head), 200);
    assert!(body.len() > 100 << 10);
    other.send(list).await;
    assert_eq!(other.status().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_closes_what_is_idle_and_breaks_off_what_takes_too_long() {
    let mut settings = Settings::default();
    settings.shutdown_seconds_max = 0;
    let running = Running::start(&settings).await;
    let mut idle = running.connect().await;
    idle.send(LIVE).await;
    assert_eq!(idle.status().await, 200);
    let mut half = running.connect().await;
    half.send(&LIVE[..10]).await;
    running.end().await;
    assert_eq!(idle.rest().await, "");
    assert_eq!(half.rest().await, "");
}

#[tokio::test]
async fn what_came_before_the_end_is_told_of_it() {
    let home = Home::new();
    let (client, server) = duplex(10_000);
    let mut wire = Wire(client);
    wire.send("GET /v1/stats HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    home.service.shutdown().begin();
    let client = async {
        let (head, body) = wire.next().await;
        assert_eq!(status(&head), 503);
        assert!(body.contains(r#""code":"shutting_down""#), "{body}");
        assert_eq!(wire.rest().await, "");
    };
    tokio::join!(home.service.answer(server), client);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_still_sends_is_heard_out_so_that_the_refusal_arrives() {
    let running = Running::start(&Settings::default()).await;
    let mut wire = running.connect().await;
    let long = 12 << 20;
    wire.send(format!(
        "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {long}\r\n\r\n"
    ))
    .await;
    wire.send(" ".repeat(long)).await;
    let (head, body) = wire.next().await;
    assert_eq!(status(&head), 413, "{body}");
    assert_eq!(wire.rest().await, "");
    drop(wire);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_once_are_answered_in_turn() {
    let running = Running::start(&Settings::default()).await;
    let mut wire = running.connect().await;
    wire.send(LIVE.repeat(50)).await;
    for _ in 0..50 {
        let (head, body) = wire.next().await;
        assert_eq!(
            (status(&head), body.as_str()),
            (200, r#"{"status":"live"}"#)
        );
        assert_eq!(header(&head, "content-type"), Some("application/json"));
    }
    let Wire(mut stream) = wire;
    stream.shutdown().await.unwrap();
    assert_eq!(Wire(stream).rest().await, "");
    running.end().await;
}
