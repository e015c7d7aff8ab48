//! Numbers and mutations from a seed.
//!
//! The testkit has such numbers as well. What libFuzzer builds, with its own instrumentation, stays without the testkit and what that uses
//! (the facade, proptest, clap): these lines are less.

/// A stream of numbers that its seed determines (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    /// Changes bytes in one to four places, in one of the ways in which bytes get damaged or are made up.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let to = at + self.below(bytes.len() - at);
            match self.below(6) {
                0 => {
                    let bit = self.below(8);
                    bytes
                        .iter_mut()
                        .skip(at)
                        .take(1)
                        .for_each(|b| *b ^= 1 << bit);
                }
                1 => {
                    let edges = [0, 1, 0x7f, 0x80, 0xff];
                    let value = edges.get(self.below(edges.len())).copied();
                    let value = value.unwrap_or_default();
                    bytes.iter_mut().skip(at).take(1).for_each(|b| *b = value);
                }
                2 => bytes.truncate(at),
                3 => drop(bytes.drain(at..to)),
                4 => bytes.extend_from_within(at..to),
                _ => bytes.insert(at, self.next().to_le_bytes()[0]),
            }
        }
    }
}
