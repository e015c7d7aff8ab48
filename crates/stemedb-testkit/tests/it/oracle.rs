//! The oracle itself: it is content with a sound database, and finds each thing that is wrong.

use std::path::Path;

use stemedb::{Create, Database};
use stemedb_core::{Record, RecordId};
use stemedb_storage::{Error, HybridStore, KVStore, RawEntry};
use stemedb_testkit::oracle::{History, Layout, Model, Violation, directory};

fn claim(number: u64) -> Record {
    let line = format!(
        r#"{{"type":"assertion","subject":"s{}","predicate":"p","object":{number},"agent":"a"}}"#,
        number % 3
    );
    Record::from_json(line.as_bytes()).unwrap()
}

/// A database of some claims, and what is known of it.
fn database(path: &Path) -> History<RecordId> {
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder.open(path).unwrap();
    let mut history = History::new();
    for number in 0..20 {
        let record = claim(number);
        let id = record.id().unwrap();
        history.submit(id);
        let receipt = database.add(record).unwrap();
        history.acknowledge(receipt.sequence.get(), &id).unwrap();
    }
    database.close().unwrap();
    history
}

#[test]
fn a_sound_database_passes() {
    let place = tempfile::tempdir().unwrap();
    let history = database(place.path());
    let found = directory::check(place.path(), &history).unwrap();
    assert_eq!(found.records.len(), 20);
    assert_eq!(found.counts.assertions, 20);
}

#[test]
fn a_record_that_is_missing_is_found() {
    let place = tempfile::tempdir().unwrap();
    let mut history = database(place.path());
    let id = claim(20).id().unwrap();
    history.submit(id);
    history.acknowledge(21, &id).unwrap();
    let violation = directory::check(place.path(), &history).unwrap_err();
    assert!(violation.to_string().contains("sequence 21"), "{violation}");
}

#[test]
fn a_record_that_nobody_submitted_is_found() {
    let place = tempfile::tempdir().unwrap();
    database(place.path());
    let violation = directory::check(place.path(), &History::new()).unwrap_err();
    assert!(
        violation.to_string().contains("never submitted"),
        "{violation}"
    );
}

/// A store's entries as they lie in its engines, and the model that they equal.
fn entries() -> (Model, Vec<RawEntry>) {
    let place = tempfile::tempdir().unwrap();
    database(place.path());
    let payloads = directory::payloads(&place.path().join("wal")).unwrap();
    let store = HybridStore::open(place.path().join("db")).unwrap();
    let view = store.working_snapshot().unwrap();
    let entries = view.scan_raw().unwrap().collect::<Result<_, _>>().unwrap();
    let payloads = payloads.iter().map(|(_, payload)| &payload[..]);
    (Model::replay(payloads), entries)
}

type Wrong = fn(&mut Vec<RawEntry>, usize, usize);

fn compare(model: &Model, entries: Vec<RawEntry>) -> Result<(), Violation> {
    model.compare(Layout::HYBRID, entries.into_iter().map(Ok::<_, Error>))
}

#[test]
fn each_thing_that_is_wrong_with_a_store_is_found() {
    let (model, entries) = entries();
    compare(&model, entries.clone()).unwrap();
    let is_record = |entry: &RawEntry| entry.key.starts_with(b"H:");
    let one = entries.iter().position(is_record).unwrap();
    let other = entries.iter().rposition(is_record).unwrap();
    let wrongs: [(&str, Wrong); 6] = [
        ("is missing", |entries, one, _| drop(entries.remove(one))),
        ("is there twice", |entries, one, _| {
            entries.push(entries[one].clone());
        }),
        ("lies in redb", |entries, one, _| {
            entries[one].engine = "redb";
        }),
        ("checksum", |entries, one, _| entries[one].envelope[30] ^= 1),
        // A checksum covers its key, so that content cannot change places.
        ("checksum", |entries, one, other| {
            entries[one].envelope = entries[other].envelope.clone();
        }),
        ("comes from no record", |entries, one, _| {
            entries[one].key[2] ^= 1;
        }),
    ];
    for (expected, wrong) in wrongs {
        let mut changed = entries.clone();
        wrong(&mut changed, one, other);
        let violation = compare(&model, changed).unwrap_err().to_string();
        assert!(violation.contains(expected), "{expected}: {violation}");
    }
}

#[test]
fn a_store_of_another_history_is_found() {
    let (_, entries) = entries();
    let other = stemedb_ingest::serialize_checked(&claim(99)).unwrap();
    let violation = compare(&Model::replay([&other[..]]), entries).unwrap_err();
    assert!(violation.to_string().contains("comes from no record"));
}
