//! What the process of the server holds.

use std::fs;

use crate::file;
use crate::machine::field;
use crate::number::float;

/// What it holds at a moment.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Held {
    pub(super) memory_mb: f64,
    pub(super) files: usize,
    pub(super) threads: u64,
}

impl Held {
    /// What a process holds now; nothing where it is gone.
    pub(super) fn by(process: u32) -> Option<Self> {
        let status = file::text(format!("/proc/{process}/status")).ok()?;
        let number = |name| -> Option<u64> {
            let text = field(&status, name)?;
            text.split(' ').next()?.parse().ok()
        };
        Some(Self {
            memory_mb: float(number("VmRSS")? * 1024) / 1e6,
            files: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count(),
            threads: number("Threads")?,
        })
    }

    /// The greater one of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            memory_mb: self.memory_mb.max(other.memory_mb),
            files: self.files.max(other.files),
            threads: self.threads.max(other.threads),
        }
    }
}

/// The median of the second half of values.
///
/// The store's own buffers fill and empty every 20 s or so: what is held at one moment says little.
pub(super) fn settled(values: &[f64]) -> f64 {
    let mut half = values.get(values.len() / 2..).unwrap_or_default().to_vec();
    half.sort_unstable_by(f64::total_cmp);
    half.get(half.len() / 2).copied().unwrap_or_default()
}

/// By which part of itself something grows from the first to the last of evenly spaced values, by the line that fits them best.
pub(super) fn growth(values: &[f64]) -> f64 {
    let count = float(values.len());
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let places = (0_u32..).map(f64::from);
    let (mut both, mut square) = (0.0, 0.0);
    for (place, value) in places.zip(values) {
        both += (place - middle) * (value - mean);
        square += (place - middle) * (place - middle);
    }
    if square <= 0.0 || mean <= 0.0 {
        return 0.0;
    }
    let slope = both / square;
    slope * (count - 1.0) / (mean - slope * middle).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::{Held, growth, settled};

    #[test]
    fn growth_is_that_of_the_line_that_fits_best() {
        let of = |values: &[f64], expected: f64| {
            let found = growth(values);
            assert!((found - expected).abs() < 1e-3, "{values:?}: {found}");
        };
        of(&[100.0, 110.0, 120.0], 0.2);
        of(&[100.0, 100.0, 100.0, 100.0], 0.0);
        of(&[120.0, 110.0, 100.0], -1.0 / 6.0);
        of(&[7.0], 0.0);
        of(&[], 0.0);
    }

    #[test]
    fn what_is_settled_is_the_middle_of_the_second_half() {
        let of = |values: &[f64], expected: f64| {
            let found = settled(values);
            assert!((found - expected).abs() < 1e-3, "{values:?}: {found}");
        };
        of(&[9.0, 9.0, 9.0, 1.0, 3.0, 2.0], 2.0);
        of(&[5.0, 9.0, 1.0, 7.0, 3.0], 3.0);
        of(&[7.0], 7.0);
        of(&[], 0.0);
    }

    #[test]
    fn this_process_holds_something() {
        let held = Held::by(std::process::id()).unwrap();
        assert!(held.memory_mb > 1.0 && held.files > 2 && held.threads > 0);
        assert!(Held::by(u32::MAX).is_none());
    }
}
