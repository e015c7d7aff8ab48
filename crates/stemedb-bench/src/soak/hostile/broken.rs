//! What is no HTTP, no JSON, or too long.

use super::super::client::{get, post};
use super::super::log::Log;
use super::{Attacker, Outcome};

/// Heads that are none, or are tricks.
const HEADS: [&[u8]; 10] = [
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /v1/stats HTTP/1.1\r\nhost: localhost\r\nhost: b\r\n\r\n",
    b"GET /v1/stats HTTP/1.1\r\nbad header\r\n\r\n",
    b"GET /v1/stats HTTP/1.1\r\nx: \x00\x01\x02\r\n\r\n",
    b"POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
];

/// Bodies of chunks that are none.
const CHUNKS: [&str; 6] = [
    "zzz\r\nabc\r\n0\r\n\r\n",
    "ffffffffffffffffffff\r\nabc",
    "-1\r\nabc\r\n0\r\n\r\n",
    "3\r\nabcdef\r\n0\r\n\r\n",
    "3;ext=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nabc\r\n0\r\n\r\n",
    "3\nabc\n0\n\n",
];

const JSON: [&str; 8] = [
    "",
    "{",
    "nonsense",
    "[]",
    "{\"subject\":1}",
    "{\"subject\":\"s\",\"subject\":\"s\",\"predicate\":\"p\",\"object\":1,\"agent\":\"a\"}",
    "{\"subject\":\"s\",\"predicate\":\"p\",\"object\":1e999,\"agent\":\"a\"}",
    "{\"subject\":\"\\ud800\",\"predicate\":\"p\",\"object\":1,\"agent\":\"a\"}",
];

const CURSORS: [&str; 6] = [
    "/v1/subjects?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "/v1/subjects?cursor=%00%ff%fe",
    "/v1/subjects?limit=99999999999999999999",
    "/v1/subjects?as_of=18446744073709551615",
    "/v1/changes?since=18446744073709551616",
    "/v1/subjects/x/assertions?cursor=null&cursor=null",
];

/// Goes through a list, one item for each call.
fn turn<T: Copy>(log: &Log, items: &[T]) -> Option<T> {
    let number = usize::try_from(log.turn()).unwrap_or(0);
    items.get(number % items.len().max(1)).copied()
}

pub(super) async fn head(attacker: Attacker) -> Outcome {
    let head = turn(&attacker.arms.log, &HEADS);
    attacker.say(head.unwrap_or_default()).await
}

pub(super) async fn chunks(attacker: Attacker) -> Outcome {
    let turn = turn(&attacker.arms.log, &CHUNKS);
    let route = ["/v1/assertions", "/v1/records"];
    let kind = ["application/json", "application/x-ndjson"];
    let at = attacker.arms.log.turn().is_multiple_of(2);
    let ([one, other], [json, lines]) = (route, kind);
    let (route, kind) = if at { (one, json) } else { (other, lines) };
    let body = turn.unwrap_or_default();
    let text = format!(
        "POST {route} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n{body}"
    );
    attacker.say(text.as_bytes()).await
}

pub(super) async fn json(attacker: Attacker) -> Outcome {
    let body = turn(&attacker.arms.log, &JSON).unwrap_or_default();
    attacker.say(&post("/v1/assertions", body.as_bytes())).await
}

/// A mebibyte of brackets.
pub(super) async fn deep(attacker: Attacker) -> Outcome {
    let body = vec![b'['; 1 << 20];
    attacker.say(&post("/v1/assertions", &body)).await
}

pub(super) async fn cursor(attacker: Attacker) -> Outcome {
    let path = turn(&attacker.arms.log, &CURSORS).unwrap_or_default();
    attacker.say(&get(path)).await
}

/// Unknown routes, nearly as long as a head may be and longer.
pub(super) async fn path(attacker: Attacker) -> Outcome {
    let length = turn(&attacker.arms.log, &[100, 60_000, 66_000, 200_000]);
    let path = "/v1/".to_owned() + &"x".repeat(length.unwrap_or_default());
    attacker.say(&get(&path)).await
}

/// A body that is said to be longer than anything.
pub(super) async fn length(attacker: Attacker) -> Outcome {
    let lengths = [
        "99999999999999",
        "18446744073709551615",
        "1e9",
        "99999999999999999999999",
    ];
    let length = turn(&attacker.arms.log, &lengths).unwrap_or_default();
    let text = format!(
        "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n[[[["
    );
    attacker.say(text.as_bytes()).await
}

/// A body over the limit, whose length is said or not.
pub(super) async fn too_large(attacker: Attacker) -> Outcome {
    let body = vec![b' '; 9 << 20];
    if attacker.arms.log.turn().is_multiple_of(2) {
        return attacker.say(&post("/v1/assertions", &body)).await;
    }
    let head = "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let size = format!("{:x}\r\n", body.len());
    let chunked = [head.as_bytes(), size.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    attacker.say(&chunked).await
}
