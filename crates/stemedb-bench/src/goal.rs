//! The goals, and what a run says of each.

use serde::Serialize;

use crate::bench::serve::SERVE;
use crate::report::{Cell, Quantity, Report, Spread};
use crate::subject::{
    BARE_LOOP, ED25519, FJALL, JOURNAL, ONE_FSYNC, POSTGRES, REDIS, SERVED, SQLITE, STEMEDB,
};

/// What is demanded of a figure.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {bound}{unit}"),
            Self::AtMost(bound) => format!("at most {bound}{unit}"),
        }
    }
}

type Place = (&'static str, &'static str, Quantity);

/// How a goal is measured.
#[derive(Clone, Copy, Debug)]
enum Measure {
    /// One figure divided by another one, round by round.
    Ratio(Place, Place),
    /// A figure as it is, and its unit.
    Value(Place, &'static str),
}

/// A line of the list of goals.
#[derive(Clone, Copy, Debug)]
struct Goal {
    name: &'static str,
    what: &'static str,
    measure: Measure,
    bound: Bound,
}

/// What a run says of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Met,
    Missed,
    NotMeasured,
}

impl Verdict {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NotMeasured => "not measured",
        }
    }
}

/// A goal, and what was measured of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) bound: String,
    pub(crate) measured: Option<Spread>,
    pub(crate) unit: &'static str,
    pub(crate) verdict: Verdict,
}

use Bound::{AtLeast, AtMost};
use Measure::{Ratio, Value};
use Quantity::{
    Appended, CommitUs, DiskBytes, EarlyPeakMb, EarlyRate, FsyncUs, LatePeakMb, LateRate, MaxUs,
    P50Us, P99Us, PeakMb, Rate, RecordBytes, Seconds,
};

const APPEND: &str = "append/producers=64";
const APPEND_1MS: &str = "append/producers=64/fsync=1ms";

const fn goal(name: &'static str, what: &'static str, measure: Measure, bound: Bound) -> Goal {
    Goal {
        name,
        what,
        measure,
        bound,
    }
}

/// The goals, in the order of their list.
const GOALS: [Goal; 23] = [
    goal(
        "append/bare",
        "durable append, 64 tasks, against the bare group-commit loop",
        Ratio((APPEND, JOURNAL, Rate), (APPEND, BARE_LOOP, Rate)),
        AtLeast(0.8),
    ),
    goal(
        "append/postgres",
        "the same against PostgreSQL with 64 clients",
        Ratio((APPEND, JOURNAL, Rate), (APPEND, POSTGRES, Rate)),
        AtLeast(25.0),
    ),
    goal(
        "append/fsync=1ms",
        "durable append, 64 tasks, fsync of 1 ms, against one fsync each",
        Ratio((APPEND_1MS, JOURNAL, Rate), (APPEND_1MS, ONE_FSYNC, Rate)),
        AtLeast(25.0),
    ),
    goal(
        "append/fsync=1ms/p99",
        "its p99 in fsyncs",
        Ratio((APPEND_1MS, JOURNAL, P99Us), (APPEND_1MS, JOURNAL, FsyncUs)),
        AtMost(2.5),
    ),
    goal(
        "serve/redis",
        "single claims over HTTP, 256 connections, against Redis XADD with appendfsync always",
        Ratio((SERVE, STEMEDB, Rate), (SERVE, REDIS, Rate)),
        AtLeast(0.6),
    ),
    goal(
        "serve/upload",
        "`stemedb ingest --url` of the flight file, against `stemedb ingest`",
        Ratio(
            ("ingest/flight", SERVED, Rate),
            ("ingest/flight", STEMEDB, Rate),
        ),
        AtLeast(0.8),
    ),
    goal(
        "ingest/unsigned/postgres",
        "unsigned assertions, durable and readable, against PostgreSQL COPY",
        Ratio(
            ("ingest/unsigned", STEMEDB, Rate),
            ("ingest/unsigned", POSTGRES, Rate),
        ),
        AtLeast(2.0),
    ),
    goal(
        "ingest/unsigned/sqlite",
        "the same against SQLite in batches of 1000",
        Ratio(
            ("ingest/unsigned", STEMEDB, Rate),
            ("ingest/unsigned", SQLITE, Rate),
        ),
        AtLeast(12.0),
    ),
    goal(
        "ingest/signed",
        "signed assertions, against Ed25519 batch verification on all cores",
        Ratio(
            ("ingest/signed", STEMEDB, Rate),
            ("ingest/signed", ED25519, Rate),
        ),
        AtLeast(0.85),
    ),
    goal(
        "ingest/flight",
        "`stemedb ingest` of the flight file from gzip, against PostgreSQL COPY of its rows",
        Ratio(
            ("ingest/flight", STEMEDB, Rate),
            ("ingest/flight", POSTGRES, Rate),
        ),
        AtLeast(1.3),
    ),
    goal(
        "ingest/flight/memory",
        "its peak memory",
        Value(("ingest/flight", STEMEDB, PeakMb), " MB"),
        AtMost(512.0),
    ),
    goal(
        "growth/rate",
        "a load of 10M records, against one of 1M",
        Ratio(
            ("growth/records=10M", STEMEDB, Rate),
            ("growth/records=1M", STEMEDB, Rate),
        ),
        AtLeast(0.8),
    ),
    goal(
        "growth/late-rate",
        "the last of the ten million, against the first",
        Ratio(
            ("growth/records=10M", STEMEDB, LateRate),
            ("growth/records=10M", STEMEDB, EarlyRate),
        ),
        AtLeast(0.8),
    ),
    goal(
        "growth/memory",
        "memory while loading 10M records",
        Value(("growth/records=10M", STEMEDB, PeakMb), " MB"),
        AtMost(512.0),
    ),
    goal(
        "growth/flat",
        "its peak in the last million, against that in the second",
        Ratio(
            ("growth/records=10M", STEMEDB, LatePeakMb),
            ("growth/records=10M", STEMEDB, EarlyPeakMb),
        ),
        AtMost(1.2),
    ),
    goal(
        "disk",
        "disk after the load, journal kept, against the bytes of the records",
        Ratio(
            ("ingest/unsigned", STEMEDB, DiskBytes),
            ("ingest/unsigned", STEMEDB, RecordBytes),
        ),
        AtMost(2.5),
    ),
    goal(
        "read/point",
        "point read by id, warm, against fjall alone",
        Ratio(("read/point", STEMEDB, P50Us), ("read/point", FJALL, P50Us)),
        AtMost(1.5),
    ),
    goal(
        "read/page",
        "subject page of 100 records, warm, against fjall alone",
        Ratio(("read/page", STEMEDB, P50Us), ("read/page", FJALL, P50Us)),
        AtMost(1.5),
    ),
    goal(
        "read/loading",
        "p99 of a point read while loading at full speed, against idle",
        Ratio(
            ("read/loading", STEMEDB, P99Us),
            ("read/point", STEMEDB, P99Us),
        ),
        AtMost(5.0),
    ),
    goal(
        "read/commit",
        "the longest read while commits take 200 ms each, in commits",
        Ratio(
            ("read/commit", STEMEDB, MaxUs),
            ("read/commit", STEMEDB, CommitUs),
        ),
        AtMost(0.5),
    ),
    goal(
        "open/killed",
        "open after kill -9, 1 GiB of journal, the store 64 MiB behind",
        Value(("open/killed", STEMEDB, Seconds), " s"),
        AtMost(2.0),
    ),
    goal(
        "ingest/duplicates",
        "the flight file again, against the first time",
        Ratio(
            ("ingest/duplicates", STEMEDB, Rate),
            ("ingest/flight", STEMEDB, Rate),
        ),
        AtLeast(1.5),
    ),
    goal(
        "ingest/duplicates/journal",
        "records that this adds to the journal",
        Value(("ingest/duplicates", STEMEDB, Appended), ""),
        AtMost(0.0),
    ),
];

/// Holds what was measured against every goal.
pub(crate) fn judge(report: &Report) -> Vec<Judged> {
    GOALS.iter().map(|goal| judge_one(goal, report)).collect()
}

fn judge_one(goal: &Goal, report: &Report) -> Judged {
    let values = |(benchmark, subject, quantity): Place| {
        report.rounds(&Cell::new(benchmark, subject, quantity))
    };
    let (measured, unit) = match goal.measure {
        Value(place, unit) => (values(place).to_vec(), unit),
        Ratio(over, under) => {
            let pairs = values(over).iter().zip(values(under));
            (pairs.map(|(over, under)| over / under).collect(), "")
        }
    };
    // What was divided by nothing was not measured.
    let measured = Spread::of(&measured).filter(|spread| spread.median.is_finite());
    let verdict = match measured {
        None => Verdict::NotMeasured,
        Some(spread) if goal.bound.is_met(spread.median) => Verdict::Met,
        Some(_) => Verdict::Missed,
    };
    Judged {
        name: goal.name,
        what: goal.what,
        bound: goal.bound.text(unit),
        measured,
        unit,
        verdict,
    }
}

#[cfg(test)]
mod tests;
