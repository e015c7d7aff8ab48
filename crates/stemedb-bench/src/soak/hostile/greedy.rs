//! Little to send, much to do.

use std::io::{self, Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::super::client::{Client, get};
use super::{Attacker, Outcome, answered};
use crate::claim::Generator;

/// Zeros in a bomb.
const ZEROS: u64 = 256 << 20;
/// How long an answer may take altogether.
const WHOLE: Duration = Duration::from_mins(2);

pub(super) fn zeros_as_gzip() -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    io::copy(&mut io::repeat(0).take(ZEROS), &mut encoder)?;
    encoder.finish()
}

pub(super) fn zeros_as_zstd() -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
    io::copy(&mut io::repeat(0).take(4 * ZEROS), &mut encoder)?;
    encoder.flush()?;
    encoder.finish()
}

pub(super) async fn gzip(attacker: Attacker) -> Outcome {
    bomb(&attacker, "gzip", &attacker.arms.bombs.gzip).await
}

pub(super) async fn zstd(attacker: Attacker) -> Outcome {
    bomb(&attacker, "zstd", &attacker.arms.bombs.zstd).await
}

/// Sends one, and waits for all that comes of it.
async fn bomb(attacker: &Attacker, encoding: &str, bytes: &[u8]) -> Outcome {
    let mut stream = attacker.connect().await?;
    let length = bytes.len();
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ncontent-encoding: {encoding}\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    timeout(WHOLE, stream.read_to_end(&mut answer)).await??;
    let text = String::from_utf8_lossy(&answer);
    let is_whole = if text.contains("\"end\":true") {
        ", whole"
    } else {
        ""
    };
    Ok(answered(&answer) + is_whole)
}

/// The longest pages there are.
pub(super) async fn wide(attacker: Attacker) -> Outcome {
    let first = format!(
        "/v1/subjects/{}/assertions?limit=1000",
        Generator::subject(1)
    );
    let path = if attacker.arms.log.turn().is_multiple_of(2) {
        first.as_str()
    } else {
        "/v1/subjects?limit=1000"
    };
    read(&attacker, path).await
}

/// The totals of many votes.
pub(super) async fn votes(attacker: Attacker) -> Outcome {
    read(&attacker, &attacker.arms.votes).await
}

async fn read(attacker: &Attacker, path: &str) -> Outcome {
    let mut client = Client::new(attacker.arms.server, attacker.own);
    let answer = client.ask(&get(path)).await?;
    Ok(answer.status.to_string())
}
