//! Heads that nobody should send.

use stemedb_server::Settings;

use crate::wire::{LIVE, Running, header, status};

/// The settings of a server that does not wait long for what never comes.
fn hurried() -> Settings {
    let mut settings = Settings::default();
    settings.head_seconds_max = 1;
    settings.idle_seconds_max = 1;
    settings
}

/// What a server answers to these bytes, until it closes; every answer but the refusals of hyper is a problem.
async fn sent(running: &Running, bytes: impl AsRef<[u8]>) -> (Option<u16>, String) {
    let mut wire = running.connect().await;
    wire.send(bytes).await;
    let answer = wire.rest().await;
    if answer.is_empty() {
        return (None, answer);
    }
    let status = status(&answer);
    if header(&answer, "content-length") != Some("0") && status != 200 {
        assert_eq!(
            header(&answer, "content-type"),
            Some("application/problem+json")
        );
    }
    (Some(status), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_not_resolved() {
    let running = Running::start(&hurried()).await;
    for (path, expected) in [
        ("/healthz/%6cive", 404),
        ("/healthz/./live", 404),
        ("/v1/../healthz/live", 404),
        ("/v1/%2e%2e/healthz/live", 404),
        ("//healthz/live", 404),
        ("/healthz/live/", 404),
        ("/healthz//live", 404),
        ("/healthz/live%00", 404),
        ("/HEALTHZ/live", 404),
        ("/healthz/live;x=1", 404),
        ("/v1/subjects/%2e%2e/assertions", 200),
        ("/v1/subjects/..%2f..%2fetc%2fpasswd/assertions", 200),
        ("/v1/subjects/%00/assertions", 400),
        ("/v1/subjects/%ff/assertions", 400),
        ("/v1/records/..", 400),
        ("*", 404),
        ("healthz/live", 400),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let (status, answer) = sent(&running, head).await;
        assert_eq!(status, Some(expected), "{path}: {answer}");
    }
    let whole = "GET http://localhost/healthz/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(sent(&running, whole).await.0, Some(200));
    let foreign = "GET http://rebound.example/v1/stats HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(sent(&running, foreign).await.0, Some(421));
    let connect = "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n";
    assert_eq!(sent(&running, connect).await.0, Some(404));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_can_be_read_in_two_ways_are_refused() {
    let running = Running::start(&hurried()).await;
    let host = "host: localhost\r\n";
    let json = "content-type: application/json\r\n";
    for (fields, expected) in [
        (String::new(), Some(400)),
        (format!("{host}host: localhost\r\n"), Some(400)),
        (
            format!("{host}authorization: Bearer a\r\nauthorization: Bearer b\r\n"),
            Some(400),
        ),
        (format!("{host}{json}{json}"), Some(400)),
        (
            format!("{host}content-length: 5\r\ncontent-length: 6\r\n"),
            Some(400),
        ),
        (format!("{host}content-length: -1\r\n"), Some(400)),
        (format!("{host}content-length: +5\r\n"), Some(400)),
        (
            format!("{host}transfer-encoding: chunked, identity\r\n"),
            Some(400),
        ),
        (
            format!("{host}transfer-encoding: gzip, chunked\r\n"),
            Some(400),
        ),
        (
            format!("{host}transfer-encoding: chunked, chunked\r\n"),
            Some(400),
        ),
        (format!("{host} folded: x\r\n"), Some(400)),
        (format!("{host}sp ace: x\r\n"), Some(400)),
        (format!("{host}x: a\0b\r\n"), Some(400)),
        (format!("{host}{}", "x: y\r\n".repeat(101)), Some(431)),
        (format!("{host}x: {}\r\n", "y".repeat(100_000)), Some(431)),
    ] {
        let bytes = format!("GET /healthz/live HTTP/1.1\r\n{fields}\r\n");
        let (status, answer) = sent(&running, bytes).await;
        let shown: String = fields.chars().take(80).collect();
        assert_eq!(status, expected, "{shown}: {answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(70_000));
    let (status, _) = sent(&running, long).await;
    assert!(matches!(status, Some(414 | 431)), "{status:?}");
    for nonsense in [
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET /\r\n\r\n",
    ] {
        assert_eq!(sent(&running, nonsense).await.0, Some(400), "{nonsense}");
    }
    running.end().await;
}

/// A proxy that goes by the length would take what follows the chunks for a part of the body: whoever sends both gets one answer, and
/// the connection ends, so that nothing behind it is ever read as a request.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_two_lengths_smuggles_no_request() {
    let running = Running::start(&hurried()).await;
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: xchunked\r\ncontent-length: 5\r\n",
        "transfer-encoding : chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
    ] {
        let smuggled = format!(
            "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{fields}\r\n0\r\n\r\n{LIVE}"
        );
        let (_, answer) = sent(&running, smuggled).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert_eq!(answers, 1, "{fields}: {answer}");
        assert!(!answer.contains(r#""status":"live""#), "{fields}: {answer}");
    }
    running.end().await;
}
