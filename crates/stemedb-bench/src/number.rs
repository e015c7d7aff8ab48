//! Figures: counts as doubles, percentiles, and how they are written.

use std::time::Duration;

/// A count as a double.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count of more than 2^53 does not occur, and a figure has three digits"
)]
pub(crate) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

/// A figure as a count, rounded down; at least 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion stops at the ends of the range, which is what is wanted"
)]
pub(crate) fn floor(value: f64) -> usize {
    value as usize
}

/// The value below which a part of the sorted values lies; 0 where there are none.
pub(crate) fn percentile<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let place = floor(float(sorted.len()) * part).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

/// The middle of the values, or what lies half way between the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = percentile(&sorted, 0.5);
    if sorted.len().is_multiple_of(2) {
        let below = sorted.len() / 2;
        let lower = sorted.get(below.wrapping_sub(1)).copied();
        return f64::midpoint(lower.unwrap_or(upper), upper);
    }
    upper
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A figure with three digits or more, and thousands and millions as such.
pub(crate) fn text(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "-".to_owned()
    } else if size >= 999_500.0 {
        format!("{:.2}M", value / 1e6)
    } else if size >= 9_995.0 {
        format!("{:.0}k", value / 1e3)
    } else if size >= 999.5 {
        format!("{:.1}k", value / 1e3)
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A figure at an axis: as short as it can be.
pub(crate) fn tick(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{}{unit}", (scaled * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::{median, percentile, text};

    #[test]
    fn a_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((median(&[7.0]) - 7.0).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn percentiles_stay_inside() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&sorted, 0.5), 51);
        assert_eq!(percentile(&sorted, 0.99), 100);
        assert_eq!(percentile(&sorted, 1.0), 100);
        assert_eq!(percentile::<u64>(&[], 0.99), 0);
    }

    #[test]
    fn figures_have_three_digits() {
        let texts = [
            0.123_4,
            9.999,
            12.34,
            99.96,
            123.4,
            1_234.0,
            12_345.0,
            1_234_567.0,
        ];
        let expected = ["0.12", "10.0", "12.3", "100", "123", "1.2k", "12k", "1.23M"];
        assert_eq!(texts.map(text), expected);
        assert_eq!(text(f64::NAN), "-");
    }
}
