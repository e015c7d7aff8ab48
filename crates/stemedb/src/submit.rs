//! Submitting records: what is stored already is answered from the store, the rest is appended once.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;

use stemedb_core::{RecordId, Sequence};
use stemedb_ingest::identity_key;
use stemedb_storage::Snapshot;
use stemedb_wal::Trust;

use crate::database::Inner;
use crate::flight::{Flight, Place};
use crate::outcome::{Outcome, Settle};
use crate::{Durability, Error, Prepared, Result};

/// Records in flight at most, before a submission waits for the oldest.
const RECORDS_IN_FLIGHT_MAX: usize = 1 << 20;
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
    Waiting {
        id: RecordId,
        place: Place,
        status: Status,
    },
    Failed(Error),
}

/// Records that were handed in: [`wait`](Self::wait) for it, or await [`finish`](Self::finish), to learn that they are durable.
///
/// Several submissions may be in flight; dropping one means only that nobody hears of it.
#[derive(Debug)]
#[must_use = "a record is acknowledged by nothing but its receipt"]
pub struct Submission {
    slots: Vec<Slot>,
    durability: Durability,
}

impl Submission {
    pub(crate) fn failed(error: &Error, records: usize) -> Self {
        Self {
            slots: (0..records).map(|_| Slot::Failed(error.clone())).collect(),
            durability: Durability::Sync,
        }
    }

    /// Blocks until every record of the submission is durable or has failed; the receipts are in the order of the records.
    #[must_use]
    pub fn wait(self) -> Vec<Result<Receipt>> {
        let durability = self.durability;
        let settle = |slot| match slot {
            Slot::Known(receipt) => Ok(receipt),
            Slot::Failed(error) => Err(error),
            Slot::Waiting { id, place, status } => {
                let appended = place.outcome.wait()?;
                receipt(id, appended.first_sequence, &place, (durability, status))
            }
        };
        self.slots.into_iter().map(settle).collect()
    }

    /// The same without blocking.
    pub fn finish(self) -> impl Future<Output = Vec<Result<Receipt>>> + Send {
        let durability = self.durability;
        async move {
            let mut receipts = Vec::with_capacity(self.slots.len());
            for slot in self.slots {
                receipts.push(match slot {
                    Slot::Known(receipt) => Ok(receipt),
                    Slot::Failed(error) => Err(error),
                    Slot::Waiting { id, place, status } => {
                        let appended = poll_fn(|context| place.outcome.poll(context)).await;
                        appended.and_then(|appended| {
                            receipt(id, appended.first_sequence, &place, (durability, status))
                        })
                    }
                });
            }
            receipts
        }
    }
}

fn receipt(
    id: RecordId,
    first_sequence: u64,
    place: &Place,
    (durability, status): (Durability, Status),
) -> Result<Receipt> {
    let sequence = first_sequence
        .checked_add(place.index)
        .and_then(Sequence::new);
    Ok(Receipt {
        id,
        sequence: sequence.ok_or(crate::error::Cause::Closed)?,
        durability,
        status,
    })
}

/// Records of one submission that go into one request of the journal.
#[derive(Debug, Default)]
struct Request {
    outcome: Arc<Outcome>,
    ids: Vec<RecordId>,
    payloads: Vec<Vec<u8>>,
    bytes: usize,
}

/// What a submission adds to the journal, in requests of bounded size.
#[derive(Debug, Default)]
struct Requests {
    requests: Vec<Request>,
    /// The records that the submission itself holds twice.
    places: HashMap<RecordId, Place>,
}

impl Requests {
    fn push(&mut self, prepared: Prepared) -> Place {
        let is_full =
            |request: &Request| request.bytes + prepared.payload.len() > REQUEST_BYTES_MAX;
        if self.requests.last().is_none_or(is_full) {
            self.requests.push(Request::default());
        }
        let mut place = Place::default();
        if let Some(request) = self.requests.last_mut() {
            place.outcome = Arc::clone(&request.outcome);
            place.index = request.ids.len() as u64;
            request.bytes += prepared.payload.len();
            request.ids.push(prepared.id);
            request.payloads.push(prepared.payload);
        }
        self.places.insert(prepared.id, place.clone());
        place
    }
}

impl Inner {
    /// Submits records; see [`Database::submit`](crate::Database::submit).
    pub(crate) fn submit(&self, records: Vec<Prepared>, trust: Trust) -> Result<Submission> {
        self.wait_for_room()?;
        let view = self.store.snapshot()?;
        let mut known = Vec::with_capacity(records.len());
        for prepared in &records {
            known.push(self.find_stored(view.as_ref(), prepared)?);
        }
        let seen_upto = view.cursor().map_or(0, |cursor| cursor.sequence.get());
        let mut flight = self.in_flight.lock();
        // What the view did not show was forgotten since: a newer view shows it.
        let newer = if flight.forgotten_upto() > seen_upto {
            Some(self.store.snapshot()?)
        } else {
            None
        };
        let mut requests = Requests::default();
        let mut slots = Vec::with_capacity(records.len());
        for (prepared, known) in records.into_iter().zip(known) {
            let known = match (known, &newer) {
                (None, Some(newer)) => self.find_stored(newer.as_ref(), &prepared)?,
                (known, _) => known,
            };
            slots.push(known.map_or_else(|| place(prepared, &flight, &mut requests), Slot::Known));
        }
        for request in &requests.requests {
            flight.add(&request.outcome, request.ids.clone());
        }
        flight.forget_applied(self.ingestor.counters().applied_sequence);
        drop(flight);
        self.append(requests.requests, trust);
        Ok(Submission {
            slots,
            durability: self.durability,
        })
    }

    fn append(&self, requests: Vec<Request>, trust: Trust) {
        let writer = match trust {
            Trust::Verified => &self.trusted_writer,
            Trust::Unverified => &self.writer,
        };
        for request in requests {
            let settle = Settle(request.outcome);
            let then = move |answer| settle.with(answer);
            writer.append_all_then(request.payloads, then);
        }
    }

    fn find_stored(&self, view: &dyn Snapshot, prepared: &Prepared) -> Result<Option<Receipt>> {
        let key = identity_key(prepared.id, prepared.record_type).encode();
        let stored = view.get(&key)?;
        Ok(stored.map(|value| Receipt {
            id: prepared.id,
            sequence: value.sequence,
            durability: self.durability,
            status: Status::AlreadyStored,
        }))
    }

    /// Waits while too many records are in flight.
    fn wait_for_room(&self) -> Result<()> {
        loop {
            let oldest = {
                let mut flight = self.in_flight.lock();
                flight.forget_applied(self.ingestor.counters().applied_sequence);
                flight.oldest_above(RECORDS_IN_FLIGHT_MAX)
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

/// A record that the store does not hold: it is in flight already, or goes now.
fn place(prepared: Prepared, flight: &Flight, requests: &mut Requests) -> Slot {
    let id = prepared.id;
    let before = requests.places.get(&id).cloned().or_else(|| flight.get(id));
    let (place, status) = match before {
        Some(place) => (place, Status::AlreadyStored),
        None => (requests.push(prepared), Status::Stored),
    };
    Slot::Waiting { id, place, status }
}
