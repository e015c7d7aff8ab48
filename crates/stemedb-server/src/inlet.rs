//! The bytes of a body as they come, with a limit for how long they may stay away.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits::{GATHER_BYTES, GATHER_MS};
use crate::problem::Problem;
use crate::wire::Code;

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct Inlet {
    body: BodyDataStream,
    stall_seconds_max: u64,
    /// What was read before it was asked for.
    early: Option<Result<Option<Bytes>, Problem>>,
}

impl Inlet {
    pub(crate) fn new(body: Body, stall_seconds_max: u64) -> Self {
        Self {
            body: body.into_data_stream(),
            stall_seconds_max,
            early: None,
        }
    }

    /// The next bytes; none at the end of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if let Some(early) = self.early.take() {
            return early;
        }
        let seconds = self.stall_seconds_max;
        match timeout(Duration::from_secs(seconds), self.body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a body broke off");
                Err(Problem::new(Code::InvalidEncoding, "the body broke off"))
            }
            Err(_) => {
                let detail = format!("no bytes of the body came for {seconds} s");
                Err(Problem::new(Code::RequestTimeout, detail))
            }
        }
    }

    /// Asks for the first bytes before they are wanted, since a client may wait to be asked.
    pub(crate) async fn ask(&mut self) {
        let first = self.next().await;
        self.early = Some(first);
    }

    /// The next bytes, and those that follow at once.
    ///
    /// What ends the body before it has given enough comes with the next call.
    pub(crate) async fn gather(&mut self) -> Result<Option<Vec<Bytes>>, Problem> {
        let Some(first) = self.next().await? else {
            return Ok(None);
        };
        let until = Instant::now() + Duration::from_millis(GATHER_MS);
        let mut length = first.len();
        let mut gathered = vec![first];
        while length < GATHER_BYTES {
            match timeout_at(until, self.next()).await {
                Ok(Ok(Some(bytes))) => {
                    length += bytes.len();
                    gathered.push(bytes);
                }
                Ok(ended) => {
                    self.early = Some(ended);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(Some(gathered))
    }
}
