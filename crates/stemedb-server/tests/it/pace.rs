//! Bodies that come slowly: as slowly as a client needs, and not so that it holds what others want.

use std::io::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use flate2::{Compression, write::GzEncoder};
use stemedb_server::Settings;
use stemedb_server::wire::Code;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::bulk::{Answered, NDJSON, broke_off, fed, read, typed, upload};
use crate::support::{Answer, Home, ask, claim};

const SECOND: Duration = Duration::from_secs(1);

/// A server on which one upload goes on at a time.
fn home() -> Home {
    let mut settings = Settings::default();
    settings.uploads_max = 1;
    Home::with(&settings)
}

/// An upload that has begun.
fn begin(home: &Home, headers: &[(&str, &str)]) -> (Sender<Bytes>, JoinHandle<Answer>) {
    let (sender, body) = fed();
    let asked = ask(home.service.router(), upload(body, headers));
    (sender, tokio::spawn(asked))
}

/// Sends pieces, each after a pause, until nobody takes them any more.
async fn send(sender: Sender<Bytes>, pieces: impl IntoIterator<Item = Bytes>, pause: Duration) {
    for piece in pieces {
        sleep(pause).await;
        if sender.send(piece).await.is_err() {
            return;
        }
    }
}

async fn answered(asked: JoinHandle<Answer>) -> Answered {
    read(&asked.await.unwrap().ok(200).text)
}

fn bytes(text: &[u8]) -> Vec<Bytes> {
    text.chunks(1).map(Bytes::copy_from_slice).collect()
}

#[tokio::test(start_paused = true)]
async fn a_line_that_drips_is_cut_off_and_its_place_is_free() {
    let home = home();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(&[b'x'; 200]).unwrap();
    let gzip = gzip.finish().unwrap();
    for (encoding, text) in [("identity", vec![b'x'; 200]), ("gzip", gzip)] {
        let begun = Instant::now();
        let (sender, asked) = begin(&home, &[NDJSON, ("content-encoding", encoding)]);
        send(sender, bytes(&text), SECOND).await;
        broke_off(&answered(asked).await, Code::BodyTimeout);
        let seconds = begun.elapsed().as_secs();
        assert!((30..40).contains(&seconds), "{encoding}: {seconds}");
    }
    let (sender, asked) = begin(&home, &[NDJSON]);
    send(sender, [typed("s", 1).into()], SECOND).await;
    assert_eq!(answered(asked).await.end.stored, 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_drips_behind_whole_ones_has_no_more_time_than_they() {
    let home = home();
    let (sender, asked) = begin(&home, &[NDJSON]);
    let line = typed("s", 1).into();
    let drops = bytes(&[b'x'; 200]);
    send(sender, std::iter::once(line).chain(drops), SECOND).await;
    let answered = answered(asked).await;
    broke_off(&answered, Code::BodyTimeout);
    assert_eq!(answered.end.stored, 1);
}

#[tokio::test(start_paused = true)]
async fn whole_lines_may_come_as_seldom_as_a_client_may_be_silent() {
    let home = home();
    let (sender, asked) = begin(&home, &[NDJSON]);
    for number in 0..20 {
        let line = Bytes::from(typed("s", number));
        send(sender.clone(), [line.slice(..20)], 29 * SECOND).await;
        send(sender.clone(), [line.slice(20..)], 9 * SECOND).await;
    }
    drop(sender);
    let answered = answered(asked).await;
    assert!(answered.end.end && answered.end.stored == 20);
}

/// What a program writes to a pipe comes in blocks of 4 KiB, each of which ends within a line: here 300 bytes a second.
#[tokio::test(start_paused = true)]
async fn a_live_pipe_that_writes_blocks_is_no_drip() {
    let home = home();
    let text: String = (0..2000).map(|number| typed("s", number)).collect();
    assert!(text.len() > 20 * 4096);
    let (sender, asked) = begin(&home, &[NDJSON]);
    let blocks = text.as_bytes().chunks(4096).map(Bytes::copy_from_slice);
    send(sender, blocks, 14 * SECOND).await;
    let answered = answered(asked).await;
    assert!(answered.end.end && answered.end.stored == 2000);
}

/// A body of JSON that comes piece by piece; where nothing is stored the clock does not run ahead of the disk.
fn post(home: &Home) -> (Sender<Bytes>, JoinHandle<Answer>) {
    let (sender, body): (_, Body) = fed();
    let request = Request::builder().method("POST").uri("/v1/assertions");
    let request = request.header("content-type", "application/json");
    let asked = ask(home.service.router(), request.body(body).unwrap());
    (sender, tokio::spawn(asked))
}

#[tokio::test(start_paused = true)]
async fn a_body_of_json_that_drips_is_cut_off_and_one_that_comes_steadily_is_not() {
    let mut settings = Settings::default();
    settings.stall_seconds_max = 3;
    let home = Home::with(&settings);
    let begun = Instant::now();
    let (sender, asked) = post(&home);
    send(sender, bytes(&[b' '; 200]), SECOND).await;
    let problem = asked.await.unwrap().problem(Code::BodyTimeout);
    assert!(problem.detail.ends_with("; nothing was stored"));
    assert!((3..=4).contains(&begun.elapsed().as_secs()));

    let (sender, asked) = post(&home);
    let pieces = (0..20).map(|_| " ".repeat(1100).into());
    send(sender, pieces, SECOND).await;
    asked.await.unwrap().problem(Code::InvalidJson);
}

#[tokio::test(start_paused = true)]
async fn where_no_rate_is_asked_for_silence_alone_ends_a_body() {
    let mut settings = Settings::default();
    settings.stall_seconds_max = 3;
    settings.request_seconds_max = 1000;
    settings.body_bytes_per_second_min = 0;
    let home = Home::with(&settings);
    let (sender, asked) = post(&home);
    send(sender, bytes(&[b' '; 100]), 2 * SECOND).await;
    asked.await.unwrap().problem(Code::InvalidJson);
}

/// The memory that all bodies hold, as a scrape says it.
async fn held_bytes(home: &Home) -> usize {
    let scraped = home.get("/metrics").await.ok(200);
    let mut lines = scraped.text.lines();
    let held = lines.find_map(|line| line.strip_prefix("stemedb_http_bodies_held_bytes "));
    held.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_body_does_not_wait_for_long_ones_that_stand_still() {
    let mut settings = Settings::default();
    settings.body_bytes_max = 4 << 20;
    settings.bodies_bytes_max = 4 << 20;
    let home = Home::with(&settings);
    let mut slow = Vec::new();
    for _ in 0..6 {
        let (sender, asked) = post(&home);
        // What finds no room waits here.
        let sending = tokio::spawn(async move {
            for _ in 0..3 {
                let piece = Bytes::from(vec![b' '; 1 << 20]);
                drop(sender.send(piece).await);
            }
            std::future::pending::<()>().await;
        });
        slow.push((sending, asked));
    }
    for turn in 0.. {
        if held_bytes(&home).await >= 3 << 20 {
            break;
        }
        assert!(turn < 2000, "they hold nothing");
        sleep(Duration::from_millis(5)).await;
    }
    for number in 0..10 {
        let short = home.post("/v1/assertions", claim("s", "p", number));
        short.await.ok(201);
    }
    assert!(slow.iter().all(|(_, asked)| !asked.is_finished()));
    for (sending, _) in &slow {
        sending.abort();
    }
    for (_, asked) in slow {
        asked.await.unwrap().problem(Code::InvalidJson);
    }
    assert_eq!(held_bytes(&home).await, 0);
}
