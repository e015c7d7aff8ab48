//! Submitting records: what is stored already is answered from the store, the rest is appended once.
//!
//! Most records are new, and [`Known`](crate::known::Known) tells so without a look into the store.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use stemedb_core::{RecordId, Sequence};
use stemedb_storage::Snapshot;
use stemedb_wal::{AppendError, Appended, Trust};

use crate::database::Inner;
use crate::find::Find;
use crate::flight::{Flight, Place};
use crate::outcome::{Outcome, Settle};
use crate::{Durability, Error, Prepared, Result};

/// Records in flight at most, before a submission waits for the oldest.
///
/// So many keep the worker busy for longer than a request takes to come back; more would only take memory. Where records are synced
/// at intervals, none of them can be read before that, and what arrives within one must find room.
/// A hash map doubles at seven eighths of a power of two: three quarters leave an eighth to the submissions that are let in together.
const fn records_in_flight_max(durability: Durability) -> usize {
    match durability {
        Durability::Sync => 3 << 16,
        Durability::Interval(_) => 3 << 18,
    }
}

/// Bytes of payloads that go into one request of the journal, at most.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// What an acknowledged record is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record's id.
    pub id: RecordId,
    /// The sequence of its first arrival.
    pub sequence: Sequence,
    /// What the acknowledgement waited for.
    pub durability: Durability,
    /// Whether it is new.
    pub status: Status,
}

/// Whether a record was stored by this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was.
    Stored,
    /// It had been before.
    AlreadyStored,
}

#[derive(Debug)]
enum Slot {
    Known(Receipt),
    Waiting(Waiting),
    Failed(Error),
}

/// A record that is in flight: its place in the request, and which of the submission's outcomes is that of the request.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: RecordId,
    outcome: usize,
    index: u64,
    status: Status,
}

/// Records that were handed in: [`wait`](Self::wait) for it, or await [`finish`](Self::finish), to learn that they are durable.
///
/// Several submissions may be in flight; dropping one means only that nobody hears of it.
#[derive(Debug)]
#[must_use = "a record is acknowledged by nothing but its receipt"]
pub struct Submission {
    slots: Vec<Slot>,
    /// One for each request that a record is in, and not for each record.
    outcomes: Vec<Arc<Outcome>>,
    durability: Durability,
}

impl Submission {
    pub(crate) fn failed(error: &Error, records: usize) -> Self {
        Self {
            slots: (0..records).map(|_| Slot::Failed(error.clone())).collect(),
            outcomes: Vec::new(),
            durability: Durability::Sync,
        }
    }

    /// Blocks until every record of the submission is durable or has failed; the receipts are in the order of the records.
    #[must_use]
    pub fn wait(self) -> Vec<Result<Receipt>> {
        let answers = self.outcomes.iter().map(|outcome| outcome.wait()).collect();
        receipts(self.slots, &answers, self.durability)
    }

    /// The same without blocking.
    pub fn finish(self) -> impl Future<Output = Vec<Result<Receipt>>> + Send {
        let Self {
            slots,
            outcomes,
            durability,
        } = self;
        async move {
            let mut answers = Vec::with_capacity(outcomes.len());
            for outcome in outcomes {
                answers.push(poll_fn(|context| outcome.poll(context)).await);
            }
            receipts(slots, &answers, durability)
        }
    }
}

/// What the outcomes of a submission's requests were.
type Answers = Vec<Result<Appended>>;

fn receipts(slots: Vec<Slot>, answers: &Answers, durability: Durability) -> Vec<Result<Receipt>> {
    let settle = |slot| match slot {
        Slot::Known(receipt) => Ok(receipt),
        Slot::Failed(error) => Err(error),
        Slot::Waiting(waiting) => receipt(waiting, answers, durability),
    };
    slots.into_iter().map(settle).collect()
}

fn receipt(waiting: Waiting, answers: &Answers, durability: Durability) -> Result<Receipt> {
    let first = match answers.get(waiting.outcome) {
        Some(Ok(appended)) => Some(appended.first_sequence),
        Some(Err(error)) => return Err(error.clone()),
        None => None,
    };
    let sequence = first.and_then(|first| first.checked_add(waiting.index));
    let sequence = sequence.and_then(Sequence::new);
    Ok(Receipt {
        id: waiting.id,
        sequence: sequence.ok_or(crate::error::Cause::Closed)?,
        durability,
        status: waiting.status,
    })
}

/// Records of one submission that go into one request of the journal.
#[derive(Debug)]
struct Request {
    outcome: Arc<Outcome>,
    payloads: Vec<Vec<u8>>,
    bytes: usize,
    /// Those of the payloads, once all are there.
    ids: Arc<Vec<RecordId>>,
}

/// What a submission waits for, and what it adds to the journal, in requests of bounded size.
#[derive(Debug, Default)]
struct Submitting {
    requests: Vec<Request>,
    outcomes: Vec<Arc<Outcome>>,
}

impl Submitting {
    /// Finds a place for a record that the store does not hold: it is in flight already, or goes now.
    fn place(&mut self, prepared: Prepared, flight: &mut Flight) -> Waiting {
        let id = prepared.id;
        if let Some(Place { outcome, index }) = flight.find(id) {
            return Waiting {
                id,
                outcome: self.wait_for(&outcome),
                index,
                status: Status::AlreadyStored,
            };
        }
        let outcome = self.add(prepared.payload, flight);
        Waiting {
            id,
            outcome,
            index: flight.add(id),
            status: Status::Stored,
        }
    }

    /// Adds a payload to the last request, or to a new one where it is full.
    fn add(&mut self, payload: Vec<u8>, flight: &mut Flight) -> usize {
        let bytes = payload.len();
        let has_room = |request: &&mut Request| request.bytes + bytes <= REQUEST_BYTES_MAX;
        if let Some(request) = self.requests.last_mut().filter(has_room) {
            request.bytes += bytes;
            request.payloads.push(payload);
            let outcome = Arc::clone(&request.outcome);
            return self.wait_for(&outcome);
        }
        let outcome = flight.begin_request();
        let index = self.wait_for(&outcome);
        self.requests.push(Request {
            outcome,
            payloads: vec![payload],
            bytes,
            ids: Arc::default(),
        });
        index
    }

    /// Which of the outcomes that are waited for this is; records that follow each other mostly have the same.
    fn wait_for(&mut self, outcome: &Arc<Outcome>) -> usize {
        let is_last = |last: &Arc<Outcome>| Arc::ptr_eq(last, outcome);
        if !self.outcomes.last().is_some_and(is_last) {
            self.outcomes.push(Arc::clone(outcome));
        }
        self.outcomes.len() - 1
    }
}

impl Inner {
    /// Submits records; see [`Database::submit`](crate::Database::submit).
    pub(crate) fn submit(&self, records: Vec<Prepared>, trust: Trust) -> Result<Submission> {
        self.wait_for_room()?;
        // Ordering: before any id is asked for, see `Known::may_hold`.
        let view = self.store.snapshot()?;
        let mut found = self.find(view.as_ref()).all(&records)?;
        let seen_upto = view.cursor().map_or(0, |cursor| cursor.sequence.get());
        let mut flight = self.in_flight.lock();
        if flight.forgotten_upto() > seen_upto {
            // What the view did not show, and was not known yet, was forgotten since: it is known, and a newer view shows it.
            let newer = self.store.snapshot()?;
            self.find(newer.as_ref()).missing(&records, &mut found)?;
        }
        // Nothing fails from here on: what is in the map is appended.
        let mut submitting = Submitting::default();
        let count = records.len();
        let mut slots = Vec::with_capacity(count);
        for (prepared, found) in records.into_iter().zip(found) {
            slots.push(match found {
                Some(receipt) => Slot::Known(receipt),
                None => Slot::Waiting(submitting.place(prepared, &mut flight)),
            });
        }
        let ids = flight.ids_of_last(submitting.requests.len());
        let mut duplicates = count;
        for (request, ids) in submitting.requests.iter_mut().zip(ids) {
            duplicates -= ids.len();
            request.ids = ids;
        }
        flight.forget_applied(self.ingestor.counters().applied_sequence);
        let scan = self.scan.as_ref().filter(|_| flight.filling().take_due());
        drop(flight);
        self.tally.add_duplicates(duplicates);
        self.append(submitting.requests, trust);
        if let Some(scan) = scan {
            scan.start();
        }
        Ok(Submission {
            slots,
            outcomes: submitting.outcomes,
            durability: self.durability,
        })
    }

    fn find<'a>(&'a self, view: &'a dyn Snapshot) -> Find<'a> {
        Find {
            view,
            known: &self.known,
            durability: self.durability,
            threads: self.threads,
        }
    }

    /// Appends requests; what was checked in full is announced to the worker.
    ///
    /// Each record was found neither stored nor in flight under the lock of the map, in which it is since. Whoever submits it again
    /// finds it there until it can be read, and nobody else appends to this journal: if the answer is a sequence, no lower one holds its id.
    fn append(&self, requests: Vec<Request>, trust: Trust) {
        let writer = match trust {
            Trust::Verified => &self.trusted_writer,
            Trust::Unverified => &self.writer,
        };
        let announcements = (trust == Trust::Verified).then(|| self.ingestor.announcements());
        for request in requests {
            let settle = Settle(request.outcome);
            let (announcements, ids) = (announcements.clone(), request.ids);
            let tally = Arc::clone(&self.tally);
            let then = move |answer: Result<Appended, AppendError>| {
                tally.add_request(&answer, ids.len());
                if let (Some(announcements), Ok(appended)) = (announcements, &answer) {
                    announcements.announce(appended.first_sequence, ids);
                }
                settle.with(answer);
            };
            writer.append_all_then(request.payloads, then);
        }
    }

    /// Waits while too many records are in flight.
    fn wait_for_room(&self) -> Result<()> {
        loop {
            let oldest = {
                let mut flight = self.in_flight.lock();
                flight.forget_applied(self.ingestor.counters().applied_sequence);
                flight.oldest_above(records_in_flight_max(self.durability))
            };
            let Some(oldest) = oldest else {
                return Ok(());
            };
            // An append that failed is forgotten at the next look.
            if let Ok(appended) = oldest.wait() {
                self.ingestor
                    .wait_applied(appended.last_sequence())
                    .wait()?;
            }
        }
    }
}
