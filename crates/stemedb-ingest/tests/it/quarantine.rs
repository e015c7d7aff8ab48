//! What cannot be applied, and that the stream goes on.

use stemedb_core::{Record, Signature};
use stemedb_ingest::{Quarantined, serialize_checked};
use stemedb_storage::{Counts, Key};
use stemedb_testkit::record::{keys, with_agent};

use crate::support::{Kind, Pipeline, Place, claim, for_each_store, id, payload};

for_each_store! { rubbish_is_kept_with_its_reason_and_the_stream_goes_on, a_wrong_signature_among_many_is_found }

fn by_key(record: Record) -> Record {
    with_agent(record, keys()[0].did())
}

fn signed(number: u64) -> Record {
    keys()[0].sign(&by_key(claim(number))).unwrap()
}

fn with_wrong_signature(number: u64) -> Record {
    by_key(claim(number)).with_signature(signed(number + 1).signature())
}

fn bytes(record: &Record) -> Vec<u8> {
    serialize_checked(record).unwrap()
}

fn quarantined(pipeline: &Pipeline, sequence: u64) -> Option<Quarantined> {
    let key = Key::Quarantine(stemedb_core::Sequence::new(sequence)?);
    let value = pipeline.value(&key)?;
    assert_eq!(value.sequence.get(), sequence);
    Some(Quarantined::decode(&value.content).unwrap())
}

/// Payloads that no record of ours has, and words of the reason that each must get.
fn rubbish() -> Vec<(Vec<u8>, &'static str)> {
    let sound = payload(&claim(1));
    let with = |at: usize, value| {
        let mut payload = sound.clone();
        payload[at] = value;
        payload
    };
    let text = stemedb_core::Object::text("x".repeat(1 << 20));
    let Record::Assertion(mut too_large) = claim(1) else {
        unreachable!("a claim is an assertion")
    };
    too_large.object = text;
    let foreign = claim(1).with_signature(Some(Signature::from_bytes([1; 64])));
    vec![
        (Vec::new(), "too few"),
        (vec![0; 7], "too few"),
        (with(0, 3), "record type 3 is unknown"),
        (with(5, 1), "reserved byte 5"),
        (sound[..sound.len() - 8].to_vec(), "archive is damaged"),
        ([&sound[..8], &[0xff; 200]].concat(), "archive is damaged"),
        (bytes(&Record::from(too_large)), "canonical bytes; at most"),
        (bytes(&by_key(claim(1))), "signature: missing"),
        (bytes(&with_wrong_signature(1)), "does not verify"),
        (bytes(&foreign), "signature: the agent is no did:key"),
    ]
}

fn rubbish_is_kept_with_its_reason_and_the_stream_goes_on(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let count = rubbish().len() as u64;
    for (number, (payload_of_rubbish, _)) in (0..).zip(rubbish()) {
        // Alone in its group, and between sound ones.
        pipeline.append_bytes(vec![payload_of_rubbish.clone()]);
        let around = [claim(100 + 2 * number), claim(101 + 2 * number)].map(|it| payload(&it));
        let [before, after] = around;
        pipeline.append_bytes(vec![before, payload_of_rubbish, after]);
    }
    pipeline.settle();
    let expected = Counts {
        assertions: 2 * count,
        quarantined: 2 * count,
        ..Counts::default()
    };
    assert_eq!(pipeline.counts(), expected);
    for (number, (payload, reason)) in (0..).zip(rubbish()) {
        for sequence in [4 * number + 1, 4 * number + 3] {
            let entry = quarantined(&pipeline, sequence).unwrap();
            assert!(entry.reason.contains(reason), "{}", entry.reason);
            assert_eq!(entry.payload, payload);
        }
        let key = Key::Assertion(id(&claim(101 + 2 * number)));
        assert_eq!(pipeline.value(&key).unwrap().sequence.get(), 4 * number + 4);
    }
    pipeline.stop();
}

/// Signatures are verified in batches: one that is wrong must not take its neighbours with it, nor hide among them.
fn a_wrong_signature_among_many_is_found(kind: Kind) {
    const RECORDS: u64 = 700;
    let wrong = [0, 255, 256, 500, 699];
    let place = Place::new(kind);
    let pipeline = place.open();
    let payloads = (0..RECORDS).map(|number| {
        let is_wrong = wrong.contains(&number);
        bytes(&if is_wrong {
            with_wrong_signature(number)
        } else {
            signed(number)
        })
    });
    pipeline.append_bytes(payloads.collect());
    pipeline.settle();
    for number in 0..RECORDS {
        let is_quarantined = quarantined(&pipeline, number + 1).is_some();
        assert_eq!(is_quarantined, wrong.contains(&number), "{number}");
        let key = Key::Assertion(id(&by_key(claim(number))));
        assert_eq!(pipeline.value(&key).is_some(), !is_quarantined);
    }
    pipeline.stop();
}

#[test]
fn what_a_trusted_writer_has_verified_is_not_verified_again() {
    let place = Place::new(Kind::Memory);
    let pipeline = place.open();
    let trusted = pipeline.journal.blocking_lock().trusted_writer();
    // A lie, so that it can be seen who looks.
    let payloads = vec![bytes(&with_wrong_signature(1)), bytes(&by_key(claim(9)))];
    trusted.append_all(payloads).wait().unwrap();
    pipeline.settle();
    let counts = pipeline.counts();
    // Only the signature is taken on trust: one that is missing is still seen.
    assert_eq!((counts.assertions, counts.quarantined), (1, 1));
    assert!(
        quarantined(&pipeline, 2)
            .unwrap()
            .reason
            .contains("missing")
    );
    pipeline.stop();
}

#[test]
fn a_record_that_was_quarantined_can_still_arrive() {
    let place = Place::new(Kind::Memory);
    let pipeline = place.open();
    pipeline.append_bytes(vec![bytes(&with_wrong_signature(1))]);
    let sequence = pipeline.ingest(&[signed(1)]);
    let key = Key::Assertion(id(&signed(1)));
    assert_eq!(pipeline.record(&key), Some((sequence, signed(1))));
    let counts = pipeline.counts();
    assert_eq!((counts.quarantined, counts.duplicates), (1, 0));
    pipeline.stop();
}
