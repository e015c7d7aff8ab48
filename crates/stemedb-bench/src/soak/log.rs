//! What is noted while it goes on: how long good clients waited, minute by minute, and what everybody was answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stemedb::RecordId;

use crate::clock;
use crate::number::{float, percentile};

/// What of a quiet phase does not count: what the hostile clients before it left may still be worked on.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// Whether hostile clients are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weather {
    Quiet,
    Hostile,
}

/// Phases of equal length, the even ones quiet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phases {
    pub(super) start: Instant,
    pub(super) length: Duration,
    pub(super) count: u32,
}

impl Phases {
    pub(super) fn weather(phase: u32) -> Weather {
        if phase.is_multiple_of(2) {
            Weather::Quiet
        } else {
            Weather::Hostile
        }
    }

    /// How long all of them take.
    pub(super) fn time(self) -> Duration {
        self.length * self.count
    }

    /// In which phase something began, if that counts.
    fn of(&self, at: Instant) -> Option<u32> {
        let since = at.checked_duration_since(self.start)?;
        let phase = since.as_millis() / self.length.as_millis().max(1);
        let phase = u32::try_from(phase).ok().filter(|it| *it < self.count)?;
        let into = since.saturating_sub(self.length * phase);
        let settle = SETTLE_MAX.min(self.length / 4);
        (Self::weather(phase) == Weather::Hostile || into >= settle).then_some(phase)
    }
}

/// How long requests took, by phase.
#[derive(Debug)]
pub(super) struct Latencies {
    phases: Phases,
    micros: Mutex<BTreeMap<u32, Vec<u32>>>,
}

/// Some of the latencies, in milliseconds.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Waits {
    pub(super) requests: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Latencies {
    fn new(phases: Phases) -> Self {
        let micros = Mutex::default();
        Self { phases, micros }
    }

    /// Notes a request that began then, and ends now.
    pub(super) fn note(&self, begun: Instant) {
        let micros = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        if let Some(phase) = self.phases.of(begun) {
            lock(&self.micros).entry(phase).or_default().push(micros);
        }
    }

    /// Those of one phase.
    pub(super) fn of_phase(&self, phase: u32) -> Waits {
        let micros = lock(&self.micros).get(&phase).cloned();
        waits(micros.unwrap_or_default())
    }

    /// Those of all phases of a kind.
    pub(super) fn of_weather(&self, weather: Weather) -> Waits {
        let micros = lock(&self.micros);
        let of_kind = micros
            .iter()
            .filter(|(phase, _)| Phases::weather(**phase) == weather);
        waits(of_kind.flat_map(|(_, micros)| micros).copied().collect())
    }
}

fn waits(mut micros: Vec<u32>) -> Waits {
    micros.sort_unstable();
    let ms = |part| float(percentile(&micros, part)) / 1e3;
    Waits {
        requests: micros.len(),
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        max_ms: ms(1.0),
    }
}

/// How often each thing came of what each kind of client did.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<String, BTreeMap<String, u64>>>);

impl Tally {
    pub(super) fn count(&self, kind: &str, outcome: impl Into<String>) {
        let mut counts = lock(&self.0);
        let counts = counts.entry(kind.to_owned()).or_default();
        *counts.entry(outcome.into()).or_default() += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        lock(&self.0).clone()
    }
}

/// What the good clients share.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) phases: Phases,
    pub(super) writes: Latencies,
    pub(super) reads: Latencies,
    /// Reads for each of which a connection is made.
    pub(super) newcomers: Latencies,
    pub(super) tally: Tally,
    is_over: AtomicBool,
    /// The number of the next record.
    numbers: AtomicU64,
    /// How often somebody took a turn.
    turns: AtomicU64,
    last: Mutex<Option<(RecordId, u64)>>,
}

impl Log {
    pub(super) fn new(phases: Phases, first: u64) -> Self {
        Self {
            phases,
            writes: Latencies::new(phases),
            reads: Latencies::new(phases),
            newcomers: Latencies::new(phases),
            tally: Tally::default(),
            is_over: AtomicBool::new(false),
            numbers: AtomicU64::new(first),
            turns: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }

    /// A number that nobody else is given.
    pub(super) fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The last record that was acknowledged, and its sequence.
    pub(super) fn last(&self) -> Option<(RecordId, u64)> {
        *lock(&self.last)
    }

    /// Notes it, unless it is not the last one.
    pub(super) fn set_last(&self, id: RecordId, sequence: u64) {
        let mut last = lock(&self.last);
        if last.is_none_or(|(_, before)| before < sequence) {
            *last = Some((id, sequence));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a request is due; gives when its waiting begins, which is then, be it late, but for the time that waking up took.
pub(super) async fn due(at: Instant) -> Instant {
    if clock::now() >= at {
        return at;
    }
    tokio::time::sleep_until(at.into()).await;
    clock::now()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Phases, Weather};
    use crate::clock;

    #[test]
    fn phases_alternate_and_a_quiet_one_settles_first() {
        let start = clock::now();
        let phases = Phases {
            start,
            length: Duration::from_mins(1),
            count: 4,
        };
        let of = |seconds| phases.of(start + Duration::from_secs(seconds));
        let found = [4, 5, 59, 60, 119, 124, 125, 239, 240].map(of);
        let expected = [
            None,
            Some(0),
            Some(0),
            Some(1),
            Some(1),
            None,
            Some(2),
            Some(3),
            None,
        ];
        assert_eq!(found, expected);
        assert_eq!(Phases::weather(0), Weather::Quiet);
        assert_eq!(Phases::weather(3), Weather::Hostile);
    }
}
