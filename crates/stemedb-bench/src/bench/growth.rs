//! A load that goes on: rate and memory while millions of records come in.

use super::Bench;
use crate::failure::Result;
use crate::process::Process;
use crate::report::{Curve, Quantity};
use crate::subject::STEMEDB;
use crate::task::GrowFigures;

/// The benchmark of the whole load.
pub(crate) const LONG: &str = "growth/records=10M";
/// The benchmark of its tenth part.
pub(crate) const SHORT: &str = "growth/records=1M";

/// One round.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    let records = bench.options.growth;
    let short = grow(bench, (SHORT, records / 10))?;
    bench
        .report
        .of(SHORT, STEMEDB)
        .add(Quantity::Rate, short.rate);
    bench
        .report
        .of(SHORT, STEMEDB)
        .add(Quantity::PeakMb, short.peak_mb);
    let long = grow(bench, (LONG, records))?;
    let tenths = Tenths::of(&long.curve);
    let report = &mut *bench.report;
    report.of(LONG, STEMEDB).add(Quantity::Rate, long.rate);
    report
        .of(LONG, STEMEDB)
        .add(Quantity::LateRate, tenths.late_rate);
    report
        .of(LONG, STEMEDB)
        .add(Quantity::EarlyRate, tenths.early_rate);
    report.of(LONG, STEMEDB).add(Quantity::PeakMb, long.peak_mb);
    report
        .of(LONG, STEMEDB)
        .add(Quantity::EarlyPeakMb, tenths.early_peak_mb);
    report
        .of(LONG, STEMEDB)
        .add(Quantity::LatePeakMb, tenths.late_peak_mb);
    report.growth = Some(long.curve);
    Ok(())
}

fn grow(bench: &Bench<'_>, (name, records): (&str, u64)) -> Result<GrowFigures> {
    bench.tell(name, STEMEDB);
    let directory = bench.directory()?;
    let arguments = ["--records".to_owned(), records.to_string()];
    Process::task("grow", &directory.path().join("data"), &arguments)?.figures()
}

/// The ends of a load, a tenth each.
#[derive(Clone, Copy, Debug)]
struct Tenths {
    early_rate: f64,
    late_rate: f64,
    early_peak_mb: f64,
    late_peak_mb: f64,
}

impl Tenths {
    /// The rates of the first and of the last tenth; the memory of the second one and of the last.
    fn of(curve: &Curve) -> Self {
        let total = curve.records.last().copied().unwrap_or(0.0);
        let (early, second, late) = (total * 0.1, total * 0.2, total * 0.9);
        let points = || points(curve, &curve.memory_mb);
        let peak = |from: f64, upto: f64| {
            // A load that takes no time may have no point inside: the first one behind it tells of it as well.
            let end = points().find(|(records, _)| *records >= upto);
            let end = end.map_or(total, |(records, _)| records);
            let inside = points().filter(|(records, _)| *records >= from && *records <= end);
            inside.map(|(_, memory)| memory).fold(0.0, f64::max)
        };
        Self {
            early_rate: rate(curve, (0.0, early)),
            late_rate: rate(curve, (late, total)),
            early_peak_mb: peak(early, second),
            late_peak_mb: peak(late, total),
        }
    }
}

/// How many records were in, with another figure of the same points.
fn points<'a>(curve: &'a Curve, figures: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    curve.records.iter().copied().zip(figures.iter().copied())
}

/// Records a second between two counts of records, as closely as the points of the curve allow.
fn rate(curve: &Curve, (from, upto): (f64, f64)) -> f64 {
    let points = || points(curve, &curve.seconds);
    let start = points()
        .take_while(|(records, _)| *records <= from)
        .last()
        .unwrap_or((0.0, 0.0));
    let end = points().find(|(records, _)| *records >= upto);
    end.map_or(f64::NAN, |(records, seconds)| {
        (records - start.0) / (seconds - start.1)
    })
}

#[cfg(test)]
mod tests {
    use super::Tenths;
    use crate::report::Curve;

    #[test]
    fn the_ends_of_a_load_are_told_apart() {
        // The first half comes twice as fast as the second; memory grows by 1 with each point.
        let mut curve = Curve::default();
        let mut seconds = 0.0;
        for point in 1..=20_u32 {
            seconds += if point <= 10 { 1.0 } else { 2.0 };
            curve.records.push(f64::from(point) * 50.0);
            curve.seconds.push(seconds);
            curve.memory_mb.push(f64::from(point));
        }
        let tenths = Tenths::of(&curve);
        assert!((tenths.early_rate - 50.0).abs() < 1e-9, "{tenths:?}");
        assert!((tenths.late_rate - 25.0).abs() < 1e-9, "{tenths:?}");
        assert!((tenths.early_peak_mb - 4.0).abs() < 1e-9, "{tenths:?}");
        assert!((tenths.late_peak_mb - 20.0).abs() < 1e-9, "{tenths:?}");
    }

    #[test]
    fn a_load_of_one_point_has_ends() {
        let curve = Curve {
            seconds: vec![2.0],
            records: vec![100.0],
            rate: vec![50.0],
            memory_mb: vec![7.0],
        };
        let tenths = Tenths::of(&curve);
        let figures = [tenths.early_rate, tenths.late_rate];
        assert!(
            figures.iter().all(|rate| (rate - 50.0).abs() < 1e-9),
            "{tenths:?}"
        );
        assert!((tenths.early_peak_mb - 7.0).abs() < 1e-9, "{tenths:?}");
        assert!((tenths.late_peak_mb - 7.0).abs() < 1e-9, "{tenths:?}");
    }
}
