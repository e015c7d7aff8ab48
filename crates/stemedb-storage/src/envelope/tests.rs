use proptest::prelude::*;
use stemedb_core::Sequence;

use super::{ENVELOPE_BYTES, JOINED_BYTES_MAX, Value, open, open_note, seal, verify};
use crate::error::{Damage, Error};

const KEY: &[u8] = b"Q:\0\0\0\0\0\0\0\x07";

fn damage(error: Error) -> (String, Damage) {
    match error {
        Error::Corruption(corruption) => (corruption.key.unwrap(), corruption.damage),
        other => panic!("{other}"),
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens(key in prop::collection::vec(any::<u8>(), 0..40), sequence in 1..=u64::MAX, arrived_at_ms: u64, content: Vec<u8>) {
        let envelope = seal(&key, sequence, arrived_at_ms, &content);
        prop_assert_eq!(envelope.len(), ENVELOPE_BYTES + content.len());
        let sequence = Sequence::new(sequence).unwrap();
        prop_assert_eq!(open("e", &key, &envelope).unwrap(), Value { sequence, arrived_at_ms, content });
    }

    #[test]
    fn another_key_does_not_open_it(key: Vec<u8>, other: Vec<u8>, content: Vec<u8>) {
        let opened = open("e", &other, &seal(&key, 1, 1, &content));
        prop_assert_eq!(opened.is_ok(), key == other);
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let sealed = seal(
        KEY,
        7,
        1_700_000_000_000,
        b"content of forty-two bytes, give or take.",
    );
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << bit;
            let (key, damage) = damage(open("e", KEY, &flipped).unwrap_err());
            assert!(
                matches!(damage, Damage::Checksum { .. }),
                "byte {at} bit {bit}"
            );
            assert_eq!(key, "Q:7");
        }
    }
}

#[test]
fn every_cut_and_every_added_byte_is_found() {
    let sealed = seal(KEY, 7, 1_700_000_000_000, b"content");
    for length in 0..sealed.len() {
        assert!(
            verify("e", KEY, &sealed[..length]).is_err(),
            "cut to {length}"
        );
    }
    assert!(verify("e", KEY, &[&sealed[..], b"x"].concat()).is_err());
    let (_, damage) = damage(verify("e", KEY, &sealed[..ENVELOPE_BYTES - 1]).unwrap_err());
    assert!(matches!(
        damage,
        Damage::Length {
            expected: ENVELOPE_BYTES,
            found: 23
        }
    ));
}

#[test]
fn bytes_are_those_of_the_format() {
    let sealed = seal(b"M:cursor", 0x0102, 0x0304, b"!");
    let hashed = [
        &b"M:cursor"[..],
        &[2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0],
        b"!",
    ]
    .concat();
    let checksum = xxhash_rust::xxh3::xxh3_64(&hashed).to_le_bytes();
    assert_eq!(sealed[..16], hashed[8..24]);
    assert_eq!(sealed[16..24], checksum);
    assert_eq!(sealed[24..], *b"!");
}

#[test]
fn the_checksum_is_the_same_in_one_piece_and_in_parts() {
    for length in (0..300).chain(JOINED_BYTES_MAX - 20..JOINED_BYTES_MAX + 20) {
        let content = vec![7; length];
        let sealed = seal(KEY, 1, 2, &content);
        let whole = [KEY, &sealed[..16], &content].concat();
        let checksum = xxhash_rust::xxh3::xxh3_64(&whole).to_le_bytes();
        assert_eq!(sealed[16..24], checksum, "{length}");
    }
}

#[test]
fn a_note_has_no_sequence_and_is_no_value() {
    let note = seal(b"M:cursor", 0, 0, b"note");
    assert_eq!(open_note("e", b"M:cursor", &note).unwrap(), b"note");
    let (_, damage) = damage(open("e", b"M:cursor", &note).unwrap_err());
    assert!(matches!(damage, Damage::SequenceZero));
}
