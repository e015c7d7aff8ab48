//! One batch is prepared while the one before it is applied: what that one holds is found all the same.

use std::collections::BTreeMap;

use stemedb_core::Record;
use stemedb_ingest::Options;
use stemedb_testkit::oracle::{Entry, Model};

use crate::support::{
    Kind, Pipeline, Place, claim, epoch, for_each_store, id, options, payload, vote_on,
};

for_each_store! {
    duplicates_across_batches_are_found_in_small_and_large_batches, a_kill_between_two_batches_replays_to_the_same,
}

/// Records of a group.
const GROUP: u64 = 50;
const GROUPS: u64 = 60;

/// The record that arrives as the `number`-th: each is said anew about as often as it is repeated, after 1 to 700 others.
fn record(number: u64) -> Record {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let number = if mixed.is_multiple_of(2) {
        number
    } else {
        number.saturating_sub(1 + mixed / 2 % 700)
    };
    match number % 11 {
        3 => epoch(&number.to_string()),
        5 => vote_on(id(&claim(number / 2)), 1.0),
        _ => claim(number),
    }
}

fn group(number: u64) -> Vec<Vec<u8>> {
    let records = number * GROUP..(number + 1) * GROUP;
    records.map(|number| payload(&record(number))).collect()
}

fn batches_of(batch_records_max: u64) -> Options {
    Options {
        batch_records_max,
        ..options()
    }
}

/// What the journal comes to, record by record.
fn model() -> Model {
    let mut model = Model::default();
    for payload in (0..GROUPS).flat_map(group) {
        model.push(&payload);
    }
    model
}

fn expect(model: &Model, pipeline: &Pipeline) {
    pipeline.settle();
    let shown = pipeline.content().into_iter().map(|(key, value)| {
        let sequence = value.sequence.get();
        let content = value.content;
        (key, Entry { sequence, content })
    });
    assert_eq!(&shown.collect::<BTreeMap<_, _>>(), model.entries());
    assert_eq!(pipeline.counts(), model.counts());
}

/// A journal that the worker finds full, so that there is always a next batch.
fn filled(kind: Kind) -> Place {
    let place = Place::new(kind);
    let journal = place.journal();
    for number in 0..GROUPS {
        journal.writer().append_all(group(number)).wait().unwrap();
    }
    journal.close().unwrap();
    place
}

fn duplicates_across_batches_are_found_in_small_and_large_batches(kind: Kind) {
    let place = filled(kind);
    let model = model();
    assert!(model.counts().duplicates > 500);
    for batch_records_max in [1, 100, 300, 1_000, 10_000] {
        let place = place.image();
        let options = batches_of(batch_records_max);
        let pipeline = Pipeline::start(place.journal(), place.store(), options);
        expect(&model, &pipeline);
        let batches = pipeline.ingestor.counters().batches;
        let groups = batch_records_max.div_ceil(GROUP);
        assert_eq!(batches, GROUPS.div_ceil(groups), "{batch_records_max}");
        pipeline.stop();
    }
}

fn a_kill_between_two_batches_replays_to_the_same(kind: Kind) {
    let place = Place::new(kind);
    let model = model();
    let pipeline = Pipeline::start(place.journal(), place.store(), batches_of(300));
    for number in 0..GROUPS {
        pipeline.append_bytes(group(number));
        if number == GROUPS / 3 {
            pipeline.settle();
            let image = place.image();
            let again = Pipeline::start(image.journal(), image.store(), batches_of(300));
            for number in number + 1..GROUPS {
                again.append_bytes(group(number));
            }
            expect(&model, &again);
            again.stop();
        }
    }
    expect(&model, &pipeline);
    pipeline.stop();
}
