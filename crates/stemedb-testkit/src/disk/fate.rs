//! What a crash keeps: decided by a seed, or one state after another.

use super::Random;
use super::file::SECTOR_BYTES;

/// Decides, for each thing that was not synced, which of its states a crash keeps.
pub(super) trait Fate {
    /// One of `options` states: 0 is the durable one, the last one the newest.
    fn choose(&mut self, options: usize) -> usize;

    /// How many bytes of a new sector are kept, where it is torn.
    fn tear(&mut self) -> Option<usize> {
        None
    }
}

/// The old state half the time, else any of the new ones, the last one most often.
#[derive(Debug)]
pub(super) struct Seeded {
    random: Random,
    tears: bool,
}

impl Seeded {
    /// `may_tear`: in half of the crashes sectors are torn.
    pub(super) fn new(seed: u64, may_tear: bool) -> Self {
        let mut random = Random::new(seed);
        let tears = may_tear && random.one_in(2);
        Self { random, tears }
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.random.below(end as u64)).unwrap_or(0)
    }
}

impl Fate for Seeded {
    fn choose(&mut self, options: usize) -> usize {
        if self.random.one_in(2) {
            return 0;
        }
        if self.random.one_in(3) {
            return 1 + self.below(options - 1);
        }
        options - 1
    }

    fn tear(&mut self) -> Option<usize> {
        (self.tears && self.random.one_in(2)).then(|| self.below(SECTOR_BYTES))
    }
}

/// Takes the states that it is told to take, and the durable ones where it is told nothing.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    choices: std::slice::Iter<'a, usize>,
    /// How many states there were to choose from.
    pub(super) options: Vec<usize>,
}

impl<'a> Listed<'a> {
    pub(super) fn new(choices: &'a [usize]) -> Self {
        Self {
            choices: choices.iter(),
            options: Vec::new(),
        }
    }
}

impl Fate for Listed<'_> {
    fn choose(&mut self, options: usize) -> usize {
        self.options.push(options);
        let choice = self.choices.next().copied().unwrap_or(0);
        choice.min(options - 1)
    }
}
