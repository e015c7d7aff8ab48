//! From records to a batch, as a function of its arguments.

use stemedb_core::{Record, Sequence};
use stemedb_ingest::{
    BatchBuilder, Checked, Chunk, Outline, Quarantined, RecordType, identity_key,
};
use stemedb_storage::{Batch, Cursor, Entry, Key, Origin, RawEntry, Value};

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

/// A record as it comes from the journal, or bytes that are none.
#[derive(Clone)]
struct Arrived {
    sequence: u64,
    payload: Vec<u8>,
    outcome: Result<Record, &'static str>,
}

fn sound(sequence: u64, record: &Record) -> Arrived {
    Arrived {
        sequence,
        payload: payload(record),
        outcome: Ok(record.clone()),
    }
}

fn rubbish(sequence: u64, payload: Vec<u8>) -> Arrived {
    Arrived {
        sequence,
        payload,
        outcome: Err("it is rubbish"),
    }
}

fn push(chunk: &mut Chunk, arrived: &Arrived, stored: Option<u64>) {
    let outcome = match &arrived.outcome {
        Ok(record) => Ok((id(record), Outline::of(record))),
        Err(reason) => Err(*reason),
    };
    let checked = Checked {
        origin: Origin {
            sequence: seq(arrived.sequence),
            arrived_at_ms: 1000 + arrived.sequence,
        },
        payload: &arrived.payload,
        outcome,
        stored: stored.map(seq),
    };
    chunk.push(&checked).unwrap();
}

fn builder(records: &[(Arrived, Option<u64>)], chunk_records: usize) -> BatchBuilder {
    let mut builder = BatchBuilder::default();
    for records in records.chunks(chunk_records) {
        let mut chunk = Chunk::default();
        for (arrived, stored) in records {
            push(&mut chunk, arrived, *stored);
        }
        builder.push(chunk);
    }
    builder
}

/// The batch of records, each with the sequence under which its id is stored already, in chunks of whatever size.
fn batch(records: &[(Arrived, Option<u64>)]) -> Batch {
    let last = cursor(records.last().unwrap().0.sequence);
    let whole = builder(records, records.len()).finish(last);
    for size in 1..records.len() {
        assert_eq!(builder(records, size).finish(last), whole);
    }
    whole.unwrap()
}

/// The key and the value of an entry.
fn opened(entry: &Entry) -> (Key, Value) {
    let raw = RawEntry {
        engine: "none",
        key: entry.key().to_vec(),
        envelope: entry.envelope().to_vec(),
    };
    (Key::decode(entry.key()).unwrap(), raw.open().unwrap())
}

fn contents(batch: &Batch) -> Vec<(Key, Vec<u8>)> {
    let opened = batch.entries.iter().map(opened);
    opened.map(|(key, value)| (key, value.content)).collect()
}

fn keys(batch: &Batch) -> Vec<(u64, String)> {
    let opened = batch.entries.iter().map(opened);
    opened
        .map(|(key, value)| (value.sequence.get(), key.to_string()))
        .collect()
}

/// The keys and contents of a record that is stored for the first time.
fn entries(record: &Record, sequence: u64) -> Vec<(Key, Vec<u8>)> {
    contents(&batch(&[(sound(sequence, record), None)]))
}

fn keys_of(record: &Record, sequence: u64) -> Vec<(u64, String)> {
    let entries = entries(record, sequence).into_iter();
    entries
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
    assert_eq!(entries(&record, 5), expected);
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
    assert_eq!(entries(&record, 5), expected);
}

#[test]
fn an_epoch_is_one_entry() {
    let record = epoch("2026");
    let expected = vec![(Key::Epoch(id(&record)), payload(&record))];
    assert_eq!(entries(&record, 5), expected);
}

#[test]
fn the_key_by_which_a_record_is_looked_up_is_one_of_its_entries() {
    for record in [claim(1), vote_on(id(&claim(1)), 1.0), epoch("x")] {
        let outline = Outline::of(&record);
        assert_eq!(outline.record_type(), RecordType::of(&record));
        let key = identity_key(id(&record), outline.record_type());
        assert!(entries(&record, 1).iter().any(|(entry, _)| *entry == key));
    }
}

#[test]
fn new_records_keep_their_order_sequence_and_arrival() {
    let batch = batch(&[(sound(3, &claim(1)), None), (sound(4, &epoch("x")), None)]);
    assert_eq!((batch.first, batch.cursor), (seq(3), cursor(4)));
    assert_eq!(batch.duplicates, vec![]);
    let expected = [keys_of(&claim(1), 3), keys_of(&epoch("x"), 4)].concat();
    assert_eq!(keys(&batch), expected);
    let arrived = |entry| opened(entry).1.arrived_at_ms;
    let arrivals: Vec<_> = batch.entries.iter().map(arrived).collect();
    assert_eq!(arrivals, vec![1003, 1003, 1004]);
}

#[test]
fn what_is_stored_under_an_earlier_sequence_is_a_duplicate() {
    let batch = batch(&[(sound(3, &claim(1)), Some(2)), (sound(4, &claim(2)), None)]);
    assert_eq!(batch.duplicates, vec![seq(3)]);
    assert_eq!(keys(&batch), keys_of(&claim(2), 4));
    assert_eq!(batch.first, seq(3));
}

#[test]
fn the_second_of_two_in_a_batch_is_a_duplicate() {
    let twice = batch(&[
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
    let records = |[one, two, three]: [Option<u64>; 3]| {
        batch(&[
            (sound(3, &claim(1)), one),
            (sound(4, &claim(1)), two),
            (sound(5, &epoch("x")), three),
        ])
    };
    let first = records([None; 3]);
    let replayed = records([Some(3), Some(3), Some(5)]);
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
    let batch = batch(&[(sound(1, &unsigned), None), (sound(2, &signed), None)]);
    assert_eq!(batch.duplicates, vec![seq(2)]);
}

#[test]
fn what_cannot_be_applied_goes_to_quarantine_with_its_bytes() {
    let batch = batch(&[
        (sound(3, &claim(1)), None),
        (rubbish(4, vec![1, 2, 3]), None),
        (sound(5, &claim(2)), None),
    ]);
    let (key, value) = opened(&batch.entries[2]);
    assert_eq!(
        (key, value.sequence, value.arrived_at_ms),
        (Key::Quarantine(seq(4)), seq(4), 1004)
    );
    let expected = Quarantined {
        reason: "it is rubbish".to_owned(),
        payload: vec![1, 2, 3],
    };
    assert_eq!(Quarantined::decode(&value.content), Some(expected));
    assert_eq!(keys(&batch).len(), 5);
    assert_eq!(batch.duplicates, vec![]);
}

#[test]
fn the_same_rubbish_twice_is_two_entries_and_no_duplicate() {
    let twice = [1, 2].map(|sequence| (rubbish(sequence, vec![1]), None));
    let batch = batch(&twice);
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
    let twice = [1, 2].map(|sequence| (sound(sequence, &claim(1)), None));
    let expected = payload(&claim(1)).len() as u64;
    assert_eq!(builder(&twice, 1).bytes(), 2 * expected);
}
