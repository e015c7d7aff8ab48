//! A feed that goes on: it reads a batch, writes it, and waits where there is no more.

use std::sync::Arc;
use std::time::Duration;

use stemedb::{Changes, ChangesBatch, Sequence};
use tokio::time::{Instant, sleep_until, timeout};

use super::filter::Filter;
use super::form::Form;
use crate::auth::Caller;
use crate::courtesy::{Turns, let_others_run};
use crate::limits::{
    FEED_PART, FEED_PARTS_MAX, FEED_PAUSE_MS, FEED_PIECE_BYTES, FEED_REST_SECONDS,
};
use crate::outlet::{Outlet, Unheard};
use crate::problem::{Asked, Problem};
use crate::read::block;
use crate::state::Shared;
use crate::token::Scope;
use crate::wire::{ChangeEnd, Code, Heartbeat};

/// A feed.
///
/// It holds one batch, and no view but while a batch is read. Whoever takes nothing for a while makes it let go of the journal's files too.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) shared: Arc<Shared>,
    pub(super) caller: Caller,
    pub(super) outlet: Outlet,
    pub(super) form: Form,
    pub(super) filter: Filter,
    /// Everything up to here was given.
    pub(super) given: u64,
    /// Everything up to here was read.
    pub(super) upto: u64,
    /// Nothing behind this is given, and then it ends; `None` for a feed that goes on.
    pub(super) until: Option<u64>,
    /// The last sequence that could be read when it was looked.
    pub(super) applied: u64,
}

/// Why a feed waits no longer.
enum Woken {
    /// There is more to read.
    Applied,
    /// It is time to say that it lives.
    Due,
}

/// Why a feed goes no further.
enum Ended {
    /// All was given that was asked for.
    Complete,
    /// The client is told.
    Told(Problem),
    /// Nobody listens.
    Unheard,
}

impl From<Unheard> for Ended {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

impl Feed {
    /// Goes on until the server ends, the client is gone or has no right to it any more, or something is wrong.
    pub(super) async fn run(mut self) {
        let (shared, caller) = (Arc::clone(&self.shared), self.caller.clone());
        let ended = tokio::select! {
            biased;
            mut problem = shared.gate.ended(&caller, Scope::Read) => {
                problem.detail.push_str("; go on later from next_since");
                Ended::Told(problem)
            }
            Err(ended) = self.follow() => ended,
        };
        let (reason, detail) = match ended {
            Ended::Complete => (None, "all that could be read is given".to_owned()),
            Ended::Told(problem) => (Some(problem.code), problem.detail),
            Ended::Unheard => return,
        };
        if let Some(code) = reason {
            self.shared.metrics.add_problem(code);
        }
        let end = ChangeEnd {
            end: true,
            reason,
            detail,
            next_since: self.given,
        };
        let mut text = Vec::new();
        self.form.end(&mut text, end);
        if self.outlet.send(text).await.is_ok() {
            self.outlet.finish();
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Ended> {
        let mut changes = self.shared.database.changes(Sequence::new(self.upto));
        let mut due = self.next_heartbeat();
        loop {
            if self.is_complete() {
                return Err(Ended::Complete);
            }
            if self.shared.shutdown.has_begun() {
                return Err(shutting_down().into());
            }
            let pause = Instant::now() + Duration::from_millis(FEED_PAUSE_MS);
            let (text, is_last);
            (text, is_last, changes) = self.read(changes).await?;
            if !text.is_empty() {
                self.send(text, &mut changes).await?;
                due = self.next_heartbeat();
            }
            self.given = self.upto;
            let woken = if is_last && !self.is_complete() {
                self.wait(due).await?
            } else if due <= Instant::now() {
                Woken::Due
            } else {
                continue;
            };
            match woken {
                Woken::Applied => sleep_until(pause).await,
                Woken::Due => {
                    self.send(self.heartbeat(), &mut changes).await?;
                    due = self.next_heartbeat();
                }
            }
        }
    }

    /// Whether all was given that was asked for.
    fn is_complete(&self) -> bool {
        self.until.is_some_and(|until| self.upto >= until)
    }

    /// Reads a batch, and writes what the client wants of it.
    async fn read(&mut self, mut changes: Changes) -> Result<(Vec<u8>, bool, Changes), Problem> {
        let (form, filter, until) = (self.form, self.filter.clone(), self.until);
        let is_wanted = move |sequence: u64| until.is_none_or(|until| sequence <= until);
        let read = move || {
            let (mut text, mut parts) = (Vec::new(), 1);
            let mut part = changes.next_batch_with(FEED_PART, let_others_run);
            loop {
                let batch = part.map_err(|error| Problem::of(&error, Asked::Read))?;
                let is_last = batch.is_last();
                let ChangesBatch {
                    records,
                    upto,
                    applied,
                } = batch;
                for stored in records {
                    let_others_run();
                    if is_wanted(stored.sequence.get()) && filter.passes(&stored.record) {
                        form.record(&mut text, stored.into());
                    }
                }
                let is_enough = text.len() >= FEED_PIECE_BYTES || parts >= FEED_PARTS_MAX;
                if !is_last && !is_enough && is_wanted(upto.saturating_add(1)) {
                    parts += 1;
                    part = changes.next_batch_with(FEED_PART, let_others_run);
                    // What stands before an error is given, and the error next time.
                    if part.is_ok() {
                        continue;
                    }
                }
                return Ok(((upto, applied), (text, is_last, changes)));
            }
        };
        // Feeds that begin far behind have much to do at once: reads and writes go before.
        let (stands, read) = block(&self.shared.patient.places, Turns::Short, read).await?;
        (self.upto, self.applied) = stands;
        self.upto = until.map_or(self.upto, |until| self.upto.min(until));
        Ok(read)
    }

    /// Hands in what was written; if the client is slow, it is waited for with nothing else in hand.
    async fn send(&self, text: Vec<u8>, changes: &mut Changes) -> Result<(), Unheard> {
        let sending = self.outlet.send(text);
        tokio::pin!(sending);
        let soon = Duration::from_secs(FEED_REST_SECONDS);
        if let Ok(sent) = timeout(soon, &mut sending).await {
            return sent;
        }
        changes.rest();
        sending.await
    }

    /// Waits until there is more to read, or it is time to say that the feed lives.
    async fn wait(&self, due: Instant) -> Result<Woken, Ended> {
        let database = &self.shared.database;
        let next = Sequence::new(self.upto.saturating_add(1));
        let applied = async {
            match next {
                // Where nobody waits any more the database forgets it.
                Some(next) => database.wait_applied(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.shutdown.begun() => Err(shutting_down().into()),
            () = self.outlet.closed() => Err(Ended::Unheard),
            applied = applied => match applied {
                Ok(()) => Ok(Woken::Applied),
                Err(error) => Err(Problem::of(&error, Asked::Read).into()),
            },
            () = sleep_until(due) => Ok(Woken::Due),
        }
    }

    fn heartbeat(&self) -> Vec<u8> {
        let heartbeat = Heartbeat {
            heartbeat: true,
            applied_sequence: self.applied,
            next_since: self.upto,
        };
        let mut text = Vec::new();
        self.form.heartbeat(&mut text, heartbeat);
        text
    }

    fn next_heartbeat(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.shared.settings.heartbeat_seconds)
    }
}

fn shutting_down() -> Problem {
    let detail = "the server is shutting down; go on later from next_since";
    Problem::new(Code::ShuttingDown, detail)
}
