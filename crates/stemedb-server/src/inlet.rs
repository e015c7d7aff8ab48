//! The bytes of a body as they come, with a limit for how long they may stay away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::Request;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::Settings;
use crate::allowance::Allowance;
use crate::limits::{GATHER_BYTES, GATHER_MS};
use crate::problem::Problem;
use crate::wire::Code;

/// Says of a request whether it waits for more of its body to come, which is the client's fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyWait(Arc<AtomicBool>);

impl BodyWait {
    // Ordering: nothing else is told by it.
    pub(crate) fn goes_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, goes_on: bool) {
        self.0.store(goes_on, Ordering::Relaxed);
    }
}

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct Inlet {
    body: BodyDataStream,
    stall_seconds_max: u64,
    bytes_per_second_min: u64,
    allowance: Allowance,
    /// Whether what is waited for counts, or may be as slow as the client likes.
    is_timed: bool,
    wait: BodyWait,
    /// What was read before it was asked for.
    early: Option<Result<Option<Bytes>, Problem>>,
}

impl Inlet {
    /// The body of a request, all of which is waited for.
    pub(crate) fn new(mut request: Request, settings: &Settings) -> Self {
        let wait = request.extensions_mut().remove::<BodyWait>();
        let stall = Duration::from_secs(settings.stall_seconds_max);
        let rate = settings.body_bytes_per_second_min;
        Self {
            body: request.into_body().into_data_stream(),
            stall_seconds_max: settings.stall_seconds_max,
            bytes_per_second_min: rate,
            allowance: Allowance::new(stall, rate, Instant::now()),
            is_timed: true,
            wait: wait.unwrap_or_default(),
            early: None,
        }
    }

    /// A line is whole: the next one may begin when it likes, and has all of the time again.
    pub(crate) fn end_line(&mut self) {
        self.allowance.renew(Instant::now());
        self.is_timed = false;
    }

    /// The rest of a line is waited for.
    pub(crate) fn begin_line(&mut self) {
        self.is_timed = true;
    }

    /// The next bytes; none at the end of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if let Some(early) = self.early.take() {
            return early;
        }
        let now = Instant::now();
        let end = if self.is_timed {
            self.allowance.wait(now)
        } else {
            now + Duration::from_secs(self.stall_seconds_max)
        };
        self.wait.set(true);
        let came = timeout_at(end, self.body.next()).await;
        self.wait.set(false);
        let bytes = match &came {
            Ok(Some(Ok(bytes))) => bytes.len(),
            _ => 0,
        };
        self.allowance.take(Instant::now(), bytes);
        match came {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a body broke off");
                Err(Problem::new(Code::InvalidEncoding, "the body broke off"))
            }
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Problem {
        let (seconds, rate) = (self.stall_seconds_max, self.bytes_per_second_min);
        let mut detail = format!("no bytes of the body came for {seconds} s");
        if self.is_timed && rate > 0 {
            detail = format!("{detail}, or fewer than {rate} a second for longer than that");
        }
        Problem::new(Code::BodyTimeout, detail)
    }

    /// Asks for the first bytes before they are wanted, since a client may wait to be asked.
    pub(crate) async fn ask(&mut self) -> Result<(), Problem> {
        let first = self.next().await?;
        self.early = Some(Ok(first));
        Ok(())
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
                Err(_) => {
                    // Nobody waits for more before these are looked at.
                    self.allowance.take(Instant::now(), 0);
                    break;
                }
            }
        }
        Ok(Some(gathered))
    }
}
