//! Requests that wait for the log thread. They are framed as they arrive: the log thread gets bytes that it can write.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::format::{GROUP_PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, framed_bytes};
use crate::outcome::{Outcome, Settle, Written};
use crate::shared::Appended;
use crate::sync::oneshot;
use crate::{AppendError, Durability, GroupBuilder, Trust};

#[cfg(test)]
mod tests;

/// A request with more bytes than this is framed before it takes the queue's lock: others do not wait while it is copied.
const FRAMED_UNDER_LOCK_BYTES_MAX: usize = 64 << 10;
/// The buffer of a new part is as large as the last part was, but no larger than this.
const PART_BYTES_EXPECTED_MAX: usize = 1 << 20;

/// What the log thread calls with the outcome.
pub(crate) type Then = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// Records that go into one group together.
pub(crate) struct Request {
    records: Records,
    trust: Trust,
    count: u32,
    framed_bytes: usize,
    then: Option<Then>,
}

enum Records {
    One(Vec<u8>),
    Many(Vec<Vec<u8>>),
    Framed(GroupBuilder),
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("records", &self.count)
            .finish_non_exhaustive()
    }
}

impl Request {
    pub(crate) fn one(record: Vec<u8>, trust: Trust) -> Result<Self, AppendError> {
        let framed_bytes = check_limits([record.len()].into_iter())?;
        Ok(Self {
            records: Records::One(record),
            trust,
            count: 1,
            framed_bytes,
            then: None,
        })
    }

    /// Checks the limits before a byte is written.
    pub(crate) fn many(records: Vec<Vec<u8>>, trust: Trust) -> Result<Self, AppendError> {
        if records.is_empty() {
            return Err(AppendError::Empty);
        }
        let framed_bytes = check_limits(records.iter().map(Vec::len))?;
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let records = if framed_bytes > FRAMED_UNDER_LOCK_BYTES_MAX {
            let mut framed = GroupBuilder::with_room_for(0, framed_bytes);
            for record in &records {
                framed.push(record, trust);
            }
            Records::Framed(framed)
        } else {
            Records::Many(records)
        };
        Ok(Self {
            records,
            trust,
            count,
            framed_bytes,
            then: None,
        })
    }

    /// Has the outcome reported to `then`, instead of to whoever waits for it.
    pub(crate) fn then(self, then: Then) -> Self {
        Self {
            then: Some(then),
            ..self
        }
    }

    pub(crate) fn into_then(self) -> Option<Then> {
        self.then
    }
}

/// Bytes that records of these lengths take, framed.
fn check_limits(lengths: impl Iterator<Item = usize>) -> Result<usize, AppendError> {
    let mut total: usize = 0;
    let mut longest = 0;
    for length in lengths {
        longest = longest.max(length);
        total = total.saturating_add(framed_bytes(length));
    }
    let limits = [
        (longest, RECORD_BYTES_MAX),
        (total, GROUP_PAYLOAD_BYTES_MAX),
    ];
    match limits.into_iter().find(|(bytes, max)| bytes > max) {
        Some((bytes, bytes_max)) => Err(AppendError::TooLarge { bytes, bytes_max }),
        None => Ok(total),
    }
}

/// Where a request went: what it is answered with once its group is written.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) appended: Appended,
}

/// What became of a request that was offered.
pub(crate) enum Offer {
    Taken(Taken),
    /// There is no room: wait for the signal, then offer it again.
    Full(Request, oneshot::Receiver<()>),
    Refused(Request, AppendError),
}

/// Requests that are framed already, and go into one group.
#[derive(Debug)]
pub(crate) struct Part {
    first_sequence: u64,
    /// Its numbers are still to be changed if they do not begin at `first_sequence`.
    framed: GroupBuilder,
    answers: Answers,
    /// When its first request arrived; noted by [`Queue::note_arrival`].
    arrived_at: Option<Duration>,
}

/// Who is told of the outcome of a part.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    requests: usize,
    settle: Settle,
    calls: Vec<Call>,
}

struct Call {
    then: Then,
    appended: Appended,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.appended.fmt(f)
    }
}

impl Answers {
    pub(crate) fn requests(&self) -> usize {
        self.requests
    }

    pub(crate) fn send(self, written: &Written) {
        self.settle.with(written.clone());
        for Call { then, appended } in self.calls {
            then(written.clone().map(|()| appended));
        }
    }
}

impl Part {
    fn payload_bytes(&self) -> usize {
        self.framed.payload_bytes()
    }

    fn new(first_sequence: u64, framed: GroupBuilder) -> Self {
        Self {
            first_sequence,
            framed,
            answers: Answers::default(),
            arrived_at: None,
        }
    }

    /// When its first request arrived.
    pub(crate) fn arrived_at(&self) -> Option<Duration> {
        self.arrived_at
    }

    /// One group of several parts, in order.
    pub(crate) fn join(parts: Vec<Self>) -> Option<(GroupBuilder, Vec<Answers>)> {
        let mut answers = Vec::with_capacity(parts.len());
        let mut parts = parts.into_iter();
        let first = parts.next()?;
        let mut group = first.framed;
        group.renumber(first.first_sequence);
        answers.push(first.answers);
        for part in parts {
            group.absorb(&part.framed);
            answers.push(part.answers);
        }
        Some((group, answers))
    }
}

/// Whether the consumer of the journal keeps up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It does, or there is none.
    #[default]
    Open,
    /// It is too far behind: appends wait.
    Waiting,
    /// It is too far behind and has failed: appends are refused.
    Refusing { behind_bytes: u64, limit_bytes: u64 },
}

/// What arrived and is not yet being written.
///
/// Invariant: the records in `parts` are numbered densely, and `next_sequence` follows the last of them. A group that is refused makes
/// the log refuse all that come after it, so that no number is written that leaves a gap.
#[derive(Debug)]
pub(crate) struct Queue {
    parts: VecDeque<Part>,
    next_sequence: u64,
    durability: Durability,
    framed_bytes: usize,
    framed_bytes_max: usize,
    part_bytes_expected: usize,
    gate: Gate,
    /// Those who wait for room; they are told to try again.
    waiting: Vec<oneshot::Sender<()>>,
    pub(crate) closed: bool,
    /// How many requests are waiting.
    requests: usize,
    /// The log thread sleeps until so many requests are there.
    awaited: Option<usize>,
}

impl Queue {
    pub(crate) fn new(next_sequence: u64, durability: Durability, framed_bytes_max: usize) -> Self {
        Self {
            parts: VecDeque::new(),
            next_sequence,
            durability,
            framed_bytes: 0,
            framed_bytes_max,
            part_bytes_expected: 0,
            gate: Gate::Open,
            waiting: Vec::new(),
            closed: false,
            requests: 0,
            awaited: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many requests are waiting.
    pub(crate) fn requests(&self) -> usize {
        self.requests
    }

    /// Has the log thread woken when so many requests are there, or when no more fit.
    pub(crate) fn await_requests(&mut self, requests: usize) {
        self.awaited = Some(requests);
    }

    /// Whether the log thread sleeps and is to be woken now. Waking is a system call, also where nobody sleeps.
    pub(crate) fn take_wake_up(&mut self) -> bool {
        let is_due = |requests| self.requests >= requests || !self.waiting.is_empty();
        self.awaited.take_if(|requests| is_due(*requests)).is_some()
    }

    /// Takes a request. One is always taken where nothing else waits, however large it is.
    pub(crate) fn offer(&mut self, request: Request) -> Offer {
        if let Some(error) = self.refusal(&request) {
            return Offer::Refused(request, error);
        }
        let has_room =
            self.framed_bytes + request.framed_bytes <= self.framed_bytes_max || self.is_empty();
        if self.gate == Gate::Waiting || !has_room {
            let (signal, signalled) = oneshot::channel();
            self.waiting.push(signal);
            return Offer::Full(request, signalled);
        }
        Offer::Taken(self.take(request))
    }

    /// Notes when the first request of the last part arrived, unless that was noted: once for a part, and not for each request.
    pub(crate) fn note_arrival(&mut self, now: impl FnOnce() -> Duration) {
        if let Some(part) = self.parts.back_mut() {
            part.arrived_at.get_or_insert_with(now);
        }
    }

    fn refusal(&self, request: &Request) -> Option<AppendError> {
        if self.closed {
            return Some(AppendError::Closed);
        }
        if let Gate::Refusing {
            behind_bytes,
            limit_bytes,
        } = self.gate
        {
            return Some(AppendError::Backpressure {
                behind_bytes,
                limit_bytes,
            });
        }
        let next = self.next_sequence.checked_add(u64::from(request.count));
        let has_numbers = next.is_some_and(|next| next < u64::MAX);
        (!has_numbers).then_some(AppendError::Exhausted { what: "sequence" })
    }

    fn take(&mut self, request: Request) -> Taken {
        let appended = Appended {
            first_sequence: self.next_sequence,
            records: request.count,
            durability: self.durability,
        };
        let part = match request.records {
            Records::Framed(framed) => {
                let part = Part::new(appended.first_sequence, framed);
                self.parts.push_back_mut(part)
            }
            Records::One(record) => {
                let part = self.part_for(request.framed_bytes);
                part.framed.push(&record, request.trust);
                part
            }
            Records::Many(records) => {
                let part = self.part_for(request.framed_bytes);
                for record in &records {
                    part.framed.push(record, request.trust);
                }
                part
            }
        };
        part.answers.requests += 1;
        let outcome = part.answers.settle.outcome();
        if let Some(then) = request.then {
            part.answers.calls.push(Call { then, appended });
        }
        self.next_sequence += u64::from(request.count);
        self.framed_bytes += request.framed_bytes;
        self.requests += 1;
        Taken { outcome, appended }
    }

    /// The last part, or a new one where it has no room for so many bytes.
    fn part_for(&mut self, bytes: usize) -> &mut Part {
        let part = match self.parts.pop_back() {
            Some(last) if last.payload_bytes() + bytes <= GROUP_PAYLOAD_BYTES_MAX => last,
            full => {
                self.parts.extend(full);
                let room = bytes.max(self.part_bytes_expected);
                let framed = GroupBuilder::with_room_for(self.next_sequence, room);
                Part::new(self.next_sequence, framed)
            }
        };
        self.parts.push_back_mut(part)
    }

    /// The first part, and those behind it that fit the same group.
    pub(crate) fn take_group(&mut self) -> Vec<Part> {
        self.awaited = None;
        let mut taken = Vec::new();
        let mut framed_bytes = 0;
        while let Some(part) = self.parts.front() {
            framed_bytes += part.payload_bytes();
            if framed_bytes > GROUP_PAYLOAD_BYTES_MAX && !taken.is_empty() {
                break;
            }
            taken.extend(self.parts.pop_front());
        }
        self.requests -= taken
            .iter()
            .map(|part| part.answers.requests)
            .sum::<usize>();
        let taken_bytes: usize = taken.iter().map(Part::payload_bytes).sum();
        self.framed_bytes -= taken_bytes;
        self.part_bytes_expected = taken_bytes.min(PART_BYTES_EXPECTED_MAX);
        self.signal_waiting();
        taken
    }

    /// Drops what nobody will write: whoever waits for it hears that the journal is closed.
    pub(crate) fn clear(&mut self) -> VecDeque<Part> {
        self.framed_bytes = 0;
        self.requests = 0;
        std::mem::take(&mut self.parts)
    }

    /// Whoever waits for the gate is told to try again.
    pub(crate) fn set_gate(&mut self, gate: Gate) {
        if self.gate != gate {
            self.gate = gate;
            self.signal_waiting();
        }
    }

    pub(crate) fn signal_waiting(&mut self) {
        for signal in self.waiting.drain(..) {
            // Whoever stopped waiting needs no signal.
            drop(signal.send(()));
        }
    }
}
