//! Lines to a server: one thread, one request at a time, so that the order of the files is the order of arrival.
//!
//! The id of a record is the hash of what it says. So whatever became of a request, the lines without a result are sent again, until a
//! server answers or patience ends.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use hyper::body::Bytes;
use stemedb::{RecordId, Sequence, Status};
use stemedb_server::wire::{BulkEnd, BulkLine, BulkResult, Fate, Readiness};

use super::parse::Text;
use crate::{
    failure::{Exit, Failure},
    remote::{Client, Patience, Route, Trouble},
};

/// Bytes of lines after which a request is full.
const REQUEST_BYTES: usize = 4 << 20;

/// Chunks that wait for the request before theirs.
const JOBS_MAX: usize = 16;

const NDJSON: &str = "application/x-ndjson";

/// What became of a record that was submitted.
#[derive(Debug)]
pub(super) enum Settled {
    /// It is durable.
    Durable {
        id: RecordId,
        sequence: Sequence,
        status: Status,
    },
    /// The server does not take it.
    Rejected {
        reason: String,
        /// The line.
        raw: Vec<u8>,
    },
    /// That is not known.
    Failed(Failure),
}

/// Records to be sent, and who waits for them.
struct Job {
    ids: Vec<RecordId>,
    text: Text,
    answer: SyncSender<Vec<Settled>>,
}

/// The thread that sends.
#[derive(Debug)]
pub(super) struct Uploader {
    jobs: SyncSender<Job>,
}

impl Uploader {
    /// Starts to send by way of `client`; `note` tells people of what takes time.
    pub(super) fn start(
        client: Client,
        note: impl Fn(String) + Send + 'static,
    ) -> Result<Self, Failure> {
        // A wrong address shows before anything is read.
        let live = client.get(&Route::new("/healthz/live"));
        let live = live.and_then(crate::remote::Answer::json::<Readiness>);
        live.map_err(|trouble| trouble.failure(client.url()))?;
        let (jobs, waiting) = sync_channel(JOBS_MAX);
        let sending = move || {
            let sender = Sender { client, note };
            sender.run(&waiting);
        };
        let spawned = thread::Builder::new().name("send".into()).spawn(sending);
        spawned
            .map_err(|error| Failure::file(Exit::Unavailable, "cannot start a thread", &error))?;
        Ok(Self { jobs })
    }

    /// Hands records in; what became of each comes in their order.
    pub(super) fn submit(&self, ids: Vec<RecordId>, text: Text) -> Receiver<Vec<Settled>> {
        let (answer, settled) = sync_channel(1);
        let job = Job { ids, text, answer };
        // If the thread is gone, nobody answers, which is how that is told.
        drop(self.jobs.send(job));
        settled
    }
}

struct Sender<N> {
    client: Client,
    note: N,
}

/// The lines of one request, and what is known of them.
struct Parcel {
    bytes: Bytes,
    /// Where each line ends.
    ends: Vec<usize>,
    ids: Vec<RecordId>,
    settled: Vec<Settled>,
}

impl Parcel {
    fn of(jobs: &mut [Job]) -> Self {
        let (mut bytes, mut ends, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            let before = bytes.len();
            ends.extend(job.text.ends.iter().map(|end| before + end));
            ids.extend_from_slice(&job.ids);
            if before == 0 {
                bytes = std::mem::take(&mut job.text.bytes);
            } else {
                bytes.append(&mut job.text.bytes);
            }
        }
        Self {
            bytes: bytes.into(),
            ends,
            settled: Vec::with_capacity(ids.len()),
            ids,
        }
    }

    /// Where the line `index` begins.
    fn begin_of(&self, index: usize) -> usize {
        let before = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        before.copied().unwrap_or(0)
    }

    /// The lines that have no result.
    fn rest(&self) -> Bytes {
        self.bytes.slice(self.begin_of(self.settled.len())..)
    }

    fn is_settled(&self) -> bool {
        self.settled.len() == self.ids.len()
    }

    /// Takes the result of the next line.
    fn settle(&mut self, fate: Fate) -> Result<(), Trouble> {
        let index = self.settled.len();
        let Some(expected) = self.ids.get(index).copied() else {
            return Err(strange("it gives more results than there are lines"));
        };
        let durable = |id, sequence, status| match Sequence::new(sequence) {
            Some(sequence) if id == expected => Ok(Settled::Durable {
                id,
                sequence,
                status,
            }),
            _ => Err(strange("it gives the result of another record")),
        };
        let settled = match fate {
            Fate::Stored { id, sequence } => durable(id, sequence, Status::Stored)?,
            Fate::Duplicate { id, sequence } => durable(id, sequence, Status::AlreadyStored)?,
            Fate::Rejected { detail: reason } => {
                let line = self.begin_of(index)..self.begin_of(index + 1);
                let raw = self.bytes.get(line).unwrap_or_default();
                let raw = raw.strip_suffix(b"\n").unwrap_or(raw).to_vec();
                Settled::Rejected { reason, raw }
            }
        };
        self.settled.push(settled);
        Ok(())
    }

    /// Gives each job its share.
    fn answer(self, jobs: Vec<Job>, failure: Option<&Failure>) {
        let mut settled = self.settled.into_iter();
        for job in jobs {
            let mut share: Vec<_> = settled.by_ref().take(job.ids.len()).collect();
            if let Some(failure) = failure {
                share.resize_with(job.ids.len(), || Settled::Failed(failure.clone()));
            }
            // Nobody listens any more after a failure.
            drop(job.answer.send(share));
        }
    }
}

impl<N: Fn(String)> Sender<N> {
    fn run(&self, waiting: &Receiver<Job>) {
        let mut given_up: Option<Failure> = None;
        while let Ok(first) = waiting.recv() {
            let mut bytes = first.text.bytes.len();
            let mut jobs = vec![first];
            // What came while the last request was under way; nothing is waited for.
            while bytes < REQUEST_BYTES
                && let Ok(job) = waiting.try_recv()
            {
                bytes += job.text.bytes.len();
                jobs.push(job);
            }
            let mut parcel = Parcel::of(&mut jobs);
            if given_up.is_none() {
                given_up = self.deliver(&mut parcel).err();
            }
            parcel.answer(jobs, given_up.as_ref());
        }
    }

    /// Sends until there is a result for every line.
    fn deliver(&self, parcel: &mut Parcel) -> Result<(), Failure> {
        let mut patience = Patience::new();
        while !parcel.is_settled() {
            let known = parcel.settled.len();
            let Err(trouble) = self.send(parcel) else {
                break;
            };
            if parcel.settled.len() > known {
                patience = Patience::new();
            }
            let url = self.client.url();
            let (is_passing, retry_after) = (trouble.is_passing(), trouble.retry_after());
            let failure = trouble.failure(url);
            if !is_passing {
                if parcel.is_settled() {
                    // Who goes on like this is not believed to the end.
                    parcel.settled.pop();
                }
                return Err(failure);
            }
            if parcel.is_settled() {
                // Nothing but the end was missing.
                break;
            }
            if patience.is_new() {
                let text = failure.text();
                (self.note)(format!(
                    "{text}; what has no result is sent again for a minute, and counts as a duplicate if it had arrived"
                ));
            }
            let Some(pause) = patience.next(retry_after) else {
                let advice = "run the same again: what was stored is known again as a duplicate";
                return Err(failure.advise(advice));
            };
            self.client.pause(pause);
        }
        Ok(())
    }

    /// Sends the lines without a result once, and takes what comes.
    fn send(&self, parcel: &mut Parcel) -> Result<(), Trouble> {
        let before = parcel.settled.len();
        let body = (NDJSON, parcel.rest());
        let answer = self.client.post(&Route::new("/v1/records"), Some(body))?;
        let mut lines = answer.lines();
        let mut end: Option<BulkEnd> = None;
        while let Some(line) = lines.next_json()? {
            match line {
                _ if end.is_some() => return Err(strange("it goes on behind its last line")),
                BulkLine::End(last) => end = Some(last),
                BulkLine::Result(BulkResult { line, fate }) => {
                    let expected = u64::try_from(parcel.settled.len() - before + 1);
                    if expected != Ok(line) {
                        return Err(strange("its results are not in the order of the lines"));
                    }
                    parcel.settle(fate)?;
                }
            }
        }
        match end {
            Some(BulkEnd {
                problem: Some(problem),
                ..
            }) => Err(Trouble::Refused {
                problem: Box::new(problem),
                retry_after: None,
            }),
            Some(BulkEnd { end: true, .. }) if parcel.is_settled() => Ok(()),
            Some(_) => Err(strange("it gives fewer results than there are lines")),
            None => Err(Trouble::Lost("its answer broke off".to_owned())),
        }
    }
}

fn strange(text: &str) -> Trouble {
    Trouble::Strange(text.to_owned())
}
