//! Many connections at once, and connections that are reset.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::super::client::post;
use super::{Attacker, Crowd, Outcome};

/// Connections at once, within what a server lets in and above it.
const CROWDS: [u32; 2] = [500, 3000];
/// How long they stay.
const STAY: Duration = Duration::from_secs(2);

/// Opens many connections, says nothing on any, and leaves.
pub(super) async fn flood(attacker: Attacker) -> Outcome {
    let turn = attacker.arms.log.turn().is_multiple_of(2);
    let [few, many] = CROWDS;
    let count = if turn { few } else { many };
    let mut crowd = Crowd::new();
    for _ in 0..count {
        let attacker = attacker.clone();
        crowd.spawn(async move {
            let stream = timeout(STAY, attacker.connect()).await??;
            sleep(STAY).await;
            drop(stream);
            Ok(())
        });
    }
    let mut let_in = 0_u32;
    while let Some(one) = crowd.join_next().await {
        let_in += u32::from(one.is_ok_and(|one| one.is_ok()));
    }
    Ok(format!(
        "{} of {count}",
        if let_in == count { "all" } else { "some" }
    ))
}

/// Resets a connection in the middle of a body, or of an answer.
pub(super) async fn reset(attacker: Attacker) -> Outcome {
    let mut stream = attacker.connect().await?;
    stream.set_zero_linger()?;
    if attacker.arms.log.turn().is_multiple_of(2) {
        let whole = post("/v1/assertions", &[b' '; 4096]);
        stream
            .write_all(whole.get(..2000).unwrap_or_default())
            .await?;
    } else {
        stream
            .write_all(&super::super::client::get("/v1/subjects?limit=1000"))
            .await?;
    }
    sleep(Duration::from_millis(5)).await;
    Ok("reset".to_owned())
}
