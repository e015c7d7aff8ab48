//! What was measured: figures by benchmark, subject and quantity, one for each round.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::goal::Judged;
use crate::machine::Machine;
use crate::number;

/// What a figure tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Quantity {
    /// Records in a second.
    Rate,
    /// Records in a second while the last million came in.
    LateRate,
    /// Records in a second while the first million came in.
    EarlyRate,
    /// Half of the operations took no longer.
    P50Us,
    /// 99 of 100 operations took no longer.
    P99Us,
    /// The slowest operation.
    MaxUs,
    /// An fsync on average.
    FsyncUs,
    /// What a commit was made to take.
    CommitUs,
    /// How long it took.
    Seconds,
    /// From the last acknowledgement to the moment when everything can be read.
    ReadableMs,
    /// The most memory that the process had; of a load from memory, what it took more than its records.
    PeakMb,
    /// The most memory that the process had while the last million came in.
    LatePeakMb,
    /// The most memory that the process had while the second million came in.
    EarlyPeakMb,
    /// Bytes on disk for each record.
    DiskBytes,
    /// Bytes of a record, as it is appended.
    RecordBytes,
    /// Records that were added to the journal.
    Appended,
    /// Bytes that were added to the journal.
    AppendedBytes,
    /// Percent of the lines that were there before.
    Duplicates,
    /// Records that can be read.
    Records,
}

impl Quantity {
    /// The head of its column.
    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::Rate => "records/s",
            Self::LateRate => "last million/s",
            Self::EarlyRate => "first million/s",
            Self::P50Us => "p50 us",
            Self::P99Us => "p99 us",
            Self::MaxUs => "max us",
            Self::FsyncUs => "fsync us",
            Self::CommitUs => "commit us",
            Self::Seconds => "seconds",
            Self::ReadableMs => "readable after ms",
            Self::PeakMb => "peak MB",
            Self::LatePeakMb => "peak MB, last million",
            Self::EarlyPeakMb => "peak MB, second million",
            Self::DiskBytes => "disk bytes/record",
            Self::RecordBytes => "record bytes",
            Self::Appended => "journal records added",
            Self::AppendedBytes => "journal bytes added",
            Self::Duplicates => "duplicates %",
            Self::Records => "records",
        }
    }
}

/// Which figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    /// The benchmark.
    pub(crate) benchmark: String,
    /// What was measured.
    pub(crate) subject: String,
    /// What the figure tells.
    pub(crate) quantity: Quantity,
}

impl Cell {
    pub(crate) fn new(benchmark: &str, subject: &str, quantity: Quantity) -> Self {
        Self {
            benchmark: benchmark.to_owned(),
            subject: subject.to_owned(),
            quantity,
        }
    }
}

/// A figure of each round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// One value for each round.
    pub(crate) rounds: Vec<f64>,
}

/// A figure and how far the rounds lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of values, of which there must be one.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        values.first()?;
        Some(Self {
            median: number::median(values),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    /// The median with the range of the rounds behind it, if there was more than one.
    pub(crate) fn text(&self) -> String {
        let (median, min, max) = (self.median, self.min, self.max);
        let [median, min, max] = [median, min, max].map(number::text);
        if min == max {
            median
        } else {
            format!("{median} ({min}..{max})")
        }
    }
}

/// Places of a plot that are not figures of rounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Curve {
    /// Since the beginning.
    pub(crate) seconds: Vec<f64>,
    /// Records that were in.
    pub(crate) records: Vec<f64>,
    /// Records in a second since the point before.
    pub(crate) rate: Vec<f64>,
    /// Memory of the process.
    pub(crate) memory_mb: Vec<f64>,
}

/// How a run was set up.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) command: String,
    pub(crate) date: String,
    pub(crate) rounds: usize,
    pub(crate) records: u64,
    /// Whether it was only to be seen that everything runs.
    pub(crate) is_quick: bool,
    pub(crate) machine: Machine,
    /// Versions of the peers that took part.
    pub(crate) peers: BTreeMap<String, String>,
}

/// All that a run measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) setting: Setting,
    pub(crate) goals: Vec<Judged>,
    pub(crate) series: Vec<Series>,
    pub(crate) growth: Option<Curve>,
    /// What was left out or went wrong, and why.
    pub(crate) left_out: Vec<String>,
}

impl Report {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            setting,
            goals: Vec::new(),
            series: Vec::new(),
            growth: None,
            left_out: Vec::new(),
        }
    }

    /// The figures of a subject in a benchmark, to add to.
    pub(crate) fn of<'a>(&'a mut self, benchmark: &'a str, subject: &'a str) -> Figures<'a> {
        Figures {
            series: &mut self.series,
            benchmark,
            subject,
        }
    }

    /// Notes what was left out; once, however often it is said.
    pub(crate) fn leave_out(&mut self, what: String) {
        if !self.left_out.contains(&what) {
            self.left_out.push(what);
        }
    }

    /// The values of a figure, none where it was not measured.
    pub(crate) fn rounds(&self, cell: &Cell) -> &[f64] {
        let found = self.series.iter().find(|series| series.cell == *cell);
        found.map_or(&[], |series| &series.rounds)
    }

    pub(crate) fn spread(&self, cell: &Cell) -> Option<Spread> {
        Spread::of(self.rounds(cell))
    }

    /// The benchmarks in the order in which they were first measured.
    pub(crate) fn benchmarks(&self) -> Vec<&str> {
        distinct(
            self.series
                .iter()
                .map(|series| series.cell.benchmark.as_str()),
        )
    }

    /// The subjects of a benchmark, likewise.
    pub(crate) fn subjects(&self, benchmark: &str) -> Vec<&str> {
        let of = self
            .series
            .iter()
            .filter(|series| series.cell.benchmark == benchmark);
        distinct(of.map(|series| series.cell.subject.as_str()))
    }

    /// The quantities of a benchmark, likewise.
    pub(crate) fn quantities(&self, benchmark: &str) -> Vec<Quantity> {
        let of = self
            .series
            .iter()
            .filter(|series| series.cell.benchmark == benchmark);
        distinct(of.map(|series| series.cell.quantity))
    }
}

/// The figures of one subject in one benchmark.
#[derive(Debug)]
pub(crate) struct Figures<'a> {
    series: &'a mut Vec<Series>,
    benchmark: &'a str,
    subject: &'a str,
}

impl Figures<'_> {
    /// Adds the figure of one round.
    pub(crate) fn add(&mut self, quantity: Quantity, value: f64) -> &mut Self {
        let cell = Cell::new(self.benchmark, self.subject, quantity);
        match self.series.iter_mut().find(|series| series.cell == cell) {
            Some(series) => series.rounds.push(value),
            None => self.series.push(Series {
                cell,
                rounds: vec![value],
            }),
        }
        self
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}
