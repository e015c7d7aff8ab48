//! The memory of long answers: each holds its share until the last byte of it is taken.
//!
//! An answer is queued whole, so that whoever reads slowly would keep all of it, as often as it asks.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::response::Response;
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

use crate::held::{Memory, Share};
use crate::limits::{ANSWER_BYTES_FREE, ANSWERS_WAITING_MAX};
use crate::problem::Problem;
use crate::wire::Code;

#[cfg(test)]
mod tests;

/// The memory that answers may take.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Memory,
    /// A place for each answer that is made and waits for room.
    waiting: Arc<Semaphore>,
}

/// Says of an answer that its body is a part of this program, and takes no memory of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfProgram;

/// The bytes of an answer, with the memory that they take. The body would not do: it is gone when they are queued.
struct Kept {
    bytes: Bytes,
    _held: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            memory: Memory::new(bytes_max),
            waiting: Arc::new(Semaphore::new(ANSWERS_WAITING_MAX)),
        }
    }

    /// Lets an answer go once there is room for it, which it holds until it is sent. Short ones, streams, and what is
    /// [`OfProgram`] go at once.
    pub(crate) async fn admit(&self, answer: Response) -> Result<Response, Problem> {
        let is_free = answer.extensions().get::<OfProgram>().is_some();
        let bytes = match answer.body().size_hint().exact() {
            Some(bytes) if bytes > ANSWER_BYTES_FREE && !is_free => bytes,
            _ => return Ok(answer),
        };
        let held = self.hold(usize::try_from(bytes).unwrap_or(usize::MAX));
        let held = held.await?;
        let (head, body) = answer.into_parts();
        // It lies in memory: nothing is waited for here, nor copied.
        let bytes = to_bytes(body, usize::MAX).await.map_err(|error| {
            tracing::error!(%error, "an answer cannot be sent");
            Problem::internal("an answer cannot be sent")
        })?;
        let kept = Bytes::from_owner(Kept { bytes, _held: held });
        Ok(Response::from_parts(head, Body::from(kept)))
    }

    async fn hold(&self, bytes: usize) -> Result<Share, Problem> {
        let mut held = Share::default();
        let grown = self.memory.grow(&mut held, bytes).now_or_never();
        if grown.is_some() {
            return Ok(held);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            let detail = "too many long answers wait for clients that read slowly; ask for less";
            return Err(Problem::new(Code::Unavailable, detail));
        };
        self.memory.grow(&mut held, bytes).await;
        Ok(held)
    }
}
