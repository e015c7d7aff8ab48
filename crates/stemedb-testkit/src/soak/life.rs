//! One life of a child, from its start to its death.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::ledger::{Ledger, Writes};
use super::plan::{Act, Plan};
use super::process::{Heard, Process, Start};
use super::report::Report;
use super::wire::{Done, Line};
use crate::clock;
use crate::failure::Failure;

/// A child that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_mins(2);
/// What may fail when a write may: nothing else is allowed to.
const KINDS_OF_A_FULL_DISK: [&str; 2] = ["Unavailable", "Closed"];
/// Lines that are kept for the report of a violation.
const LINES_KEPT: usize = 40;

/// What a life works on.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) disk: &'a Disk,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) report: &'a mut Report,
    /// A write to the store may have failed in an earlier life, and nobody has looked since.
    pub(crate) may_want_rebuild: bool,
}

/// A child that lives.
#[derive(Debug)]
struct Life<'a> {
    stage: Stage<'a>,
    process: Process,
    writes: Writes,
    /// When it last said something, or was allowed to go on.
    heard: Instant,
    is_stopped: bool,
    /// The last act, once it is done.
    end: Option<Act>,
    /// Errors, the last ones, for the report.
    said: VecDeque<String>,
}

/// Starts a child, does to it what is planned, listens until it is gone, and gives whether its writes could fail.
///
/// # Errors
///
/// What it found wrong, or did wrong.
pub(crate) fn live(stage: Stage<'_>, start: &Start<'_>, plan: &Plan) -> Result<Writes, Failure> {
    let mut life = Life {
        writes: plan
            .file_bytes_max
            .map_or(Writes::Sound, |_| Writes::Failing),
        stage,
        process: Process::start(start)?,
        heard: clock::now(),
        is_stopped: false,
        end: None,
        said: VecDeque::new(),
    };
    let begun = clock::now();
    for (at, act) in &plan.acts {
        if !life.listen_until(begun + *at)? {
            break;
        }
        life.act(*act)?;
    }
    while life.listen_until(clock::now() + Duration::from_secs(1))? {}
    let status = life.process.wait()?;
    life.judge(status)?;
    let Life { stage, writes, .. } = life;
    stage.report.starvations += u64::from(writes == Writes::Failing);
    stage.disk.free()?;
    let end = stage.ledger.end_life(writes);
    end.map_err(|violation| Failure::violated(violation.to_string()))?;
    Ok(writes)
}

impl Life<'_> {
    fn act(&mut self, act: Act) -> Result<(), Failure> {
        match act {
            Act::Stop => {
                self.is_stopped = true;
                self.stage.report.stops += 1;
                return self.process.signal("STOP");
            }
            Act::Continue => {
                self.is_stopped = false;
                self.heard = clock::now();
                return self.process.signal("CONT");
            }
            Act::Fill(left) => {
                self.writes = Writes::Failing;
                return self.stage.disk.fill(left);
            }
            Act::Free => return self.stage.disk.free(),
            Act::Kill | Act::Terminate | Act::End => self.end = Some(act),
        }
        match act {
            Act::Kill => self.process.kill(),
            Act::Terminate => self.process.signal("TERM"),
            _ => {
                self.process.end();
                Ok(())
            }
        }
    }

    /// Listens for a time; gives whether the child is still there.
    fn listen_until(&mut self, end: Instant) -> Result<bool, Failure> {
        loop {
            let left = end.saturating_duration_since(clock::now());
            match self.process.hear(left.min(Duration::from_secs(1))) {
                Heard::Line(line) => self.take(line)?,
                Heard::Garbled(line) => {
                    return Err(Failure::violated(format!("the child wrote {line:?}")));
                }
                Heard::End => return Ok(false),
                Heard::Nothing => self.check_silence()?,
            }
            if left.is_zero() {
                return Ok(true);
            }
        }
    }

    fn check_silence(&self) -> Result<(), Failure> {
        let silence = clock::now().saturating_duration_since(self.heard);
        if self.is_stopped || silence < SILENCE_MAX {
            return Ok(());
        }
        let threads = self.process.threads();
        Err(Failure::violated(format!(
            "the child has said nothing for {silence:?}\n{threads}"
        )))
    }

    fn take(&mut self, line: Line) -> Result<(), Failure> {
        self.heard = clock::now();
        let acknowledged = self.stage.ledger.take(&line);
        let acknowledged =
            acknowledged.map_err(|violation| Failure::violated(violation.to_string()))?;
        self.stage.report.acknowledged += u64::from(acknowledged);
        match line {
            Line::Submit { .. }
            | Line::Acknowledge { .. }
            | Line::Done(Done::Close | Done::Drop) => Ok(()),
            Line::Done(Done::Open) => {
                self.stage.report.opens += 1;
                Ok(())
            }
            Line::Done(Done::Rebuild) => {
                self.stage.report.rebuilds += 1;
                if self.writes == Writes::Sound && !self.stage.may_want_rebuild {
                    return Err(self.violated("a rebuild was wanted, and no write had failed"));
                }
                Ok(())
            }
            Line::Done(Done::Read) => {
                self.stage.report.reads += 1;
                Ok(())
            }
            Line::Violation(text) => Err(self.violated(&text)),
            Line::Error(text) => {
                self.stage.report.errors += 1;
                let kind = text.split(": ").nth(1).unwrap_or_default();
                let is_allowed = KINDS_OF_A_FULL_DISK.contains(&kind);
                self.tolerate(is_allowed, text)
            }
            Line::Panic(text) => {
                self.stage.report.panics += 1;
                self.tolerate(!is_ours(&text), format!("panic at {text}"))
            }
        }
    }

    /// Keeps in mind what may happen on a full disk, and nowhere else.
    fn tolerate(&mut self, is_allowed: bool, text: String) -> Result<(), Failure> {
        if !is_allowed || self.writes == Writes::Sound {
            return Err(self.violated(&text));
        }
        if self.said.len() == LINES_KEPT {
            self.said.pop_front();
        }
        self.said.push_back(text);
        Ok(())
    }

    fn violated(&self, text: &str) -> Failure {
        Failure::violated(format!(
            "the child reports: {text}; before that: {:#?}",
            self.said
        ))
    }

    /// Whether the child died of what was done to it.
    fn judge(&mut self, status: ExitStatus) -> Result<(), Failure> {
        match self.end {
            Some(Act::Kill | Act::Terminate) => {
                self.stage.report.kills += 1;
                Ok(())
            }
            Some(_) if status.success() => {
                self.stage.report.ends += 1;
                Ok(())
            }
            _ => Err(self.violated(&format!("it ended by itself: {status}"))),
        }
    }
}

/// Whether a panic, told with its place first, comes from this repository: those of an engine are caught, ours may never be.
fn is_ours(panic: &str) -> bool {
    panic.starts_with("crates/")
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::is_ours;

    #[test]
    fn panics_are_told_apart_by_their_place() {
        assert!(is_ours(&Location::caller().to_string()));
        assert!(!is_ours(
            "/cargo/registry/src/b/fjall-3.1.13/src/db.rs:1:1: c"
        ));
    }
}
