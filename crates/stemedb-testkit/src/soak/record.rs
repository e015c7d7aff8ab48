//! The records of a soak: each is a function of a seed and a number, so that any process can make it again.

use stemedb::{
    Agent, Assertion, Description, Epoch, EpochName, Invalid, Number, Object, Predicate, Quote,
    Record, RecordId, Subject, Timestamp, Vote, Weight, limits,
};
use stemedb_testkit::disk::Random;
use stemedb_testkit::record::{keys, with_agent};

/// Subjects that assertions are about: few, so that their lists are long.
const SUBJECTS: u64 = 61;
const PREDICATES: [&str; 4] = ["height", "heigh", "country", "status"];
/// Of a large record, what is not its text.
const FRAME_BYTES_MAX: usize = 4096;

/// The records of one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records {
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Assertion,
    Vote,
    Epoch,
}

impl Records {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn random(self, number: u64) -> Random {
        Random::new(self.seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    fn kind(self, number: u64) -> Kind {
        // The first one is what votes fall back on.
        if number == 0 {
            return Kind::Assertion;
        }
        match self.random(number).below(100) {
            0..64 => Kind::Assertion,
            64..94 => Kind::Vote,
            _ => Kind::Epoch,
        }
    }

    /// The record with a number, counted from 0.
    pub(crate) fn get(self, number: u64) -> Result<Record, Invalid> {
        let mut random = self.random(number);
        random.next_u64();
        let record: Record = match self.kind(number) {
            Kind::Assertion => assertion(number, &mut random)?.into(),
            Kind::Vote => self.vote(number, &mut random)?.into(),
            Kind::Epoch => self.epoch(number, &mut random)?.into(),
        };
        let keys = keys();
        match random.pick(&keys).filter(|_| number.is_multiple_of(16)) {
            Some(key) => key.sign(&with_agent(record, key.did())),
            None => Ok(record),
        }
    }

    /// An assertion that was announced before, or may be on its way at the same time.
    pub(crate) fn assertion_before(
        self,
        number: u64,
        random: &mut Random,
    ) -> Result<RecordId, Invalid> {
        let mut candidate = random.below(number);
        while self.kind(candidate) != Kind::Assertion {
            candidate -= 1;
        }
        self.get(candidate)?.id()
    }

    fn vote(self, number: u64, random: &mut Random) -> Result<Vote, Invalid> {
        let assertion = self.assertion_before(number, random)?;
        let weight = Weight::new(if random.one_in(3) { -1.0 } else { 0.5 })?;
        let mut vote = Vote::new(assertion, agent(random)?, weight);
        vote.timestamp = Some(Timestamp::from_ms(number)?);
        Ok(vote)
    }

    fn epoch(self, number: u64, random: &mut Random) -> Result<Epoch, Invalid> {
        let mut epoch = Epoch::new(EpochName::new(format!("epoch {number}"))?, agent(random)?);
        if random.one_in(4) {
            let text = filler(number, random.below(2000));
            epoch.description = Some(Description::new(text)?);
        }
        let before = number.saturating_sub(40)..number;
        let superseded = before
            .rev()
            .find(|before| self.kind(*before) == Kind::Epoch);
        // One in three begins a new chain, so that making one again ends soon.
        if let Some(before) = superseded.filter(|_| !number.is_multiple_of(3)) {
            epoch.supersedes = Some(self.get(before)?.id()?);
        }
        Ok(epoch)
    }
}

/// A subject of which assertions are made.
pub(crate) fn subject(random: &mut Random) -> Result<Subject, Invalid> {
    let number = random.below(SUBJECTS).min(random.below(SUBJECTS));
    Subject::new(format!("subject {number}"))
}

fn assertion(number: u64, random: &mut Random) -> Result<Assertion, Invalid> {
    let predicate = random.pick(&PREDICATES).copied().unwrap_or("height");
    let object = match random.below(100) {
        0..30 => Object::Number(Number::new(f64::from(
            u32::try_from(number % 100_000).unwrap_or(0),
        ))?),
        30..40 => Object::reference(&format!("record {number}"))?,
        _ => Object::text(filler(number, text_bytes(random))),
    };
    let subject = subject(random)?;
    let mut assertion = Assertion::new(subject, Predicate::new(predicate)?, object, agent(random)?);
    assertion.timestamp = Some(Timestamp::from_ms(number)?);
    if random.one_in(200) {
        let bytes = random.below(limits::QUOTE_BYTES_MAX as u64);
        assertion.quote = Some(Quote::new(filler(number, bytes))?);
    }
    Ok(assertion)
}

/// Mostly short, now and then long, seldom up to the limit.
fn text_bytes(random: &mut Random) -> u64 {
    let text_bytes_max =
        (limits::CANONICAL_BYTES_MAX - limits::QUOTE_BYTES_MAX - FRAME_BYTES_MAX) as u64;
    match random.below(4000) {
        0 => text_bytes_max,
        1..4 => random.below(text_bytes_max),
        4..40 => random.below(32 * 1024),
        _ => random.below(300),
    }
}

fn agent(random: &mut Random) -> Result<Agent, Invalid> {
    Agent::new(format!("agent:{}", random.below(17)))
}

fn filler(number: u64, bytes: u64) -> String {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut text = format!("claim {number} ").repeat(bytes / 12 + 1);
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Records;

    #[test]
    fn records_are_valid_different_and_made_again() {
        let records = Records::new(7);
        let ids: Vec<_> = (0..6000)
            .map(|number| records.get(number).unwrap().verify().unwrap())
            .collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert_eq!(records.get(4321).unwrap().id().unwrap(), ids[4321]);
        assert_ne!(Records::new(8).get(5).unwrap().id().unwrap(), ids[5]);
    }
}
