//! A reader of the feed; where it is broken off it goes on behind the last record, by both ways in turn.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    sync::atomic::Ordering,
};

use serde_json::Value;
use stemedb::RecordId;

use super::{
    load::Load,
    wire::{Chunks, connect, read_head},
};

/// What it was given, in the order in which it came.
pub(super) type Seen = Vec<(u64, RecordId)>;

/// Reads until the server says that it ends, when the load is over.
pub(super) fn follow(load: &Load) -> Seen {
    let mut seen = Seen::new();
    for by_header in [false, true].into_iter().cycle() {
        let (is_whole, _) = load.insist(|| go_on(load, &mut seen, by_header));
        if is_whole && load.is_over() {
            break;
        }
    }
    seen
}

/// One connection; whether the server has ended it in order.
fn go_on(load: &Load, seen: &mut Seen, by_header: bool) -> io::Result<bool> {
    let mut stream = connect(load.address)?;
    let last = seen.last().map_or(0, |(sequence, _)| *sequence);
    let request = if by_header {
        format!(
            "GET /v1/changes HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: {last}\r\n\r\n"
        )
    } else {
        format!("GET /v1/changes?since={last} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    };
    stream.get_mut().write_all(request.as_bytes())?;
    let (status, _) = read_head(&mut stream)?;
    assert_eq!(status, 200, "a feed behind {last}");
    let mut lines = BufReader::new(Chunks::of(stream));
    let mut line = String::new();
    loop {
        line.clear();
        let broken = lines.read_line(&mut line);
        if broken.is_err() || !line.ends_with('\n') {
            // The other way is next.
            return Ok(false);
        }
        let text = if by_header {
            line.strip_prefix("data: ")
        } else {
            Some(line.as_str())
        };
        let Some(text) = text else {
            continue;
        };
        let change: Value = serde_json::from_str(text).unwrap();
        if change["end"] == true {
            return Ok(true);
        }
        if let Some(id) = change["id"].as_str() {
            let sequence = change["sequence"].as_u64().unwrap();
            seen.push((sequence, id.parse().unwrap()));
            load.fed.store(sequence, Ordering::Relaxed);
        }
    }
}
