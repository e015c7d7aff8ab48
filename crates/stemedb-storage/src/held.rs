//! Which views are held although a newer one was published: they pin old data in the engines.

use std::{sync::Weak, time::Duration};

use crate::engine::Reader;

#[cfg(test)]
mod tests;

/// Those that nobody holds any more are looked for when so many are noted, or twice as many as were held at the last look.
const NOTED_MIN: usize = 32;

/// Views that are out of date and still held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldViews {
    /// How many there are; listings that are not at their end hold theirs.
    pub count: u64,
    /// When the oldest of them became out of date, by the clock of [`publish_at`](crate::KVStore::publish_at); `None` where there is none.
    pub oldest_since: Option<Duration>,
}

/// Views that were published and replaced, in the order of their replacement.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    noted: Vec<(Duration, Weak<dyn Reader>)>,
    noted_max: usize,
}

impl Replaced {
    /// Notes that a view was replaced, if anybody holds it: `reader` is what it reads from.
    pub(crate) fn note(&mut self, now: Duration, reader: Weak<dyn Reader>) {
        if reader.strong_count() == 0 {
            return;
        }
        if self.noted.len() >= self.noted_max.max(NOTED_MIN) {
            self.forget_released();
            self.noted_max = self.noted.len() * 2;
        }
        self.noted.push((now, reader));
    }

    fn forget_released(&mut self) {
        self.noted.retain(|(_, reader)| reader.strong_count() > 0);
    }

    /// Those that are held now.
    pub(crate) fn held(&mut self) -> HeldViews {
        self.forget_released();
        HeldViews {
            count: self.noted.len() as u64,
            oldest_since: self.noted.first().map(|(since, _)| *since),
        }
    }
}
