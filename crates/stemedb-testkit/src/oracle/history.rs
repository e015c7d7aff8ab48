//! What a harness has asked for, and what it was promised.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::Violation;

/// Everything that was submitted, and everything that was acknowledged.
///
/// `T` stands for a record: its bytes, or the id of its content.
#[derive(Clone, Debug)]
pub struct History<T> {
    /// How often each was submitted.
    submitted: BTreeMap<T, u64>,
    acknowledged: BTreeMap<u64, T>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self {
            submitted: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
        }
    }
}

impl<T: Ord + Clone + Debug> History<T> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a record may be there from now on: as often as this was called with it, and no more.
    pub fn submit(&mut self, item: T) {
        *self.submitted.entry(item).or_default() += 1;
    }

    /// Notes that a record must be there from now on, at this sequence.
    ///
    /// # Errors
    ///
    /// If another record was acknowledged with this sequence, or the record was not submitted.
    pub fn acknowledge(&mut self, sequence: u64, item: &T) -> Result<(), Violation> {
        if !self.submitted.contains_key(item) {
            let text = format!("sequence {sequence}: {item:?} was acknowledged, not submitted");
            return Err(Violation::new(text));
        }
        let owed = self
            .acknowledged
            .entry(sequence)
            .or_insert_with(|| item.clone());
        if owed != item {
            let text = format!("sequence {sequence}: acknowledged for {owed:?} and for {item:?}");
            return Err(Violation::new(text));
        }
        Ok(())
    }

    /// How many sequences were acknowledged.
    #[must_use]
    pub fn acknowledged_count(&self) -> usize {
        self.acknowledged.len()
    }

    /// How many different records were submitted.
    #[must_use]
    pub fn submitted_count(&self) -> usize {
        self.submitted.len()
    }

    /// Compares what a journal holds, in its order, with what is known.
    ///
    /// # Errors
    ///
    /// The first promise that is broken: a sequence that is not the next one, a record that nobody submitted, or that is there more
    /// often than it was submitted, an acknowledged one that is not there or is another.
    pub fn check(&self, recovered: &[(u64, T)]) -> Result<(), Violation> {
        let mut left: BTreeMap<&T, u64> = BTreeMap::new();
        for ((sequence, item), expected) in recovered.iter().zip(1..) {
            if *sequence != expected {
                let text = format!("sequence {sequence} stands where {expected} should");
                return Err(Violation::new(text));
            }
            let Some(times) = self.submitted.get(item) else {
                let text = format!("sequence {sequence}: {item:?} was never submitted");
                return Err(Violation::new(text));
            };
            let left = left.entry(item).or_insert(*times);
            *left = left.checked_sub(1).ok_or_else(|| {
                Violation::new(format!(
                    "sequence {sequence}: {item:?} was submitted {times} times, and is there once more"
                ))
            })?;
        }
        for (sequence, item) in &self.acknowledged {
            let found = find(recovered, *sequence);
            if found != Some(item) {
                let text =
                    format!("sequence {sequence}: {item:?} was acknowledged, found {found:?}");
                return Err(Violation::new(text));
            }
        }
        Ok(())
    }

    /// Takes what was recovered as acknowledged: it is durable, and no later crash may take it.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn settle(&mut self, recovered: &[(u64, T)]) -> Result<(), Violation> {
        self.check(recovered)?;
        self.acknowledged.extend(recovered.iter().cloned());
        Ok(())
    }
}

fn find<T>(recovered: &[(u64, T)], sequence: u64) -> Option<&T> {
    let index = usize::try_from(sequence).ok()?.checked_sub(1)?;
    recovered.get(index).map(|(_, item)| item)
}

#[cfg(test)]
mod tests {
    use super::History;

    fn history() -> History<&'static str> {
        let mut history = History::new();
        for item in ["a", "b", "c"] {
            history.submit(item);
        }
        history.acknowledge(2, &"b").unwrap();
        history
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_more_may() {
        let history = history();
        history.check(&[(1, "a"), (2, "b")]).unwrap();
        history.check(&[(1, "c"), (2, "b"), (3, "a")]).unwrap();
    }

    #[test]
    fn each_broken_promise_is_found() {
        let history = history();
        let broken: [&[(u64, &str)]; 7] = [
            &[],
            &[(1, "a")],
            &[(1, "b"), (2, "a")],
            &[(2, "b")],
            &[(1, "a"), (2, "b"), (4, "c")],
            &[(1, "a"), (2, "b"), (3, "d")],
            &[(1, "a"), (2, "b"), (3, "b")],
        ];
        for recovered in broken {
            assert!(history.check(recovered).is_err(), "{recovered:?}");
        }
    }

    #[test]
    fn an_acknowledgement_that_cannot_be_is_found() {
        let mut history = history();
        assert!(history.acknowledge(2, &"a").is_err());
        assert!(history.acknowledge(3, &"d").is_err());
        history.acknowledge(2, &"b").unwrap();
    }

    #[test]
    fn what_was_recovered_is_owed_from_then_on() {
        let mut history = history();
        history.settle(&[(1, "a"), (2, "b"), (3, "c")]).unwrap();
        assert_eq!(history.acknowledged_count(), 3);
        assert!(history.check(&[(1, "a"), (2, "b")]).is_err());
    }
}
