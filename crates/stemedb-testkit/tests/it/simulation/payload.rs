//! Payloads from a random number: new records, and rubbish.

use stemedb_core::{
    Agent, Assertion, Epoch, EpochName, Object, Predicate, Record, RecordId, Subject, Vote, Weight,
};
use stemedb_ingest::{serialize, serialize_checked};
use stemedb_testkit::disk::Random;
use stemedb_testkit::record::{keys, with_agent};

/// A payload that may be new, or not, or no record at all.
pub(super) fn payload(random: &mut Random, written: &[Vec<u8>]) -> Vec<u8> {
    match random.below(16) {
        0..=6 => sound(&assertion(random)),
        7..=9 => sound(&vote(random)),
        10..=11 => sound(&epoch(random)),
        12 => rubbish(random),
        13 if random.one_in(4) => signed(random),
        _ => match random.pick(written) {
            Some(payload) => payload.clone(),
            None => sound(&assertion(random)),
        },
    }
}

fn sound(record: &Record) -> Vec<u8> {
    serialize(record).unwrap()
}

fn agent() -> Agent {
    Agent::new("site:example.org").unwrap()
}

fn assertion(random: &mut Random) -> Record {
    let about = format!("subject {}", random.below(4));
    Record::from(Assertion::new(
        Subject::new(about).unwrap(),
        Predicate::new("number").unwrap(),
        Object::text(random.below(1 << 20).to_string()),
        agent(),
    ))
}

fn vote(random: &mut Random) -> Record {
    let on = RecordId::from_bytes([u8::try_from(random.below(5)).unwrap(); 32]);
    let weight = f64::from(u32::try_from(random.below(1 << 20)).unwrap()) / f64::from(1 << 20);
    Record::from(Vote::new(on, agent(), Weight::new(weight).unwrap()))
}

fn epoch(random: &mut Random) -> Record {
    let name = format!("epoch {}", random.below(1 << 20));
    Record::from(Epoch::new(EpochName::new(name).unwrap(), agent()))
}

/// A record by a key, signed by it or not at all.
fn signed(random: &mut Random) -> Vec<u8> {
    let [key, ..] = keys();
    let record = with_agent(assertion(random), key.did());
    if random.one_in(2) {
        sound(&key.sign(&record).unwrap())
    } else {
        serialize_checked(&record).unwrap()
    }
}

fn rubbish(random: &mut Random) -> Vec<u8> {
    let length = random.below(40);
    (0..length)
        .map(|_| u8::try_from(random.below(4)).unwrap())
        .collect()
}
