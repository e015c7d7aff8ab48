//! Little by little, or nothing at all: whoever waits for such a client holds something for it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Attacker, Outcome, PATIENCE, answered, listen};

/// Between two bytes.
const DRIP: Duration = Duration::from_secs(1);

const BODY: &[u8] = b"POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n[";

/// A head of which a byte comes each second.
pub(super) async fn head(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    stream
        .write_all(b"GET /v1/stats HTTP/1.1\r\nx-slow: ")
        .await?;
    drip(&mut stream).await
}

/// The same for a body.
pub(super) async fn body(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    stream.write_all(BODY).await?;
    drip(&mut stream).await
}

async fn drip(stream: &mut TcpStream) -> Outcome {
    let mut answer = [0; 256];
    loop {
        if let Ok(read) = timeout(DRIP, stream.read(&mut answer)).await {
            return Ok(answered(answer.get(..read?).unwrap_or_default()));
        }
        stream.write_all(b" ").await?;
    }
}

/// A body of which a mebibyte comes, and then nothing.
pub(super) async fn half_body(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    let head = "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 8388608\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&vec![b' '; 1 << 20]).await?;
    listen(&mut stream).await
}

/// An upload that goes on as long as it is read, and reads nothing itself.
pub(super) async fn deaf_upload(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    let head = "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let lines = "no record\n".repeat(1000);
    let piece = format!("{:x}\r\n{lines}\r\n", lines.len());
    loop {
        match timeout(PATIENCE, stream.write_all(piece.as_bytes())).await {
            Ok(sent) => sent?,
            Err(_) => return Ok("held".to_owned()),
        }
    }
}

/// A feed from the beginning that nobody reads.
pub(super) async fn deaf_feed(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    let request = "GET /v1/changes?since=0 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut first = [0; 64];
    let read = timeout(PATIENCE, stream.read(&mut first)).await??;
    let answered = answered(first.get(..read).unwrap_or_default());
    if answered == "200" {
        sleep(PATIENCE).await;
    }
    Ok(answered)
}

/// A long answer that is taken byte by byte.
pub(super) async fn sip(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    let request = super::super::client::get("/v1/subjects?limit=1000");
    stream.write_all(&request).await?;
    let mut byte = [0; 1];
    for _ in 0..PATIENCE.as_secs() {
        if stream.read(&mut byte).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sleep(DRIP).await;
    }
    Ok("held".to_owned())
}
