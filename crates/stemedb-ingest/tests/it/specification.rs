//! The tests that the specification names, against every store.

use stemedb_core::Record;
use stemedb_ingest::{Health, serialize_assertion, serialize_epoch, serialize_vote};
use stemedb_storage::{Counts, Key};
use stemedb_testkit::record::keys;

use crate::support::{
    Kind, Place, claim, claim_about, epoch, for_each_store, id, payload, vote_on,
};

for_each_store! {
    single_assertion, vote, epoch_of_claims, many_records, subject_index, round_trips, durability_over_many_cycles,
    order_of_arrival_does_not_matter,
}

fn single_assertion(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let record = claim(1);
    let Record::Assertion(assertion) = &record else {
        unreachable!("a claim is an assertion")
    };
    assert_eq!(serialize_assertion(assertion).unwrap(), payload(&record));
    assert_eq!(pipeline.ingest(std::slice::from_ref(&record)), 1);
    let value = pipeline.value(&Key::Assertion(id(&record))).unwrap();
    assert_eq!(value.content, payload(&record));
    assert_eq!(value.sequence.get(), 1);
    assert_eq!(pipeline.about("subject 1"), vec![id(&record)]);
    let expected = Counts {
        assertions: 1,
        ..Counts::default()
    };
    assert_eq!(pipeline.counts(), expected);
    pipeline.stop();
}

fn vote(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let assertion = claim(1);
    let votes = [vote_on(id(&assertion), 1.0), vote_on(id(&assertion), -0.5)];
    let Record::Vote(first) = &votes[0] else {
        unreachable!("a vote is a vote")
    };
    assert_eq!(serialize_vote(first).unwrap(), payload(&votes[0]));
    pipeline.ingest(&[assertion.clone(), votes[0].clone(), votes[1].clone()]);
    for (vote, sequence) in votes.iter().zip(2..) {
        let key = Key::Vote {
            assertion: id(&assertion),
            vote: id(vote),
        };
        assert_eq!(pipeline.record(&key), Some((sequence, vote.clone())));
        let index = pipeline.value(&Key::VoteIndex(id(vote))).unwrap();
        assert_eq!(index.content, id(&assertion).as_bytes());
    }
    let counts = pipeline.counts();
    assert_eq!((counts.assertions, counts.votes), (1, 2));
    pipeline.stop();
}

fn epoch_of_claims(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let record = epoch("2026");
    let Record::Epoch(inner) = &record else {
        unreachable!("an epoch is an epoch")
    };
    assert_eq!(serialize_epoch(inner).unwrap(), payload(&record));
    pipeline.ingest(std::slice::from_ref(&record));
    let key = Key::Epoch(id(&record));
    assert_eq!(key.to_string(), format!("E:{}", id(&record)));
    assert_eq!(pipeline.record(&key), Some((1, record)));
    assert_eq!(pipeline.counts().epochs, 1);
    pipeline.stop();
}

fn many_records(kind: Kind) {
    const GROUPS: u64 = 25;
    const GROUP_RECORDS: u64 = 440;
    let place = Place::new(kind);
    let pipeline = place.open();
    let mut last = 0;
    for group in 0..GROUPS {
        let numbers = group * GROUP_RECORDS..(group + 1) * GROUP_RECORDS;
        let records: Vec<_> = numbers.map(claim).collect();
        last = pipeline.append(&records);
    }
    assert_eq!(last, GROUPS * GROUP_RECORDS);
    pipeline.ingestor.wait_applied(last).wait().unwrap();
    assert_eq!(pipeline.counts().assertions, last);
    assert_eq!(pipeline.content().len() as u64, 2 * last);
    for number in 0..last {
        let stored = pipeline.record(&Key::Assertion(id(&claim(number))));
        assert_eq!(stored, Some((number + 1, claim(number))));
    }
    let counters = pipeline.ingestor.counters();
    assert_eq!((counters.records, counters.applied_sequence), (last, last));
    assert!(counters.batches <= GROUPS);
    pipeline.stop();
}

fn subject_index(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let records: Vec<_> = ["Tesla", "Tesla_Inc", "Tesla", "Tes", "Tesla Inc"]
        .into_iter()
        .zip(0..)
        .map(|(subject, number)| claim_about(subject, number))
        .collect();
    pipeline.ingest(&records);
    assert_eq!(
        pipeline.about("Tesla"),
        vec![id(&records[0]), id(&records[2])]
    );
    assert_eq!(pipeline.about("Tesla_Inc"), vec![id(&records[1])]);
    assert_eq!(pipeline.about("Tes"), vec![id(&records[3])]);
    assert_eq!(pipeline.about("Tesl"), vec![]);
    pipeline.stop();
}

fn round_trips(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let key = &keys()[0];
    let signed = key
        .sign(&stemedb_testkit::record::with_agent(claim(1), key.did()))
        .unwrap();
    let records = [claim(1), signed, vote_on(id(&claim(2)), 1.0), epoch("x")];
    pipeline.ingest(&records);
    for (record, sequence) in records.iter().zip(1..) {
        let key = match record {
            Record::Assertion(_) => Key::Assertion(id(record)),
            Record::Vote(vote) => Key::Vote {
                assertion: vote.assertion,
                vote: id(record),
            },
            Record::Epoch(_) => Key::Epoch(id(record)),
        };
        let (found, back) = pipeline.record(&key).unwrap();
        assert_eq!((found, &back), (sequence, record));
        let json = back.to_json();
        assert_eq!(Record::from_json(json.as_bytes()).unwrap(), *record);
        assert_eq!(back.verify().unwrap(), id(record));
    }
    pipeline.stop();
}

fn durability_over_many_cycles(kind: Kind) {
    const CYCLES: u64 = 12;
    let place = Place::new(kind);
    for cycle in 0..CYCLES {
        let pipeline = place.open();
        pipeline.settle();
        let counts = pipeline.counts();
        assert_eq!(counts.assertions, cycle * 5);
        assert_eq!(counts.duplicates, cycle);
        for number in 0..cycle * 5 {
            let stored = pipeline.record(&Key::Assertion(id(&claim(number))));
            assert_eq!(stored, Some((number + number / 5 + 1, claim(number))));
        }
        let mut records: Vec<_> = (cycle * 5..(cycle + 1) * 5).map(claim).collect();
        records.push(claim(0));
        assert_eq!(pipeline.append(&records), (cycle + 1) * 6);
        // Every third time the worker may have seen nothing of it.
        match cycle % 3 {
            0 => pipeline.stop(),
            1 => {
                pipeline.settle();
                pipeline.stop();
            }
            _ => drop(pipeline),
        }
    }
}

fn order_of_arrival_does_not_matter(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let period = epoch("2026");
    let Record::Assertion(assertion) = claim(1) else {
        unreachable!("a claim is an assertion")
    };
    let assertion = Record::from(assertion.with_epoch(id(&period)));
    let vote = vote_on(id(&assertion), 1.0);
    for record in [&vote, &assertion, &period] {
        pipeline.ingest(std::slice::from_ref(record));
    }
    let key = Key::Vote {
        assertion: id(&assertion),
        vote: id(&vote),
    };
    assert_eq!(pipeline.record(&key), Some((1, vote)));
    assert_eq!(
        pipeline.record(&Key::Assertion(id(&assertion))),
        Some((2, assertion))
    );
    assert_eq!(pipeline.record(&Key::Epoch(id(&period))), Some((3, period)));
    assert_eq!(pipeline.counts().quarantined, 0);
    assert!(matches!(pipeline.ingestor.health(), Health::Following));
    pipeline.stop();
}
