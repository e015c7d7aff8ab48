//! What came of a run: figures for people and as JSON, and whether the promises are kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use stemedb::RecordId;

use super::Observed;
use super::good::{Acknowledged, Fed};
use super::log::{Waits, Weather};
use super::watch::{Held, growth};

/// Memory may grow by this part from when the caches are full to the end.
const GROWTH_MAX: f64 = 0.1;
/// Good clients may wait this many times as long.
const RATIO_MAX: f64 = 2.0;
/// Until when caches fill: phases, or a quarter of all where that is less.
const WARM_PHASES: usize = 5;

/// A phase.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Minute {
    pub(super) phase: u32,
    pub(super) weather: Weather,
    pub(super) writes: Waits,
    pub(super) reads: Waits,
    pub(super) newcomers: Waits,
    /// The memory of the server in its second half, the median.
    pub(super) settled_mb: f64,
    /// What the server held at its end.
    pub(super) last: Held,
    /// The most that it held.
    pub(super) most: Held,
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, most, .. } = self;
        write!(
            f,
            "{:>3} {:<8} p99 ms: writes {:.1}, reads {:.1}, newcomers {:.1}; {} writes; memory {:.0} MB (most {:.0}), files {} ({}), threads {} ({})",
            self.phase,
            format!("{:?}", self.weather),
            self.writes.p99_ms,
            self.reads.p99_ms,
            self.newcomers.p99_ms,
            self.writes.requests,
            last.memory_mb,
            most.memory_mb,
            last.files,
            most.files,
            last.threads,
            most.threads,
        )
    }
}

/// What is not there that should be, or there that should not.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Lost {
    pub(super) acknowledged: usize,
    pub(super) stored: usize,
    /// Acknowledged, and not there at their sequences.
    pub(super) missing: usize,
    /// There more than once.
    pub(super) double: usize,
    pub(super) feed: Fed,
    /// Whether `verify` found nothing.
    pub(super) is_sound: bool,
}

impl Lost {
    pub(super) fn new(
        acknowledged: &[Acknowledged],
        stored: Vec<(u64, RecordId)>,
        feed: Fed,
        is_sound: bool,
    ) -> Self {
        let count = stored.len();
        let by_sequence: BTreeMap<u64, RecordId> = stored.into_iter().collect();
        let is_missing = |(sequence, id): &&Acknowledged| by_sequence.get(sequence) != Some(id);
        let mut ids: Vec<_> = by_sequence.values().collect();
        ids.sort_unstable();
        ids.dedup();
        Self {
            acknowledged: acknowledged.len(),
            stored: count,
            missing: acknowledged.iter().filter(is_missing).count(),
            double: count - ids.len(),
            feed,
            is_sound,
        }
    }

    /// Nothing is: every record behind where it began has also passed the feed once, in order.
    fn is_none(&self) -> bool {
        let Fed { since, records, .. } = self.feed;
        let fed =
            self.feed.out_of_order == 0 && usize::try_from(since + records) == Ok(self.stored);
        self.missing == 0 && self.double == 0 && self.is_sound && fed
    }
}

/// What good clients waited for in each weather, and the ratio of the times that one in a hundred took longer than.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Compared {
    pub(super) quiet: Waits,
    pub(super) hostile: Waits,
    pub(super) ratio: f64,
}

impl Compared {
    fn new(of: impl Fn(Weather) -> Waits) -> Self {
        let (quiet, hostile) = (of(Weather::Quiet), of(Weather::Hostile));
        let ratio = hostile.p99_ms / quiet.p99_ms.max(f64::MIN_POSITIVE);
        Self {
            quiet,
            hostile,
            ratio,
        }
    }

    fn is_fine(&self) -> bool {
        self.ratio <= RATIO_MAX
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Whether it was too short for anything but what is lost.
    is_quick: bool,
    /// Whether good clients went before the server; otherwise they also waited for it where they only wanted a processor.
    pub(super) clients_go_first: bool,
    /// What writers reach that never wait.
    rate_max: f64,
    rate: f64,
    writes: Compared,
    reads: Compared,
    /// Readers that make a connection for each request; not judged.
    newcomers: Compared,
    /// Memory in the second half of each quiet phase, in MB.
    memory_mb: Vec<f64>,
    /// By which part it grows, when the caches are full.
    memory_growth: f64,
    most: Held,
    lost: Lost,
    /// What each kind of client was answered, and how often.
    answers: BTreeMap<String, BTreeMap<String, u64>>,
    minutes: Vec<Minute>,
}

impl Summary {
    pub(super) fn new(observed: Observed, lost: Lost, is_quick: bool) -> Self {
        let Observed {
            log,
            rate_max,
            rate,
            minutes,
            ..
        } = observed;
        let quiet = minutes
            .iter()
            .filter(|it| it.weather == Weather::Quiet)
            .map(|it| it.settled_mb);
        let memory_mb: Vec<f64> = quiet.collect();
        let warm = WARM_PHASES.div_ceil(2).min(memory_mb.len() / 4);
        let most = minutes.iter().map(|it| it.most);
        Self {
            is_quick,
            clients_go_first: false,
            rate_max,
            rate,
            writes: Compared::new(|weather| log.writes.of_weather(weather)),
            reads: Compared::new(|weather| log.reads.of_weather(weather)),
            newcomers: Compared::new(|weather| log.newcomers.of_weather(weather)),
            memory_growth: growth(memory_mb.get(warm..).unwrap_or_default()),
            memory_mb,
            most: most.fold(Held::default(), Held::max),
            lost,
            answers: log.tally.counts(),
            minutes,
        }
    }

    /// Whether every promise is kept that was judged.
    pub(super) fn is_kept(&self) -> bool {
        let is_served = self.writes.is_fine() && self.reads.is_fine();
        let is_flat = self.memory_growth <= GROWTH_MAX;
        self.lost.is_none() && (self.is_quick || is_served && is_flat)
    }

    fn verdict(is_kept: bool) -> &'static str {
        if is_kept { "kept" } else { "BROKEN" }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            quiet,
            hostile,
            ratio,
        } = self;
        write!(
            f,
            "p50 {:.2} ms quiet, {:.2} ms hostile; p99 {:.2} and {:.2} ms, ratio {ratio:.2}; longest {:.0} and {:.0} ms; {} and {} requests",
            quiet.p50_ms,
            hostile.p50_ms,
            quiet.p99_ms,
            hostile.p99_ms,
            quiet.max_ms,
            hostile.max_ms,
            quiet.requests,
            hostile.requests
        )
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fed {
            records,
            out_of_order,
            breaks,
            ..
        } = self.feed;
        let found = if self.is_sound { "nothing" } else { "damage" };
        write!(
            f,
            "{} acknowledged, {} missing; {} stored, {} double; feed: {records} records, {out_of_order} out of order, {breaks} breaks; verify finds {found}",
            self.acknowledged, self.missing, self.stored, self.double,
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, answers) in &self.answers {
            let answers = answers.iter();
            let answers = answers.map(|(answer, count)| format!("{answer}: {count}"));
            writeln!(f, "{kind}: {}", answers.collect::<Vec<_>>().join(", "))?;
        }
        let (rate, rate_max) = (self.rate, self.rate_max);
        writeln!(
            f,
            "{rate:.0} records/s asked for, of {rate_max:.0} that can be had"
        )?;
        writeln!(f, "writes: {}", self.writes)?;
        writeln!(f, "reads: {}", self.reads)?;
        writeln!(f, "newcomers: {}", self.newcomers)?;
        if !self.clients_go_first {
            writeln!(
                f,
                "good clients had no right to go before the server (chrt --rr): what they waited for a processor is counted"
            )?;
        }
        let memory: Vec<_> = self.memory_mb.iter().map(|mb| format!("{mb:.0}")).collect();
        writeln!(
            f,
            "memory in the second halves of quiet phases, MB: {}; most {:.0} MB, {} files, {} threads",
            memory.join(" "),
            self.most.memory_mb,
            self.most.files,
            self.most.threads
        )?;
        writeln!(f, "{}", self.lost)?;
        if self.is_quick {
            writeln!(f, "a quick run: times and memory say nothing")?;
        } else {
            let growth = self.memory_growth * 100.0;
            let is_flat = Self::verdict(self.memory_growth <= GROWTH_MAX);
            writeln!(f, "memory flat: {is_flat} (grows by {growth:.1} %)")?;
            let is_served = self.writes.is_fine() && self.reads.is_fine();
            let is_served = Self::verdict(is_served);
            writeln!(f, "good clients within {RATIO_MAX}x: {is_served}")?;
        }
        write!(f, "nothing lost: {}", Self::verdict(self.lost.is_none()))
    }
}
