//! The pipeline: a thread reads, a pool parses, the journal makes durable; all in order.
//!
//! ```text
//! read thread --chunks--> pool: parse, verify --records--> submit --receipts--> results
//!   (read.rs)               (parse.rs)                    several in flight     (outlet.rs)
//! ```
//!
//! Every stage is bounded, so memory is. A line is told of only once its record is durable.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvError, TryRecvError, sync_channel},
    },
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use stemedb::ndjson::Chunk;
use stemedb::{RecordId, RecordType, Sequence, Status};

use super::{
    Tally,
    outlet::{Fate, Outlets, Told, say_rejected},
    parse::{Keep, Line, Parsed, Verdict, parse},
    progress::Progress,
    read::{self, Event},
    target::{Pending, Target},
    upload::Settled,
};
use crate::failure::{Exit, Failure, say_failure};

/// Chunks that are parsed or wait for it.
const PARSING_MAX: usize = 4;

/// What a rejected line does to those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnReject {
    /// They go in.
    GoOn,
    /// They are not looked at.
    Stop,
}

/// A chunk whose records are on their way.
struct Flying {
    file: Arc<str>,
    lines: Vec<Line>,
    pending: Pending,
}

/// What is known of an ingest at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// What became of the lines.
    pub(super) tally: Tally,
    /// The highest sequence that a receipt named.
    pub(super) last: Option<Sequence>,
    /// Files that end in damage, each of which people were told of.
    pub(super) damaged: u64,
    /// Rejected lines that people were not shown.
    pub(super) unshown: u64,
}

/// An ingest that is going on.
pub(super) struct Load<'a> {
    target: &'a Target,
    outlets: Outlets,
    progress: Progress,
    on_reject: OnReject,
    parsing: VecDeque<Receiver<Parsed>>,
    flying: VecDeque<Flying>,
    tally: Tally,
    /// The highest sequence that a receipt named.
    last: Option<Sequence>,
    /// Files that end in damage.
    damaged: u64,
    /// Lines were rejected and none is to go in behind them.
    is_stopped: bool,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        target: &'a Target,
        outlets: Outlets,
        progress: Progress,
        on_reject: OnReject,
    ) -> Self {
        Self {
            target,
            outlets,
            progress,
            on_reject,
            parsing: VecDeque::with_capacity(PARSING_MAX + 1),
            flying: VecDeque::with_capacity(target.flying_max() + 1),
            tally: Tally::default(),
            last: None,
            damaged: 0,
            is_stopped: false,
        }
    }

    /// Ingests `files`; returns when what went in is durable and readable.
    pub(super) fn run(&mut self, files: Vec<PathBuf>) -> Result<(), Failure> {
        let pumped = self.pump(files);
        // What was submitted is settled whatever happened, so that the counts hold all that is known.
        let mut settled = Ok(());
        while let Some(flying) = self.flying.pop_front() {
            settled = settled.and(self.settle(flying));
        }
        let flushed = self.outlets.flush();
        // A failure does not take back what is durable: that is waited for as ever.
        let applied = self.target.wait_applied(self.last);
        self.progress.clear();
        pumped.and(settled).and(flushed).and(applied)
    }

    /// What is known at the end.
    pub(super) fn end(self) -> End {
        End {
            tally: self.tally,
            last: self.last,
            damaged: self.damaged,
            unshown: self.outlets.unshown(),
        }
    }

    /// Moves chunks through the stages until there are no more.
    fn pump(&mut self, files: Vec<PathBuf>) -> Result<(), Failure> {
        let pool = start_pool()?;
        let events = read::start(files, self.progress.counter())?;
        while !self.is_stopped {
            let event = match events.try_recv() {
                Ok(event) => event,
                // Nothing to read right now, so what is under way can come to its end.
                Err(TryRecvError::Empty) if self.advance()? => continue,
                Err(_) => events.recv().map_err(reader_is_gone)?,
            };
            match event {
                Event::Chunk { file, chunk } => self.take(&pool, file, chunk)?,
                Event::Damaged(failure) => {
                    self.damaged += 1;
                    self.progress.suspended(|| say_failure(&failure));
                    if self.on_reject == OnReject::Stop {
                        break;
                    }
                }
                Event::End => break,
            }
        }
        while !self.parsing.is_empty() && !self.is_stopped {
            self.submit_next()?;
        }
        Ok(())
    }

    /// Brings the oldest chunk one stage further; false if there is none.
    fn advance(&mut self) -> Result<bool, Failure> {
        if !self.parsing.is_empty() {
            self.submit_next()?;
            return Ok(true);
        }
        match self.flying.pop_front() {
            Some(flying) => self.settle(flying).map(|()| true),
            None => Ok(false),
        }
    }

    /// Gives a chunk to the pool, and submits the oldest if there are many.
    fn take(&mut self, pool: &ThreadPool, file: Arc<str>, chunk: Chunk) -> Result<(), Failure> {
        let keep = Keep {
            rejected: self.outlets.wants_rejects(),
            accepted: self.target.takes_text(),
        };
        let (sender, receiver) = sync_channel(1);
        pool.spawn(move || {
            // Nobody listens any more after a failure.
            drop(sender.send(parse(file, &chunk, keep)));
        });
        self.parsing.push_back(receiver);
        if self.parsing.len() > PARSING_MAX {
            self.submit_next()?;
        }
        Ok(())
    }

    /// Submits the oldest parsed chunk, and settles the oldest submitted one if there are many.
    fn submit_next(&mut self) -> Result<(), Failure> {
        let Some(receiver) = self.parsing.pop_front() else {
            return Ok(());
        };
        let Ok(mut parsed) = receiver.recv() else {
            return Err(Failure::new(
                Exit::Corruption,
                "a thread that parses has failed",
            ));
        };
        if let (OnReject::Stop, Some(index)) = (self.on_reject, parsed.first_rejected()) {
            parsed.cut_after(index);
            self.is_stopped = true;
        }
        let Parsed {
            file,
            lines,
            records,
            text,
        } = parsed;
        let pending = self.target.submit(records, text);
        self.flying.push_back(Flying {
            file,
            lines,
            pending,
        });
        if self.flying.len() <= self.target.flying_max() {
            return Ok(());
        }
        let oldest = self.flying.pop_front();
        oldest.map_or(Ok(()), |flying| self.settle(flying))
    }

    /// Waits until a chunk is durable, and tells what became of its lines.
    fn settle(&mut self, flying: Flying) -> Result<(), Failure> {
        let Flying {
            file,
            lines,
            pending,
        } = flying;
        let mut settled = pending.wait().into_iter();
        let mut failure = None;
        let mut told = Ok(());
        for line in lines {
            let fate = match &line.verdict {
                Verdict::Accepted(record_type) => match settled.next() {
                    Some(Settled::Durable {
                        id,
                        sequence,
                        status,
                    }) => {
                        self.last = self.last.max(Some(sequence));
                        self.count(*record_type, id, status)
                    }
                    Some(Settled::Rejected { reason, raw }) => {
                        // Who reads the lines here is of another version than who reads them there.
                        told = told.and(self.reject((&file, line.number), &reason, Some(&raw)));
                        continue;
                    }
                    Some(Settled::Failed(why)) => {
                        failure = failure.or(Some(why));
                        continue;
                    }
                    None => {
                        let text = "there are too few receipts";
                        failure = failure.or(Some(Failure::new(Exit::Corruption, text)));
                        continue;
                    }
                },
                Verdict::Rejected { reason, raw } => {
                    let place = (&*file, line.number);
                    told = told.and(self.reject(place, reason, raw.as_deref()));
                    continue;
                }
            };
            // Whether it can be told changes nothing in what is counted.
            told = told.and(self.tell(&file, line.number, fate));
        }
        let flushed = self.outlets.flush();
        self.progress.update(&self.tally);
        failure.map_or(Ok(()), Err).and(told).and(flushed)
    }

    /// Counts a rejected line, keeps it, and tells of it.
    fn reject(
        &mut self,
        (file, line): (&str, u64),
        reason: &str,
        raw: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.tally.rejected += 1;
        let kept = raw.map_or(Ok(()), |raw| self.outlets.keep(raw));
        kept.and(self.tell(file, line, Fate::Rejected { reason }))
    }

    fn count(&mut self, record_type: RecordType, id: RecordId, status: Status) -> Fate<'static> {
        match status {
            Status::AlreadyStored => {
                self.tally.duplicates += 1;
                Fate::Duplicate { id }
            }
            Status::Stored => {
                self.tally.stored += 1;
                *match record_type {
                    RecordType::Assertion => &mut self.tally.assertions,
                    RecordType::Vote => &mut self.tally.votes,
                    RecordType::Epoch => &mut self.tally.epochs,
                } += 1;
                Fate::Stored { id }
            }
        }
    }

    fn tell(&mut self, file: &str, line: u64, fate: Fate<'_>) -> Result<(), Failure> {
        let told = Told { file, line, fate };
        if let Some(text) = self.outlets.show(&told) {
            self.progress.suspended(|| say_rejected(&text));
        }
        self.outlets.tell(&told)
    }
}

fn start_pool() -> Result<ThreadPool, Failure> {
    let builder = ThreadPoolBuilder::new()
        .thread_name(|number| format!("parse-{number}"))
        // The hook has said what is wrong; the missing result makes the command fail.
        .panic_handler(|_| {});
    builder
        .build()
        .map_err(|error| Failure::caused(Exit::Unavailable, "cannot start threads", &error))
}

fn reader_is_gone(_: RecvError) -> Failure {
    Failure::new(Exit::Corruption, "the thread that reads has failed")
}
