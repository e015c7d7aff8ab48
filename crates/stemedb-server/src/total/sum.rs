//! Sums of numbers that come in any order and are the same in each.

/// An exact sum of finite numbers.
///
/// It holds numbers whose digits do not overlap, the smallest first, as Shewchuk describes in "Adaptive Precision Floating-Point
/// Arithmetic"; their sum is that of all numbers that were added, without any rounding.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sum(Vec<f64>);

impl Sum {
    pub(super) fn add(&mut self, mut number: f64) {
        let mut kept = 0;
        for place in 0..self.0.len() {
            let Some(&part) = self.0.get(place) else {
                break;
            };
            let (high, low) = add_exactly(number, part);
            if low != 0.0
                && let Some(to) = self.0.get_mut(kept)
            {
                *to = low;
                kept += 1;
            }
            number = high;
        }
        self.0.truncate(kept);
        if number != 0.0 {
            self.0.push(number);
        }
    }

    /// The number that is nearest to it; of two that are as near, the even one.
    pub(super) fn rounded(&self) -> f64 {
        let mut parts = self.0.iter().rev().copied();
        let mut high = parts.next().unwrap_or(0.0);
        for part in parts.by_ref() {
            let low;
            (high, low) = add_exactly(high, part);
            if low == 0.0 {
                continue;
            }
            // It lies between two numbers: where just in the middle, what is left tells to which side.
            let next = parts.next().unwrap_or(0.0);
            let (other, rest) = add_exactly(high, 2.0 * low);
            let is_beyond = next != 0.0 && next.is_sign_positive() == low.is_sign_positive();
            if rest == 0.0 && is_beyond {
                return other;
            }
            return high;
        }
        high
    }
}

/// The sum of two numbers, and what its rounding leaves out.
fn add_exactly(one: f64, other: f64) -> (f64, f64) {
    let sum = one + other;
    let of_other = sum - one;
    let of_one = sum - of_other;
    (sum, (one - of_one) + (other - of_other))
}
