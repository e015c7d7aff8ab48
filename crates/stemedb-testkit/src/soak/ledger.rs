//! What the parent knows of one database: what was submitted, and what must be there.

use stemedb::{RecordId, Sequence};
use stemedb_testkit::oracle::{History, Violation};

use super::wire::{Level, Line};

/// Whether a write could fail in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Nothing but the end of the process came between.
    Sound,
    /// The disk was full, or files were limited.
    Failing,
}

/// The history of one database.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    history: History<RecordId>,
    /// Acknowledged in this life, before an fsync.
    interval: Vec<(Sequence, RecordId)>,
    next: u64,
}

impl Ledger {
    /// Takes notice of a line; gives whether it acknowledges a record.
    ///
    /// # Errors
    ///
    /// If what is acknowledged contradicts what is known.
    pub(crate) fn take(&mut self, line: &Line) -> Result<bool, Violation> {
        match line {
            Line::Submit { number, id } => {
                self.history.submit(*id);
                self.next = self.next.max(number + 1);
                Ok(false)
            }
            Line::Acknowledge {
                sequence,
                id,
                level: Level::Sync,
            } => {
                self.history.acknowledge(sequence.get(), id)?;
                Ok(true)
            }
            Line::Acknowledge { sequence, id, .. } => {
                self.interval.push((*sequence, *id));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Decides at the end of a life what its acknowledgements before an fsync are worth: the process alone cannot take them.
    ///
    /// # Errors
    ///
    /// If they contradict what is known.
    pub(crate) fn end_life(&mut self, writes: Writes) -> Result<(), Violation> {
        for (sequence, id) in self.interval.drain(..) {
            if writes == Writes::Sound {
                self.history.acknowledge(sequence.get(), &id)?;
            }
        }
        Ok(())
    }

    /// Takes what a check has found as owed: readers have seen it.
    ///
    /// # Errors
    ///
    /// If it contradicts what is known.
    pub(crate) fn settle(&mut self, found: &[(u64, RecordId)]) -> Result<(), Violation> {
        self.history.settle(found)
    }

    /// What must be there, for the oracle.
    pub(crate) const fn history(&self) -> &History<RecordId> {
        &self.history
    }

    /// The number of the first record that was not announced.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use stemedb::{RecordId, Sequence};

    use super::{Ledger, Level, Line, Writes};

    fn told(writes: Writes) -> Ledger {
        let mut ledger = Ledger::default();
        for number in 0..3 {
            let id = RecordId::from_bytes([u8::try_from(number).unwrap(); 32]);
            ledger.take(&Line::Submit { number, id }).unwrap();
            let (sequence, level) = match number {
                0 => (1, Level::Sync),
                1 => (2, Level::Interval),
                _ => continue,
            };
            let sequence = Sequence::new(sequence).unwrap();
            ledger
                .take(&Line::Acknowledge {
                    sequence,
                    id,
                    level,
                })
                .unwrap();
        }
        ledger.end_life(writes).unwrap();
        ledger
    }

    #[test]
    fn an_interval_acknowledgement_is_owed_if_no_write_could_fail() {
        let first = (1, RecordId::from_bytes([0; 32]));
        assert!(told(Writes::Sound).history().check(&[first]).is_err());
        assert!(told(Writes::Failing).history().check(&[first]).is_ok());
        assert!(told(Writes::Failing).history().check(&[]).is_err());
        assert_eq!(told(Writes::Sound).next(), 3);
    }
}
