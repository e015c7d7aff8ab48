use std::collections::HashMap;

use super::{Generator, Keys, Row, key};
use crate::number::float;

#[test]
fn records_have_the_size_of_real_ones() {
    let generator = Generator::new(1_000_000);
    let (mut canonical, mut stored) = (0, 0);
    for number in 0..1000 {
        let record = generator.record(number * 997).unwrap();
        canonical += record.canonical_bytes().unwrap().len();
        stored += stemedb_ingest::serialize(&record).unwrap().len();
    }
    let (canonical, stored) = (float(canonical) / 1e3, float(stored) / 1e3);
    assert!(
        (canonical - 264.0).abs() < 4.0,
        "canonical {canonical}, stored {stored}"
    );
}

#[test]
fn subjects_follow_the_law_of_zipf() {
    let records = 100_000;
    let generator = Generator::new(records);
    let mut counts: HashMap<String, u64> = HashMap::new();
    for number in 0..records {
        let row = Row::generate(generator, number).unwrap();
        *counts.entry(row.subject).or_default() += 1;
    }
    let of = |rank| float(counts[&Generator::subject(rank)]);
    let (first, tenth, hundredth) = (of(1), of(10), of(100));
    assert!((first / tenth - 10.0).abs() < 3.0, "{first} {tenth}");
    assert!(
        (first / hundredth - 100.0).abs() < 30.0,
        "{first} {hundredth}"
    );
    assert!(counts.len() > 5_000, "{}", counts.len());
}

#[test]
fn the_same_number_is_the_same_record_and_keys_differ() {
    let generator = Generator::new(1000);
    let keys = Keys::new();
    assert_eq!(generator.record(7).unwrap(), generator.record(7).unwrap());
    assert_ne!(generator.record(7).unwrap(), generator.record(8).unwrap());
    assert!(generator.signed(7, &keys).unwrap().verify().is_ok());
    assert_ne!(key(1), key(2));
}
