//! The bytes of a body as they come, with a limit for how long they may stay away.

use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::Request;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, error::Elapsed, timeout_at};

use crate::Settings;
use crate::allowance::Allowance;
use crate::limits::{GATHER_BYTES, GATHER_MS};
use crate::problem::Problem;
use crate::visit::{BodyWatch, Visit};
use crate::wire::Code;

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct Inlet {
    body: BodyDataStream,
    stall_seconds_max: u64,
    bytes_per_second_min: u64,
    allowance: Allowance,
    /// Whether what is waited for counts, or may be as slow as the client likes.
    is_timed: bool,
    watch: BodyWatch,
    /// What was read before it was asked for.
    early: Option<Result<Option<Bytes>, Problem>>,
}

impl Inlet {
    /// The body of a request, all of which is waited for.
    pub(crate) fn new(request: Request, settings: &Settings) -> Self {
        let visit = request.extensions().get::<Visit>();
        let watch = visit.map(|visit| visit.body.clone()).unwrap_or_default();
        let stall = Duration::from_secs(settings.stall_seconds_max);
        let rate = settings.body_bytes_per_second_min;
        Self {
            body: request.into_body().into_data_stream(),
            stall_seconds_max: settings.stall_seconds_max,
            bytes_per_second_min: rate,
            allowance: Allowance::new(stall, rate, Instant::now()),
            is_timed: true,
            watch,
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
        // What is there already is not waited for.
        let came = match self.body.next().now_or_never() {
            Some(came) => Ok(came),
            None => self.wait().await,
        };
        if let Ok(Some(Ok(bytes))) = &came {
            self.allowance.earn(bytes.len());
            self.watch.add(bytes.len());
        }
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

    /// Waits for the next bytes, but not for too long.
    async fn wait(&mut self) -> Result<Option<Result<Bytes, axum::Error>>, Elapsed> {
        let now = Instant::now();
        let end = if self.is_timed {
            self.allowance.wait(now)
        } else {
            now + Duration::from_secs(self.stall_seconds_max)
        };
        self.watch.set_awaited(true);
        let came = timeout_at(end, self.body.next()).await;
        self.watch.set_awaited(false);
        self.allowance.stop(Instant::now());
        came
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
                    self.allowance.stop(Instant::now());
                    break;
                }
            }
        }
        Ok(Some(gathered))
    }
}
