//! Payloads: what is decoded is a record that is encoded to the same again, wherever in memory the bytes lie.

use stemedb_core::Record;
use stemedb_ingest::{PAYLOAD_HEADER_BYTES, deserialize, serialize};

use crate::json::LINES;

pub(crate) fn run(bytes: &[u8]) {
    check(bytes);
    // The same as a payload of each type, so that no luck is needed to find the header.
    for record_type in 0..=2 {
        let mut payload = vec![0; PAYLOAD_HEADER_BYTES];
        payload.insert(0, record_type);
        payload.truncate(PAYLOAD_HEADER_BYTES);
        payload.extend_from_slice(bytes.get(PAYLOAD_HEADER_BYTES..).unwrap_or(bytes));
        check(&payload);
    }
}

fn check(payload: &[u8]) {
    let decoded = deserialize(payload);
    let offset = payload.len() % 16;
    let mut moved = vec![0; offset];
    moved.extend_from_slice(payload);
    let elsewhere = deserialize(moved.get(offset..).unwrap_or_default());
    // Not a number can be in none of the fields, or the two would differ.
    assert!(decoded == elsewhere, "a payload depends on where it lies");
    let Ok(record) = decoded else {
        return;
    };
    match serialize(&record) {
        Err(_) => assert!(record.id().is_err(), "a record with an id has no payload"),
        Ok(again) => {
            let again = deserialize(&again).unwrap();
            assert!(again == record, "a record changes by being stored");
            assert!(
                again.id() == record.id(),
                "a record's id changes by being stored"
            );
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let records = LINES.map(|line| Record::from_json(line.as_bytes()).unwrap());
    records.map(|record| serialize(&record).unwrap()).to_vec()
}
