//! Records of which the worker is told what they are: it goes by that, and finds out where it is wrong.

use std::sync::Arc;

use stemedb_core::{Record, RecordId};
use stemedb_ingest::Error;
use stemedb_storage::Key;

use crate::support::{Kind, Pipeline, Place, claim, epoch, for_each_store, id, payload, vote_on};

for_each_store! {
    announced_records_are_stored_as_others_are, a_record_that_is_announced_twice_is_stored_once,
    what_is_not_announced_is_looked_up_among_what_is,
}

/// More than one chunk of them, of every type.
fn records() -> Vec<Record> {
    let record = |number: u64| match number % 5 {
        1 => vote_on(id(&claim(number)), 0.5),
        3 => epoch(&number.to_string()),
        _ => claim(number),
    };
    (0..1500).map(record).collect()
}

/// Announces records from a sequence on, as whoever appends them would.
fn announce(pipeline: &Pipeline, first_sequence: u64, records: &[Record]) {
    let ids: Vec<RecordId> = records.iter().map(id).collect();
    let announcements = pipeline.ingestor.announcements();
    announcements.announce(first_sequence, Arc::new(ids));
}

/// Appends records whose signatures count as verified.
fn append_trusted(pipeline: &Pipeline, payloads: Vec<Vec<u8>>) -> u64 {
    let writer = pipeline.journal.blocking_lock().trusted_writer();
    let appended = writer.append_all(payloads).wait().unwrap();
    appended.last_sequence()
}

fn payloads(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(payload).collect()
}

/// Everything that is shown, but for when it arrived.
fn shown(pipeline: &Pipeline) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    let content = pipeline.content().into_iter();
    content
        .map(|(key, value)| (key, value.sequence.get(), value.content))
        .collect()
}

fn announced_records_are_stored_as_others_are(kind: Kind) {
    let (place, other) = (Place::new(kind), Place::new(kind));
    let (told, untold) = (place.open(), other.open());
    let records = records();
    for (number, some) in (0..).zip(records.chunks(600)) {
        announce(&told, 1 + 600 * number, some);
        append_trusted(&told, payloads(some));
        untold.append(some);
    }
    told.settle();
    untold.settle();
    assert_eq!(shown(&told), shown(&untold));
    assert_eq!(told.counts(), untold.counts());
    told.stop();
    // A replay, of which nobody announces anything.
    assert_eq!(shown(&untold), {
        let again = Pipeline::start(place.journal(), place.store(), crate::support::options());
        again.settle();
        shown(&again)
    });
}

/// Whoever announces it has erred; the batch knows better all the same.
fn a_record_that_is_announced_twice_is_stored_once(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let twice = [claim(1), claim(1)];
    announce(&pipeline, 1, &twice);
    append_trusted(&pipeline, payloads(&twice));
    pipeline.settle();
    assert_eq!(pipeline.counts().duplicates, 1);
    let (sequence, _) = pipeline.record(&Key::Assertion(id(&claim(1)))).unwrap();
    assert_eq!(sequence, 1);
}

fn what_is_not_announced_is_looked_up_among_what_is(kind: Kind) {
    let place = Place::new(kind);
    let pipeline = place.open();
    let records = records();
    announce(&pipeline, 1, &records);
    append_trusted(&pipeline, payloads(&records));
    append_trusted(&pipeline, payloads(&records[700..800]));
    pipeline.settle();
    assert_eq!(pipeline.counts().duplicates, 100);
}

/// The worker ends at this sequence, and has applied nothing from there on.
fn expect_end(pipeline: &Pipeline, sequence: u64) {
    let waited = pipeline.ingestor.wait_applied(sequence).wait();
    let error = waited.unwrap_err();
    assert!(
        matches!(error, Error::Announced { sequence: at } if at == sequence),
        "{error}"
    );
    let cursor = pipeline.store.cursor().unwrap();
    assert_eq!(
        cursor.map_or(0, |cursor| cursor.sequence.get()),
        sequence - 1
    );
}

#[test]
fn a_record_with_another_id_than_was_announced_ends_the_worker() {
    let place = Place::new(Kind::Memory);
    let pipeline = place.open();
    announce(&pipeline, 1, &[claim(2)]);
    append_trusted(&pipeline, vec![payload(&claim(1))]);
    expect_end(&pipeline, 1);
}

#[test]
fn a_record_that_is_stored_and_announced_as_new_ends_the_worker() {
    let place = Place::new(Kind::Hybrid);
    let pipeline = place.open();
    pipeline.ingest(&[claim(1)]);
    announce(&pipeline, 2, &[claim(1)]);
    append_trusted(&pipeline, vec![payload(&claim(1))]);
    expect_end(&pipeline, 2);
    drop(pipeline);
    // Opened again, it goes by the journal alone.
    let again = place.open();
    again.settle();
    assert_eq!(
        (again.counts().assertions, again.counts().duplicates),
        (1, 1)
    );
}

#[test]
fn bytes_that_are_announced_and_no_record_end_the_worker() {
    let place = Place::new(Kind::Memory);
    let pipeline = place.open();
    announce(&pipeline, 1, &[claim(1)]);
    append_trusted(&pipeline, vec![vec![0; 100]]);
    expect_end(&pipeline, 1);
}

#[test]
fn what_counts_as_unverified_is_not_gone_by() {
    let place = Place::new(Kind::Memory);
    let pipeline = place.open();
    announce(&pipeline, 1, &[claim(2)]);
    pipeline.ingest(&[claim(1)]);
    assert!(pipeline.record(&Key::Assertion(id(&claim(1)))).is_some());
}
