//! Random groups and restarts against a model: a map that replays the journal record by record.

use std::collections::{BTreeMap, HashMap};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use stemedb_core::{Record, RecordId, Sequence};
use stemedb_ingest::{Quarantined, deserialize, serialize_checked};
use stemedb_storage::{Counts, Key};
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

/// What a store should show: content by key, with sequences.
#[derive(Debug, Default)]
struct Model {
    entries: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    first: HashMap<RecordId, u64>,
    counts: Counts,
    last: u64,
}

impl Model {
    fn push(&mut self, payload: &[u8]) {
        self.last += 1;
        let sequence = Sequence::new(self.last).unwrap();
        let sound = deserialize(payload)
            .ok()
            .filter(|record| record.verify().is_ok());
        let Some(record) = sound else {
            self.counts.quarantined += 1;
            return self.put(&Key::Quarantine(sequence), payload);
        };
        let id = record.id().unwrap();
        if self.first.contains_key(&id) {
            self.counts.duplicates += 1;
            return;
        }
        self.first.insert(id, self.last);
        match &record {
            Record::Assertion(it) => {
                self.counts.assertions += 1;
                let index = Key::Subject {
                    subject: it.subject.as_str().to_owned(),
                    predicate: it.predicate.as_str().to_owned(),
                    sequence,
                };
                self.put(&Key::Assertion(id), payload);
                self.put(&index, id.as_bytes());
            }
            Record::Vote(it) => {
                self.counts.votes += 1;
                let key = Key::Vote {
                    assertion: it.assertion,
                    vote: id,
                };
                self.put(&key, payload);
                self.put(&Key::VoteIndex(id), it.assertion.as_bytes());
            }
            Record::Epoch(_) => {
                self.counts.epochs += 1;
                self.put(&Key::Epoch(id), payload);
            }
        }
    }

    fn put(&mut self, key: &Key, content: &[u8]) {
        let before = self
            .entries
            .insert(key.encode(), (self.last, content.to_vec()));
        assert_eq!(before, None, "a key is written once");
    }

    fn expect(&self, pipeline: &Pipeline) {
        pipeline.settle();
        let quarantine = Key::Quarantine(Sequence::FIRST).kind().tag();
        let shown = pipeline.content().into_iter().map(|(key, value)| {
            let content = if key.starts_with(&quarantine) {
                Quarantined::decode(&value.content).unwrap().payload
            } else {
                value.content
            };
            (key, (value.sequence.get(), content))
        });
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), self.entries);
        assert_eq!(pipeline.counts(), self.counts);
        let applied = pipeline.ingestor.counters().applied_sequence;
        assert_eq!(applied, self.last);
    }
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
            assert_eq!(pipeline.append_bytes(payloads), model.last);
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
    model.expect(&pipeline);
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
