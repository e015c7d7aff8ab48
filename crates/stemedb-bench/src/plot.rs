//! The plots of a report.

use std::path::Path;

use crate::bench::append;
use crate::failure::{Doing, Result};
use crate::file;
use crate::number::float;
use crate::report::{Cell, Curve, Quantity, Report};
use crate::subject::{
    BARE_LOOP, ED25519, FJALL, JOURNAL, NATS, ONE_FSYNC, POSTGRES, REDB, REDIS, SQLITE, STEMEDB,
};

mod bars;
mod lines;
mod svg;

use bars::{Bar, Group};
use lines::{Chart, Line, Point, Scale};

/// A plot: the name of its file, what it shows, and the drawing.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) file: String,
    pub(crate) title: String,
    drawing: String,
}

/// Draws everything that was measured.
pub(crate) fn all(report: &Report) -> Vec<Plot> {
    let mut plots = Vec::new();
    for extra_ms in [0].into_iter().chain(append::EXTRA_MS) {
        plots.extend(appends(report, extra_ms));
    }
    let rates = [
        "append/batch=1000",
        "ingest/unsigned",
        "ingest/signed",
        "ingest/flight",
        "ingest/duplicates",
    ];
    let rates = rates.map(|name| (name, Quantity::Rate));
    plots.extend(compared(
        report,
        ("ingest", "Records per second (median, min..max)"),
        &rates,
    ));
    let reads = ["read/point", "read/page", "read/loading"];
    let reads: Vec<_> = reads
        .into_iter()
        .flat_map(|name| [(name, Quantity::P50Us), (name, Quantity::P99Us)])
        .collect();
    plots.extend(compared(
        report,
        ("read", "Microseconds per read (median, min..max)"),
        &reads,
    ));
    if let Some(curve) = &report.growth {
        plots.extend(growth(curve));
    }
    plots
}

/// Draws everything into a directory.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write(plots: &[Plot], directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).doing("make the directory of the plots")?;
    for plot in plots {
        let path = directory.join(&plot.file);
        file::write(&path, &plot.drawing).doing(format!("write {}", path.display()))?;
    }
    Ok(())
}

/// The same colour for the same subject everywhere (the palette of Okabe and Ito).
fn colour(subject: &str) -> &'static str {
    match subject {
        JOURNAL | STEMEDB => "#0072b2",
        BARE_LOOP | ED25519 => "#8c8c8c",
        ONE_FSYNC => "#b8860b",
        POSTGRES => "#009e73",
        SQLITE => "#56b4e9",
        REDIS => "#d55e00",
        NATS => "#cc79a7",
        FJALL => "#e69f00",
        REDB => "#a05a2c",
        _ => "#7a5195",
    }
}

fn appends(report: &Report, extra_ms: u64) -> Option<Plot> {
    let benchmarks: Vec<_> = append::PRODUCERS
        .iter()
        .map(|producers| (*producers, append::name(*producers, extra_ms)))
        .collect();
    let first = benchmarks.first()?;
    let mut lines = Vec::new();
    for subject in report.subjects(&first.1) {
        let points: Vec<Point> = benchmarks
            .iter()
            .filter_map(|(producers, name)| {
                let spread = report.spread(&Cell::new(name, subject, Quantity::Rate))?;
                Some(Point {
                    x: float(*producers),
                    y: spread.median,
                    low: spread.min,
                    high: spread.max,
                })
            })
            .collect();
        lines.push(Line {
            name: subject.to_owned(),
            colour: if subject == STEMEDB {
                "#7a5195"
            } else {
                colour(subject)
            },
            points,
        });
    }
    if lines.is_empty() {
        return None;
    }
    let (file, title) = match extra_ms {
        0 => (
            "append.svg".to_owned(),
            "Durable appends, one record a request".to_owned(),
        ),
        ms => (
            format!("append-{ms}ms.svg"),
            format!("The same, every fsync {ms} ms longer"),
        ),
    };
    let chart = Chart {
        title: &title,
        x: ("tasks or clients that append", Scale::Log),
        y: ("records/s", Scale::Log),
        lines,
    };
    let drawing = chart.draw(&append::PRODUCERS.map(float));
    Some(Plot {
        file,
        title,
        drawing,
    })
}

fn compared(
    report: &Report,
    (name, title): (&str, &str),
    cells: &[(&str, Quantity)],
) -> Option<Plot> {
    let mut groups = Vec::new();
    for (benchmark, quantity) in cells {
        let bars: Vec<Bar> = report
            .subjects(benchmark)
            .into_iter()
            .filter_map(|subject| {
                let value = report.spread(&Cell::new(benchmark, subject, *quantity))?;
                Some(Bar {
                    name: subject.to_owned(),
                    colour: colour(subject),
                    value,
                })
            })
            .collect();
        if !bars.is_empty() {
            groups.push(Group {
                title: format!("{benchmark}: {}", quantity.head()),
                bars,
            });
        }
    }
    if groups.is_empty() {
        return None;
    }
    Some(Plot {
        file: format!("{name}.svg"),
        title: title.to_owned(),
        drawing: bars::draw(title, &groups),
    })
}

fn growth(curve: &Curve) -> [Plot; 2] {
    let points = |values: &[f64]| -> Vec<Point> {
        let pairs = curve.records.iter().zip(values);
        let point = |(x, y): (&f64, &f64)| Point {
            x: *x,
            y: *y,
            low: *y,
            high: *y,
        };
        pairs.map(point).collect()
    };
    let rates = smooth(&curve.records, &curve.seconds);
    let plot = |file: &str, (title, unit): (&str, &str), points: Vec<Point>| {
        let chart = Chart {
            title,
            x: ("records that are in", Scale::Linear),
            y: (unit, Scale::Linear),
            lines: vec![Line {
                name: STEMEDB.to_owned(),
                colour: colour(STEMEDB),
                points,
            }],
        };
        Plot {
            file: file.to_owned(),
            title: title.to_owned(),
            drawing: chart.draw(&[]),
        }
    };
    [
        plot(
            "growth-rate.svg",
            ("Rate of a load that goes on", "records/s"),
            points(&rates),
        ),
        plot(
            "growth-memory.svg",
            ("Memory of a load that goes on", "MB"),
            points(&curve.memory_mb),
        ),
    ]
}

/// The rate at each point, over as many points behind it as a fiftieth of all.
fn smooth(records: &[f64], seconds: &[f64]) -> Vec<f64> {
    let width = (records.len() / 50).max(1);
    let at = |values: &[f64], place: usize| values.get(place).copied().unwrap_or(0.0);
    let rate = |place: usize| {
        let (from, since) = match place.checked_sub(width) {
            Some(before) => (at(records, before), at(seconds, before)),
            None => (0.0, 0.0),
        };
        (at(records, place) - from) / (at(seconds, place) - since)
    };
    (0..records.len()).map(rate).collect()
}
