//! Real claims in, the independently counted figures out.

use std::path::Path;

use stemedb::{Create, Database, Page, Record, Status, Subject};

fn paris() -> Vec<Record> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/paris_monuments.ndjson");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| Record::from_json(line.as_bytes()).unwrap())
        .collect()
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
        let receipts = database.ingest(paris());
        let stored = receipts
            .iter()
            .filter(|receipt| receipt.as_ref().unwrap().status == Status::Stored);
        assert_eq!(stored.count(), if round == 0 { 941 } else { 0 });
        assert_eq!(receipts.len(), 1173);
        let sequences = receipts
            .iter()
            .map(|receipt| receipt.as_ref().unwrap().sequence);
        let last = sequences.max().unwrap();
        database.wait_applied(last).wait().unwrap();
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
        database.close().unwrap();
    }
}
