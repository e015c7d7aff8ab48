//! Random groups and restarts against the oracle's model, which replays the journal record by record.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use stemedb_core::Record;
use stemedb_ingest::{Quarantined, serialize_checked};
use stemedb_storage::KeyKind;
use stemedb_testkit::oracle::{Entry, Model};
use stemedb_testkit::record::{keys, record, with_agent};

use crate::support::{Kind, Pipeline, Place};

/// What happens between two groups.
#[derive(Clone, Copy, Debug)]
enum Event {
    Nothing,
    Settle,
    Stop,
    Drop,
    /// The process is killed while nothing is written.
    Kill,
}

/// A record of a group: one of a pool, or bytes that are none.
#[derive(Clone, Debug)]
enum Item {
    Of(Index),
    Rubbish(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Story {
    pool: Vec<Record>,
    groups: Vec<(Vec<Item>, Event)>,
}

fn story() -> impl Strategy<Value = Story> {
    let item = prop_oneof![
        9 => any::<Index>().prop_map(Item::Of),
        1 => vec(0..4_u8, 0..40).prop_map(Item::Rubbish),
    ];
    let event = prop_oneof![
        6 => Just(Event::Nothing),
        2 => Just(Event::Settle),
        1 => Just(Event::Stop),
        1 => Just(Event::Drop),
        1 => Just(Event::Kill),
    ];
    let groups = vec((vec(item, 0..8), event), 1..14);
    // Some of the pool claim to be by a key that has not signed them.
    let record = prop_oneof![
        9 => record(),
        1 => record().prop_map(|record| with_agent(record, keys()[0].did())),
    ];
    (vec(record, 1..12), groups).prop_map(|(pool, groups)| Story { pool, groups })
}

/// The quarantine's reasons are left out: the model knows the bytes alone.
fn expect(model: &Model, pipeline: &Pipeline) {
    pipeline.settle();
    let quarantine = KeyKind::Quarantine.tag();
    let shown = pipeline.content().into_iter().map(|(key, value)| {
        let content = if key.starts_with(&quarantine) {
            Quarantined::decode(&value.content).unwrap().payload
        } else {
            value.content
        };
        let sequence = value.sequence.get();
        (key, Entry { sequence, content })
    });
    assert_eq!(&shown.collect::<BTreeMap<_, _>>(), model.entries());
    assert_eq!(pipeline.counts(), model.counts());
    let applied = pipeline.ingestor.counters().applied_sequence;
    assert_eq!(applied, model.last());
}

fn tell(kind: Kind, story: &Story) {
    let mut place = Place::new(kind);
    let mut model = Model::default();
    let mut pipeline = place.open();
    for (items, event) in &story.groups {
        let payloads: Vec<Vec<u8>> = items
            .iter()
            .map(|item| match item {
                Item::Of(index) => serialize_checked(index.get(&story.pool)).unwrap(),
                Item::Rubbish(bytes) => bytes.clone(),
            })
            .collect();
        for payload in &payloads {
            model.push(payload);
        }
        if !payloads.is_empty() {
            assert_eq!(pipeline.append_bytes(payloads), model.last());
        }
        pipeline = match event {
            Event::Nothing => pipeline,
            Event::Settle => {
                pipeline.settle();
                pipeline
            }
            Event::Stop => {
                pipeline.stop();
                place.open()
            }
            Event::Drop => {
                drop(pipeline);
                place.open()
            }
            Event::Kill => {
                pipeline.settle();
                let image = place.image();
                drop(pipeline);
                place = image;
                place.open()
            }
        };
    }
    expect(&model, &pipeline);
    pipeline.stop();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn hybrid_store_equals_the_model(story in story()) {
        tell(Kind::Hybrid, &story);
    }

    #[test]
    #[cfg(feature = "sled")]
    fn sled_store_equals_the_model(story in story()) {
        tell(Kind::Sled, &story);
    }

    #[test]
    fn memory_store_equals_the_model(story in story()) {
        tell(Kind::Memory, &story);
    }
}
