//! Real claims in, the independently counted figures out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;
use stemedb::{Create, Database, Page, Record, Status, Subject};
use stemedb_testkit::skip::say_skipped;

use crate::support::{Place, bytes_of, exported, settle};

/// The load file: what it takes is measured by other means.
const TOO_LARGE: &str = "flight_1-12_dec.ndjson.gz";

fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn records(path: &Path) -> impl Iterator<Item = Record> {
    let file = std::fs::OpenOptions::new().read(true).open(path).unwrap();
    let input: Box<dyn Read> = if path.extension().is_some_and(|it| it == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let lines = BufReader::new(input).lines();
    lines.map(|line| Record::from_json(line.unwrap().as_bytes()).unwrap())
}

fn expect_figures(path: &Path, expected: &Value) {
    let place = Place::new();
    let database = place.database();
    let receipts = database.ingest(records(path));
    let stored = receipts
        .iter()
        .filter(|it| it.as_ref().unwrap().status == Status::Stored)
        .count() as u64;
    settle(&database);
    let name = path.display();
    let counts = database.stats().unwrap().counts;
    assert_eq!(expected["lines"], receipts.len(), "{name}");
    assert_eq!(expected["assertions"], counts.assertions, "{name}");
    assert_eq!(expected["votes"], counts.votes, "{name}");
    assert_eq!(expected["epochs"], counts.epochs, "{name}");
    assert_eq!(
        expected["duplicates"],
        receipts.len() as u64 - stored,
        "{name}"
    );
    // What is stored already never comes to the journal.
    assert_eq!((counts.duplicates, counts.quarantined), (0, 0), "{name}");
    let mut ids: Vec<_> = exported(&database).iter().map(|it| it.id).collect();
    ids.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for id in &ids {
        hasher.update(id.as_bytes());
    }
    assert_eq!(
        expected["ids_blake3"],
        hasher.finalize().to_hex().as_str(),
        "{name}"
    );

    let before = database.stats().unwrap();
    let again = database.ingest(records(path));
    assert!(
        again
            .iter()
            .all(|it| it.as_ref().unwrap().status == Status::AlreadyStored)
    );
    let after = database.stats().unwrap();
    assert_eq!(after.durable_sequence, before.durable_sequence);
    assert_eq!(after.journal.head_hash, before.journal.head_hash);
    database.close().unwrap();
}

/// Checks every set of a directory; gives how many there were.
fn expect_all(directory: &Path) -> usize {
    let expected = bytes_of(&directory.join("expected.json"));
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    let sets = expected.iter().filter(|(name, _)| *name != TOO_LARGE);
    sets.map(|(name, figures)| expect_figures(&directory.join(name), figures))
        .count()
}

#[test]
fn the_sets_of_the_project_give_the_figures_that_were_counted() {
    assert_eq!(expect_all(&beside("examples/data")), 6);
}

#[test]
fn the_sets_beside_the_project_give_the_figures_that_were_counted() {
    let directory = beside("../shared/data");
    if directory.join("expected.json").exists() {
        assert!(expect_all(&directory) > 6);
    } else {
        say_skipped(&format!("{} is absent", directory.display()));
    }
}

#[test]
fn the_monuments_of_paris_come_in_once_and_stay() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("db");
    let open = || {
        Database::builder()
            .create(Create::IfMissing)
            .open(&directory)
            .unwrap()
    };
    for round in 0..3 {
        let database = open();
        let receipts = database.ingest(records(&beside("examples/data/paris_monuments.ndjson")));
        let stored = receipts
            .iter()
            .filter(|receipt| receipt.as_ref().unwrap().status == Status::Stored);
        assert_eq!(stored.count(), if round == 0 { 941 } else { 0 });
        assert_eq!(receipts.len(), 1173);
        // The last line is a repeat, whose sequence is not the highest.
        settle(&database);
        let stats = database.stats().unwrap();
        assert_eq!(
            (stats.counts.assertions, stats.durable_sequence),
            (941, 941)
        );
        let view = database.view().unwrap();
        let tower = Subject::new("Eiffel Tower").unwrap();
        let claims = view.assertions(&tower, None, &Page::default()).unwrap();
        let subjects = view.subjects("Eiffel", &Page::default()).unwrap();
        let counted: Vec<_> = subjects
            .map(|subject| subject.unwrap().value.assertions)
            .collect();
        assert_eq!(counted, vec![claims.map(Result::unwrap).count() as u64]);
        let exported: Vec<_> = database.export().unwrap().map(Result::unwrap).collect();
        assert_eq!(exported.len(), 941);
        assert_eq!(view.get(exported[7].id).unwrap().unwrap(), exported[7]);
        drop(view);
        database.close().unwrap();
    }
}
