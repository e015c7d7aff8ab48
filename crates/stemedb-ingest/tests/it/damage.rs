//! Payloads that are flipped, cut, misaligned or made up: an error or a record, never a panic.

use proptest::prelude::*;
use stemedb_ingest::{PAYLOAD_HEADER_BYTES, Undecodable, deserialize, serialize};
use stemedb_testkit::record::record;

use crate::payload::samples;

/// Bytes are refused, or are a record that keeps its limits and that can be written and read again.
fn expect_record_or_error(bytes: &[u8]) {
    if let Ok(record) = deserialize(bytes) {
        let again = serialize(&record).expect("what was decoded is within its limits");
        assert_eq!(deserialize(&again), Ok(record));
    }
}

#[test]
fn every_single_bit_flip_is_refused_or_gives_a_record() {
    let mut decoded = 0;
    let mut tried = 0;
    for (_, record) in samples() {
        let sound = serialize(&record).unwrap();
        for bit in 0..sound.len() * 8 {
            let mut payload = sound.clone();
            payload[bit / 8] ^= 1 << (bit % 8);
            expect_record_or_error(&payload);
            tried += 1;
            decoded += u32::from(deserialize(&payload).is_ok());
        }
    }
    // Structure is no protection: most flips are other data, which only a checksum finds.
    assert!(decoded > tried / 2, "{decoded} of {tried}");
}

#[test]
fn every_cut_is_refused_or_gives_a_record() {
    for (_, record) in samples() {
        let payload = serialize(&record).unwrap();
        for end in 0..payload.len() {
            expect_record_or_error(&payload[..end]);
            expect_record_or_error(&payload[end..]);
        }
    }
}

#[test]
fn bytes_fewer_than_a_header_are_short() {
    for bytes in 0..PAYLOAD_HEADER_BYTES {
        assert_eq!(
            deserialize(&vec![0; bytes]),
            Err(Undecodable::Short { bytes })
        );
    }
    assert_eq!(
        deserialize(&[0; PAYLOAD_HEADER_BYTES]),
        Err(Undecodable::Archive)
    );
}

#[test]
fn unknown_types_are_named_and_called_newer() {
    let (_, record) = samples().remove(0);
    for found in 3..=u8::MAX {
        let mut payload = serialize(&record).unwrap();
        payload[0] = found;
        let refused = deserialize(&payload).unwrap_err();
        assert_eq!(refused, Undecodable::UnknownType(found));
        assert!(refused.to_string().contains("newer version"));
    }
}

#[test]
fn each_reserved_byte_is_named_and_called_newer() {
    for (_, record) in samples() {
        for index in 1..PAYLOAD_HEADER_BYTES {
            let mut payload = serialize(&record).unwrap();
            payload[index] = 0x80;
            let refused = deserialize(&payload).unwrap_err();
            assert_eq!(refused, Undecodable::Reserved { index, value: 0x80 });
            assert!(refused.to_string().contains("newer version"));
        }
    }
}

#[test]
fn a_payload_is_read_at_every_alignment() {
    for (_, record) in samples() {
        let payload = serialize(&record).unwrap();
        for offset in 0..16 {
            let mut bytes = vec![0xaa; offset];
            bytes.extend_from_slice(&payload);
            assert_eq!(deserialize(&bytes[offset..]).as_ref(), Ok(&record));
        }
    }
}

/// The type says which archive is expected; that of another type never passes for it by accident of its length.
#[test]
fn a_payload_of_another_type_is_refused_or_gives_a_record() {
    for (_, record) in samples() {
        for found in 0..3 {
            let mut payload = serialize(&record).unwrap();
            payload[0] = found;
            expect_record_or_error(&payload);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(kind in 0..4_u8, zeros in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let mut payload = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        payload.extend_from_slice(&bytes);
        expect_record_or_error(if zeros { &payload } else { &bytes });
    }

    #[test]
    fn several_changes_to_a_payload_never_panic(
        record in record(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        near_the_end in any::<bool>(),
    ) {
        let mut payload = serialize(&record).unwrap();
        // The fixed part of an archive, with its offsets and tags, stands at its end.
        let from = if near_the_end { payload.len().saturating_sub(160) } else { 0 };
        let length = payload.len() - from;
        for (index, value) in changes {
            payload[from + index.index(length)] = value;
        }
        expect_record_or_error(&payload);
    }
}
