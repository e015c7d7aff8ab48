//! The stages of an upload, each of which holds back the one before it.
//!
//! One task drives them: it waits, and others work. What is checked runs on the blocking pool, on half as many threads as
//! there are processors for all uploads together. The last stage decides when it is over: what the others do then is dropped.

use std::sync::Arc;
use std::time::Duration;

use stemedb::Receipt;
use stemedb::ndjson::Chunk;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::check::{Checked, Line, check};
use super::decode::{Cutter, Step};
use super::report::{Tally, Unknown, write};
use crate::auth::Caller;
use crate::courtesy::{Turns, in_turns};
use crate::held::Held;
use crate::inlet::Inlet;
use crate::intake::{Awaited, NotTaken};
use crate::limits::{
    CHUNKS_CHECKED_MAX, CHUNKS_SUBMITTED_MAX, DRAIN_SECONDS, RESULTS_INLINE_MAX, UPLOAD_BYTES_MAX,
};
use crate::outlet::{Outlet, Unheard};
use crate::problem::{Asked, OUTCOME_UNKNOWN, Problem};
use crate::read::block;
use crate::seat::Place;
use crate::state::Shared;
use crate::token::Scope;
use crate::visit::Visit;
use crate::wire::{BulkLine, Code};

/// An upload that was let in.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) shared: Arc<Shared>,
    pub(super) visit: Visit,
    pub(super) outlet: Outlet,
    /// Its place among the uploads.
    pub(super) place: Place,
}

/// What a stage passes on, in the order of the lines.
enum Passed<T> {
    Chunk(T),
    /// Nothing comes behind this.
    Broken(Problem),
}

/// A chunk that is being checked.
struct Checking {
    checked: JoinHandle<Checked>,
    held: OwnedSemaphorePermit,
}

/// A chunk whose records were handed in.
struct Submitted {
    lines: Vec<Line>,
    /// There are none where no line is a record.
    receipts: Option<Awaited>,
}

/// How an upload came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    Broken,
}

impl Upload {
    /// Takes a body to its end, or to where it breaks off.
    pub(super) async fn run(self, inlet: Inlet, cutter: Cutter) {
        if self.take(inlet, cutter).await.is_ok() {
            self.outlet.finish();
        }
        // Only now may another one begin.
        drop(self.place);
    }

    async fn take(&self, inlet: Inlet, cutter: Cutter) -> Result<(), Unheard> {
        let (to_submit, checking) = mpsc::channel(CHUNKS_CHECKED_MAX);
        let (to_settle, submitted) = mpsc::channel(CHUNKS_SUBMITTED_MAX);
        let reading = Reading {
            shared: &self.shared,
            caller: &self.visit.caller,
            inlet,
            cutter: Some(cutter),
            next_line: 1,
            to_submit,
            room: Arc::new(Semaphore::new(UPLOAD_BYTES_MAX)),
        };
        let ingoing = async {
            tokio::join!(reading.run(), submit(&self.shared, checking, to_settle));
        };
        tokio::pin!(ingoing);
        let settling = self.settle(submitted);
        tokio::pin!(settling);
        let (ending, is_over) = tokio::select! {
            biased;
            () = self.outlet.closed() => return Err(Unheard),
            ending = &mut settling => (ending, false),
            () = &mut ingoing => (settling.await, true),
        };
        if ending? == Ending::Broken && !is_over {
            // A connection that is closed while bytes come in may lose the last line on its way.
            let limit = Duration::from_secs(DRAIN_SECONDS);
            drop(timeout(limit, ingoing).await);
        }
        Ok(())
    }

    /// Writes the results of what was handed in, and the last line.
    async fn settle(
        &self,
        mut submitted: mpsc::Receiver<Passed<Submitted>>,
    ) -> Result<Ending, Unheard> {
        let mut tally = Tally::default();
        while let Some(passed) = submitted.recv().await {
            let broken = match passed {
                Passed::Broken(problem) => problem,
                Passed::Chunk(Submitted { lines, receipts }) => {
                    let receipts = match receipts {
                        Some(receipts) => receipts.receipts().await,
                        None => Ok(Vec::new()),
                    };
                    let receipts = match receipts {
                        Ok(receipts) => receipts,
                        Err(not_taken) => {
                            return self
                                .end(tally, Some(not_stored(&self.shared, not_taken)))
                                .await;
                        }
                    };
                    let before = tally.rejected;
                    let reported = self.report(tally, lines, receipts).await;
                    let (text, unknown);
                    match reported {
                        Ok(reported) => (tally, (text, unknown)) = reported,
                        Err(problem) => return self.end(tally, Some(problem)).await,
                    }
                    let rejected = tally.rejected.saturating_sub(before);
                    self.shared.metrics.rejected.inc_by(rejected);
                    self.outlet.send(text).await?;
                    match unknown {
                        None => continue,
                        Some(Unknown::Failed(error)) => Problem::of(&error, Asked::Write),
                        Some(Unknown::NoReceipt) => {
                            not_stored(&self.shared, NotTaken::OutcomeUnknown)
                        }
                    }
                }
            };
            return self.end(tally, Some(broken)).await;
        }
        self.end(tally, None).await
    }

    /// Writes the results of some lines: of many where work for the processor is done, since a connection would wait for milliseconds.
    async fn report(
        &self,
        mut tally: Tally,
        lines: Vec<Line>,
        receipts: Vec<stemedb::Result<Receipt>>,
    ) -> Result<(Tally, (Vec<u8>, Option<Unknown>)), Problem> {
        let is_short = lines.len() <= RESULTS_INLINE_MAX;
        let work = move || {
            let reported = tally.report(lines, receipts);
            Ok((tally, reported))
        };
        if is_short {
            work()
        } else {
            block(&self.shared.checks, Turns::Short, work).await
        }
    }

    async fn end(&self, tally: Tally, broken: Option<Problem>) -> Result<Ending, Unheard> {
        let ending = match broken {
            None => Ending::Whole,
            Some(_) => Ending::Broken,
        };
        if let Some(problem) = &broken {
            self.shared.metrics.add_problem(problem.code);
        }
        let problem = broken.map(|problem| problem.document(self.visit.id()));
        let durable = self.shared.database.head().sequence;
        let mut text = Vec::new();
        write(&mut text, &BulkLine::End(tally.end(durable, problem)));
        self.outlet.send(text).await?;
        Ok(ending)
    }
}

/// The first stage: from bytes to chunks that are being checked.
struct Reading<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    inlet: Inlet,
    /// Away while it works.
    cutter: Option<Cutter>,
    /// The line whose time runs, or is to run once it begins.
    next_line: u64,
    to_submit: mpsc::Sender<Passed<Checking>>,
    /// A permit for each byte that may be in flight.
    room: Arc<Semaphore>,
}

/// The next stage takes nothing more.
struct Over;

impl Reading<'_> {
    async fn run(mut self) {
        let broken = match self.read().await {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => Some(problem),
            Err(Over) => None,
        };
        let Self {
            mut inlet,
            to_submit,
            ..
        } = self;
        if let Some(problem) = broken {
            // Where it is over the last line was written.
            drop(to_submit.send(Passed::Broken(problem)).await);
        }
        drop(to_submit);
        while let Ok(Some(_)) = inlet.next().await {}
    }

    async fn read(&mut self) -> Result<Result<(), Problem>, Over> {
        let shared = self.shared;
        let ended = shared.gate.ended(self.caller, Scope::Write);
        tokio::pin!(ended);
        self.inlet.end_line();
        loop {
            let gathered = tokio::select! {
                biased;
                () = shared.shutdown.begun() => return Ok(Err(shutting_down())),
                problem = &mut ended => return Ok(Err(not_allowed(problem))),
                gathered = self.inlet.gather() => gathered,
            };
            let has_ended = matches!(gathered, Ok(None));
            let broken = match gathered {
                Ok(bytes) => {
                    self.feed(bytes);
                    None
                }
                Err(problem) => Some(problem),
            };
            if let Err(problem) = self.cut().await? {
                return Ok(Err(problem));
            }
            match broken {
                Some(problem) => return Ok(Err(problem)),
                None if has_ended => return Ok(Ok(())),
                None => self.time_line(),
            }
        }
    }

    /// Lets the time run that each line has for itself: bytes came, and either they made lines whole or they belong to one that is not.
    fn time_line(&mut self) {
        let Some(cutter) = &self.cutter else {
            return;
        };
        let (next_line, is_within) = (cutter.next_line(), cutter.is_within_line());
        let was_made_whole = next_line != self.next_line;
        self.next_line = next_line;
        if was_made_whole {
            self.inlet.end_line();
        }
        if is_within || !was_made_whole {
            self.inlet.begin_line();
        }
    }

    fn feed(&mut self, bytes: Option<Vec<axum::body::Bytes>>) {
        let Some(cutter) = &mut self.cutter else {
            return;
        };
        match bytes {
            Some(bytes) => cutter.feed(bytes),
            None => cutter.end(),
        }
    }

    /// Cuts what there is, and has it checked.
    async fn cut(&mut self) -> Result<Result<(), Problem>, Over> {
        loop {
            let step = match self.step().await {
                Ok(step) => step,
                Err(problem) => return Ok(Err(problem)),
            };
            match step {
                Step::Chunk(chunk) => self.check(chunk).await?,
                Step::Working => {}
                Step::Hungry | Step::Ended => return Ok(Ok(())),
            }
            if self.shared.shutdown.has_begun() {
                return Ok(Err(shutting_down()));
            }
            let checked = self.shared.gate.check(self.caller, Scope::Write);
            if let Err(problem) = checked {
                return Ok(Err(not_allowed(problem)));
            }
        }
    }

    async fn step(&mut self) -> Result<Step, Problem> {
        let failed = || Problem::internal("an internal failure");
        let mut cutter = self.cutter.take().ok_or_else(failed)?;
        let is_costly = cutter.is_costly();
        let work = move || (cutter.step(), cutter);
        let (step, cutter) = if is_costly {
            let work = move || Ok(work());
            block(&self.shared.patient.places, Turns::Short, work).await?
        } else {
            work()
        };
        self.cutter = Some(cutter);
        step.map_err(|error| Problem::new(Code::InvalidEncoding, error.to_string()))
    }

    async fn check(&mut self, chunk: Chunk) -> Result<(), Over> {
        let permits = u32::try_from(chunk.length()).unwrap_or(u32::MAX);
        let held = Arc::clone(&self.room).acquire_many_owned(permits).await;
        let place = Arc::clone(&self.shared.checks).acquire_owned().await;
        let (Ok(held), Ok(place)) = (held, place) else {
            // Neither is ever closed.
            return Err(Over);
        };
        let checked = spawn_blocking(move || {
            let _place = place;
            in_turns(Turns::Short, || check(&chunk))
        });
        let checking = Passed::Chunk(Checking { checked, held });
        self.to_submit.send(checking).await.or(Err(Over))
    }
}

/// The stage between: hands in what was checked.
async fn submit(
    shared: &Shared,
    mut checking: mpsc::Receiver<Passed<Checking>>,
    to_settle: mpsc::Sender<Passed<Submitted>>,
) {
    while let Some(passed) = checking.recv().await {
        let passed = match passed {
            Passed::Chunk(checking) => hand_in(shared, checking).await,
            Passed::Broken(problem) => Err(problem),
        };
        let (passed, is_last) = match passed {
            Ok(submitted) => (Passed::Chunk(submitted), false),
            Err(problem) => (Passed::Broken(problem), true),
        };
        if to_settle.send(passed).await.is_err() || is_last {
            return;
        }
    }
}

async fn hand_in(shared: &Shared, checking: Checking) -> Result<Submitted, Problem> {
    let checked = checking.checked.await.map_err(|error| {
        tracing::error!(%error, "lines cannot be checked");
        Problem::internal("an internal failure; the lines behind these results were not stored")
    })?;
    let Checked { lines, records } = checked;
    let receipts = if records.is_empty() {
        None
    } else {
        let held = Held::from(checking.held);
        let awaited = shared.intake.hand_in(records, held).await;
        Some(awaited.map_err(|not_taken| not_stored(shared, not_taken))?)
    };
    Ok(Submitted { lines, receipts })
}

fn not_allowed(mut problem: Problem) -> Problem {
    problem
        .detail
        .push_str("; the lines behind these results were not stored");
    problem
}

fn shutting_down() -> Problem {
    let detail = "the server is shutting down; the lines behind these results were not stored";
    Problem::new(Code::ShuttingDown, detail)
}

fn not_stored(shared: &Shared, not_taken: NotTaken) -> Problem {
    match not_taken {
        NotTaken::Ended if shared.shutdown.has_begun() => shutting_down(),
        NotTaken::Ended => Problem::new(
            Code::Unavailable,
            "nothing is taken any more; the lines behind these results were not stored",
        ),
        NotTaken::OutcomeUnknown => Problem::new(Code::Internal, OUTCOME_UNKNOWN),
    }
}
