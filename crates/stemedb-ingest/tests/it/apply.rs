//! From records to a batch, as a function of its arguments.

use stemedb_core::{Record, Sequence};
use stemedb_ingest::{BatchBuilder, Checked, Quarantined, RecordType, entries, identity_key};
use stemedb_storage::{Batch, Cursor, Key};

use crate::support::{claim, epoch, id, payload, vote_on};

fn seq(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

fn cursor(sequence: u64) -> Cursor {
    Cursor {
        journal: [7; 16],
        sequence: seq(sequence),
        group: sequence + 100,
        group_hash: [8; 32],
    }
}

fn sound(sequence: u64, record: &Record) -> Checked {
    Checked {
        sequence: seq(sequence),
        arrived_at_ms: 1000 + sequence,
        payload: payload(record),
        outcome: Ok((id(record), record.clone())),
    }
}

/// The batch of records, each with the sequence under which its id is stored already.
fn batch(records: Vec<(Checked, Option<u64>)>) -> Batch {
    let last = records.last().unwrap().0.sequence.get();
    let mut builder = BatchBuilder::default();
    for (checked, stored) in records {
        builder.push(checked, stored.map(seq));
    }
    builder.finish(cursor(last)).unwrap()
}

fn keys(batch: &Batch) -> Vec<(u64, String)> {
    let keys = batch.puts.iter();
    keys.map(|put| (put.sequence.get(), put.key.to_string()))
        .collect()
}

fn keys_of(record: &Record, sequence: u64) -> Vec<(u64, String)> {
    let entries = entries(id(record), record, payload(record), seq(sequence));
    entries
        .into_iter()
        .map(|(key, _)| (sequence, key.to_string()))
        .collect()
}

#[test]
fn an_assertion_is_stored_by_its_id_and_found_by_its_subject() {
    let record = claim(8);
    let index = Key::Subject {
        subject: "subject 1".to_owned(),
        predicate: "number".to_owned(),
        sequence: seq(5),
    };
    let expected = vec![
        (Key::Assertion(id(&record)), payload(&record)),
        (index, id(&record).as_bytes().to_vec()),
    ];
    assert_eq!(
        entries(id(&record), &record, payload(&record), seq(5)),
        expected
    );
}

#[test]
fn a_vote_is_stored_under_its_assertion_and_found_by_its_id() {
    let assertion = id(&claim(1));
    let record = vote_on(assertion, 1.0);
    let vote = id(&record);
    let expected = vec![
        (Key::Vote { assertion, vote }, payload(&record)),
        (Key::VoteIndex(vote), assertion.as_bytes().to_vec()),
    ];
    assert_eq!(entries(vote, &record, payload(&record), seq(5)), expected);
}

#[test]
fn an_epoch_is_one_entry() {
    let record = epoch("2026");
    let expected = vec![(Key::Epoch(id(&record)), payload(&record))];
    assert_eq!(
        entries(id(&record), &record, payload(&record), seq(5)),
        expected
    );
}

#[test]
fn the_key_by_which_a_record_is_looked_up_is_one_of_its_entries() {
    for record in [claim(1), vote_on(id(&claim(1)), 1.0), epoch("x")] {
        let key = identity_key(id(&record), RecordType::of(&record));
        assert_eq!(sound(1, &record).identity_key().as_ref(), Some(&key));
        let entries = entries(id(&record), &record, payload(&record), seq(1));
        assert!(entries.iter().any(|(entry, _)| *entry == key));
    }
}

#[test]
fn new_records_keep_their_order_sequence_and_arrival() {
    let batch = batch(vec![
        (sound(3, &claim(1)), None),
        (sound(4, &epoch("x")), None),
    ]);
    assert_eq!((batch.first, batch.cursor), (seq(3), cursor(4)));
    assert_eq!(batch.duplicates, vec![]);
    let expected = [keys_of(&claim(1), 3), keys_of(&epoch("x"), 4)].concat();
    assert_eq!(keys(&batch), expected);
    let arrivals: Vec<_> = batch.puts.iter().map(|put| put.arrived_at_ms).collect();
    assert_eq!(arrivals, vec![1003, 1003, 1004]);
}

#[test]
fn what_is_stored_under_an_earlier_sequence_is_a_duplicate() {
    let batch = batch(vec![
        (sound(3, &claim(1)), Some(2)),
        (sound(4, &claim(2)), None),
    ]);
    assert_eq!(batch.duplicates, vec![seq(3)]);
    assert_eq!(keys(&batch), keys_of(&claim(2), 4));
    assert_eq!(batch.first, seq(3));
}

#[test]
fn the_second_of_two_in_a_batch_is_a_duplicate() {
    let twice = batch(vec![
        (sound(3, &claim(1)), None),
        (sound(4, &claim(1)), None),
        (sound(5, &claim(1)), None),
    ]);
    assert_eq!(twice.duplicates, vec![seq(4), seq(5)]);
    assert_eq!(keys(&twice), keys_of(&claim(1), 3));
}

/// One engine had applied these before a crash, the other had not: the batch must come out as it did the first time.
#[test]
fn a_replay_gives_the_batch_of_the_first_time() {
    let records = || {
        [
            sound(3, &claim(1)),
            sound(4, &claim(1)),
            sound(5, &epoch("x")),
        ]
    };
    let first = batch(records().into_iter().map(|record| (record, None)).collect());
    let stored = [Some(3), Some(3), Some(5)];
    let replayed = batch(records().into_iter().zip(stored).collect());
    assert_eq!(replayed, first);
    assert_eq!(first.duplicates, vec![seq(4)]);
}

/// A signature is not part of what a record says.
#[test]
fn a_signed_twin_is_a_duplicate_whatever_its_signature() {
    let unsigned = claim(1);
    let signed = unsigned
        .clone()
        .with_signature(Some(stemedb_core::Signature::from_bytes([1; 64])));
    let batch = batch(vec![(sound(1, &unsigned), None), (sound(2, &signed), None)]);
    assert_eq!(batch.duplicates, vec![seq(2)]);
}

#[test]
fn what_cannot_be_applied_goes_to_quarantine_with_its_bytes() {
    let refused = Checked {
        sequence: seq(4),
        arrived_at_ms: 9,
        payload: vec![1, 2, 3],
        outcome: Err("it is rubbish".to_owned()),
    };
    assert_eq!(refused.identity_key(), None);
    let batch = batch(vec![
        (sound(3, &claim(1)), None),
        (refused, None),
        (sound(5, &claim(2)), None),
    ]);
    let put = &batch.puts[2];
    assert_eq!(
        (&put.key, put.sequence, put.arrived_at_ms),
        (&Key::Quarantine(seq(4)), seq(4), 9)
    );
    let expected = Quarantined {
        reason: "it is rubbish".to_owned(),
        payload: vec![1, 2, 3],
    };
    assert_eq!(Quarantined::decode(&put.content), Some(expected));
    assert_eq!(keys(&batch).len(), 5);
    assert_eq!(batch.duplicates, vec![]);
}

#[test]
fn the_same_rubbish_twice_is_two_entries_and_no_duplicate() {
    let refused = |sequence| Checked {
        sequence: seq(sequence),
        arrived_at_ms: 9,
        payload: vec![1],
        outcome: Err("rubbish".to_owned()),
    };
    let batch = batch(vec![(refused(1), None), (refused(2), None)]);
    let expected = vec![(1, "Q:1".to_owned()), (2, "Q:2".to_owned())];
    assert_eq!((keys(&batch), batch.duplicates), (expected, vec![]));
}

#[test]
fn no_records_make_no_batch() {
    let builder = BatchBuilder::default();
    assert_eq!(builder.bytes(), 0);
    assert_eq!(builder.finish(cursor(1)), None);
}

#[test]
fn bytes_are_those_of_all_payloads() {
    let mut builder = BatchBuilder::default();
    let expected = payload(&claim(1)).len() as u64;
    builder.push(sound(1, &claim(1)), None);
    builder.push(sound(2, &claim(1)), None);
    assert_eq!(builder.bytes(), 2 * expected);
}
