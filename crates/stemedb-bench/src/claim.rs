//! Records to measure with: generated ones, of the size and the skew of real ones, and rows of them for the peers.

use stemedb::{
    Agent, Assertion, Invalid, Object, Predicate, Quote, Record, RecordId, SigningKey, Source,
    Subject, Timestamp,
};

use crate::failure::{Doing, Result};
use crate::number::{float, floor};

/// Keys with which signed records are signed.
const KEY_COUNT: u64 = 64;

const PREDICATES: [&str; 8] = [
    "scheduled_departure",
    "actual_departure",
    "departure_gate",
    "scheduled_arrival",
    "actual_arrival",
    "arrival_gate",
    "operator",
    "aircraft",
];

/// Makes records by their numbers: the same number, the same record.
///
/// Subjects follow the law of Zipf: the subject of rank k has about 1/k of the records of the first one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generator {
    subjects: u64,
}

/// Random bits of a number (the finalizer of splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Generator {
    /// For so many records: one subject for ten of them.
    pub(crate) const fn new(records: u64) -> Self {
        let subjects = records / 10;
        Self {
            subjects: if subjects == 0 { 1 } else { subjects },
        }
    }

    /// The name of the subject with a rank, from 1.
    pub(crate) fn subject(rank: usize) -> String {
        format!("flight:AA-{rank}-TPA-MIA@2011-12-01")
    }

    /// The rank of the subject of a record: its logarithm is uniform, which makes its density fall with 1/rank.
    fn rank(self, bits: u64) -> usize {
        let uniform = float(bits >> 11) / float(1_u64 << 53);
        let ln = float(self.subjects + 1).ln();
        floor((uniform * ln).exp()).max(1)
    }

    /// The unsigned assertion with a number.
    pub(crate) fn record(self, number: u64) -> Result<Record, Invalid> {
        self.assertion(
            number,
            Agent::new(format!("site:flights-{}.example", number % 38))?,
        )
    }

    /// The signed assertion with a number.
    pub(crate) fn signed(self, number: u64, keys: &Keys) -> Result<Record, Invalid> {
        let key = keys.of(number);
        key.sign(&self.assertion(number, key.did())?)
    }

    fn assertion(self, number: u64, agent: Agent) -> Result<Record, Invalid> {
        let bits = mix(number);
        let predicate = PREDICATES.get(floor(float(bits % 8)));
        let assertion = Assertion::new(
            Subject::new(Self::subject(self.rank(mix(bits))))?,
            Predicate::new(predicate.copied().unwrap_or("gate"))?,
            Object::text(format!("{number}")),
            agent,
        );
        let assertion = assertion
            .with_source(Source::new(format!(
                "https://flights-{}.example/status",
                number % 38
            ))?)
            .with_timestamp(Timestamp::from_ms(1_322_783_940_000 + number)?)
            .with_quote(Quote::new(
                "Departed the gate a bit later than the board said.",
            )?);
        Ok(assertion.into())
    }
}

/// The keys of those who sign.
#[derive(Debug)]
pub(crate) struct Keys(Vec<SigningKey>);

impl Keys {
    pub(crate) fn new() -> Self {
        let secret = |number: u64| {
            let mut secret = [7; 32];
            secret[..8].copy_from_slice(&number.to_le_bytes());
            SigningKey::from_bytes(secret)
        };
        Self((0..KEY_COUNT).map(secret).collect())
    }

    #[expect(
        clippy::expect_used,
        reason = "the remainder is below the number of keys"
    )]
    fn of(&self, number: u64) -> &SigningKey {
        let place = usize::try_from(number % KEY_COUNT).ok();
        place
            .and_then(|place| self.0.get(place))
            .expect("there are keys")
    }
}

/// An assertion as a row of a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: [u8; 32],
    pub(crate) subject: String,
    pub(crate) predicate: String,
    pub(crate) object: String,
    pub(crate) agent: String,
    pub(crate) confidence: f64,
    pub(crate) source: Option<String>,
    pub(crate) quote: Option<String>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) epoch: Option<[u8; 32]>,
}

impl Row {
    /// The row of an assertion; other records have none.
    pub(crate) fn of(id: RecordId, record: &Record) -> Option<Self> {
        let Record::Assertion(assertion) = record else {
            return None;
        };
        let object = match &assertion.object {
            Object::Text(text) => text.clone(),
            Object::Number(number) => number.get().to_string(),
            Object::Boolean(boolean) => boolean.to_string(),
            Object::Reference(name) => name.as_str().to_owned(),
        };
        Some(Self {
            id: *id.as_bytes(),
            subject: assertion.subject.as_str().to_owned(),
            predicate: assertion.predicate.as_str().to_owned(),
            object,
            agent: assertion.agent.as_str().to_owned(),
            confidence: assertion.confidence.get(),
            source: assertion
                .source
                .as_ref()
                .map(|source| source.as_str().to_owned()),
            quote: assertion
                .quote
                .as_ref()
                .map(|quote| quote.as_str().to_owned()),
            timestamp: assertion
                .timestamp
                .and_then(|time| i64::try_from(time.as_ms()).ok()),
            epoch: assertion.epoch.map(|epoch| *epoch.as_bytes()),
        })
    }

    /// The row of a generated record.
    pub(crate) fn generate(generator: Generator, number: u64) -> Result<Self> {
        let record = generator.record(number).doing("make a record")?;
        let id = record.id().doing("name a record")?;
        Self::of(id, &record).doing("make a row")
    }

    /// The same row under another key, which looks as random as a hash.
    pub(crate) fn under_key(&self, number: u64) -> Self {
        let mut row = self.clone();
        row.id = key(number);
        row
    }
}

/// A key of 32 bytes for a number, as random as a hash.
pub(crate) fn key(number: u64) -> [u8; 32] {
    let mut key = [0; 32];
    for (part, word) in key.chunks_mut(8).zip(1_u64..) {
        part.copy_from_slice(&mix(number.wrapping_mul(4).wrapping_add(word)).to_le_bytes());
    }
    key
}

#[cfg(test)]
mod tests;
