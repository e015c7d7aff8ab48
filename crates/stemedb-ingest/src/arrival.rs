//! Which ids a batch holds, and under which sequence each arrived first.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use stemedb_core::{RecordId, Sequence};

/// The ids of the records of a batch, with the sequence under which each arrived first, in this batch or before it.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(HashMap<RecordId, Sequence, Seeds>);

impl Arrivals {
    /// No ids, and room for so many.
    pub(crate) fn with_room_for(ids: usize) -> Self {
        Self(HashMap::with_capacity_and_hasher(ids, Seeds::default()))
    }

    /// The sequence under which `id` arrived first; that is `otherwise` where it was not met before.
    pub(crate) fn first(&mut self, id: RecordId, otherwise: Sequence) -> Sequence {
        *self.0.entry(id).or_insert(otherwise)
    }

    /// The sequence under which `id` arrived first, if it was met.
    pub(crate) fn get(&self, id: RecordId) -> Option<Sequence> {
        self.0.get(&id).copied()
    }
}

/// Ids are hashes already: two of their words are enough. The seeds keep whoever makes up records from making up ids that collide.
#[derive(Clone, Debug)]
struct Seeds([u64; 2]);

impl Default for Seeds {
    fn default() -> Self {
        let random = RandomState::new();
        Self([0_u8, 1].map(|number| random.hash_one(number)))
    }
}

impl BuildHasher for Seeds {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher {
            seeds: self.0,
            hash: 0,
        }
    }
}

#[derive(Debug)]
struct IdHasher {
    seeds: [u64; 2],
    hash: u64,
}

/// Spreads what is left of a product: an odd number whose bits look like chance.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        let [first, second] = self.seeds;
        let mut words = words.iter().copied().map(u64::from_le_bytes);
        let [one, other] = [first, second].map(|seed| words.next().unwrap_or_default() ^ seed);
        self.hash ^= folded(folded(one, other), SPREAD);
    }

    /// The length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// Both halves of a product, one upon the other.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one)
        .wrapping_mul(u128::from(other))
        .to_le_bytes();
    let (words, _) = product.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum ^ u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests;
