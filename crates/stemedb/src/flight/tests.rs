use std::hash::Hash;

use stemedb_wal::{Appended, Durability};

use super::*;
use crate::outcome::Settle;

fn id(n: u8) -> RecordId {
    RecordId::from_bytes([n; 32])
}

/// A request of these records, in flight.
fn begin(flight: &mut Flight, ids: impl IntoIterator<Item = u8>) -> Settle {
    let settle = Settle(flight.begin_request());
    for (index, n) in (0..).zip(ids) {
        assert!(flight.find(id(n)).is_none());
        assert_eq!(flight.add(id(n)), index);
    }
    settle
}

fn appended(first_sequence: u64, records: u32) -> Appended {
    Appended {
        first_sequence,
        records,
        durability: Durability::Sync,
    }
}

/// The sequence of a record in flight, once its request is settled.
fn sequence(flight: &Flight, n: u8) -> Option<u64> {
    let place = flight.find(id(n))?;
    let appended = place.outcome.get()?.ok()?;
    Some(appended.first_sequence + place.index)
}

#[test]
fn a_record_is_found_until_it_is_applied() {
    let mut flight = Flight::default();
    let first = begin(&mut flight, 1..=3);
    let second = begin(&mut flight, 4..=5);
    assert!(flight.find(id(5)).is_some() && sequence(&flight, 5).is_none());
    first.with(Ok(appended(10, 3)));
    second.with(Ok(appended(13, 2)));
    flight.forget_applied(11);
    assert_eq!(sequence(&flight, 1), Some(10));
    flight.forget_applied(12);
    assert!((1..=3).all(|n| flight.find(id(n)).is_none()));
    assert_eq!(sequence(&flight, 4), Some(13));
    assert_eq!(sequence(&flight, 5), Some(14));
    // What comes after others were forgotten is found where it is.
    begin(&mut flight, [1]).with(Ok(appended(15, 1)));
    assert_eq!(sequence(&flight, 1), Some(15));
    flight.forget_applied(15);
    assert_eq!((flight.spots.len(), flight.requests.len()), (0, 0));
    assert_eq!(flight.forgotten_upto(), 15);
}

#[test]
fn a_record_whose_append_failed_may_be_in_flight_again() {
    let mut flight = Flight::default();
    // Dropped without an answer: the append failed.
    drop(begin(&mut flight, 1..=2));
    let again = begin(&mut flight, [2]);
    flight.forget_applied(0);
    assert!(flight.find(id(1)).is_none());
    assert!(
        flight.find(id(2)).is_some(),
        "the end of the first request does not take the record of the second"
    );
    again.with(Ok(appended(1, 1)));
    assert_eq!(sequence(&flight, 2), Some(1));
}

#[test]
fn the_oldest_is_waited_for_where_too_many_are_in_flight() {
    let mut flight = Flight::default();
    let oldest = begin(&mut flight, 1..=3);
    let _next = begin(&mut flight, 4..=6);
    assert!(flight.oldest_above(6).is_none());
    let found = flight.oldest_above(5).unwrap();
    assert!(Arc::ptr_eq(&found, &oldest.0));
}

#[test]
fn the_hash_of_an_id_is_its_first_bytes() {
    let mut hasher = IdHasher::default();
    let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap());
    RecordId::from_bytes(bytes).hash(&mut hasher);
    assert_eq!(hasher.finish(), 0x0706_0504_0302_0100);
}
