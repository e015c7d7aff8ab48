use proptest::prelude::*;

use super::*;
use crate::group::{GroupFields, check_group};
use crate::{Fault, Group, GroupBuilder, Trust};

const JOURNAL: JournalId = JournalId(*b"0123456789abcdef");

fn header() -> SegmentHeader {
    SegmentHeader {
        journal: JOURNAL,
        number: 0x0102_0304_0506_0708,
        first_group: 0x1112_1314_1516_1718,
        first_sequence: 0x2122_2324_2526_2728,
        previous_offset: 0x3132_3334_3536_3738,
        previous_hash: GroupHash([0x44; 32]),
    }
}

fn place() -> Place {
    Place {
        journal: JOURNAL,
        segment: 3,
        offset: 4096,
    }
}

fn group() -> Vec<u8> {
    let mut builder = GroupBuilder::new(7);
    builder.push(b"first", Trust::Unverified);
    builder.push(b"", Trust::Verified);
    builder.push(&[0x5a; 16], Trust::Unverified);
    let fields = GroupFields {
        number: 9,
        durable_upto: 8,
        arrived_at_ms: 1_700_000_000_000,
        previous: GroupHash([0x77; 32]),
    };
    builder.finish(fields, place()).group_bytes().to_vec()
}

#[test]
fn fields_of_a_segment_header_lie_where_the_document_says() {
    let bytes = header().encode();
    assert_eq!(bytes[0..8], *b"STEMEWAL");
    assert_eq!(bytes[8..12], 1_u32.to_le_bytes());
    assert_eq!(bytes[12..16], [0; 4]);
    assert_eq!(bytes[16..32], JOURNAL.0);
    assert_eq!(bytes[32..40], header().number.to_le_bytes());
    assert_eq!(bytes[40..48], header().first_group.to_le_bytes());
    assert_eq!(bytes[48..56], header().first_sequence.to_le_bytes());
    assert_eq!(bytes[56..64], header().previous_offset.to_le_bytes());
    assert_eq!(bytes[64..96], [0x44; 32]);
    assert_eq!(bytes[96..128], *blake3::hash(&bytes[..96]).as_bytes());
}

#[test]
fn fields_of_a_group_lie_where_the_document_says() {
    let bytes = group();
    assert_eq!(bytes.len(), 112 + 32 + 16 + 32);
    assert_eq!(bytes[0..4], *b"SGRP");
    assert_eq!(bytes[4..8], 80_u32.to_le_bytes());
    assert_eq!(bytes[8..16], 9_u64.to_le_bytes());
    assert_eq!(bytes[16..24], 7_u64.to_le_bytes());
    assert_eq!(bytes[24..28], 3_u32.to_le_bytes());
    assert_eq!(bytes[28..32], [0; 4]);
    assert_eq!(bytes[32..40], 8_u64.to_le_bytes());
    assert_eq!(bytes[40..48], 1_700_000_000_000_u64.to_le_bytes());
    assert_eq!(bytes[48..80], [0x77; 32]);
    let mut covered = JOURNAL.0.to_vec();
    covered.extend(3_u64.to_le_bytes());
    covered.extend(4096_u64.to_le_bytes());
    covered.extend(&bytes[..80]);
    covered.extend(&bytes[112..]);
    assert_eq!(bytes[80..112], *blake3::hash(&covered).as_bytes());
    // The first record: length, flags, sequence, bytes, padding.
    assert_eq!(bytes[112..116], 5_u32.to_le_bytes());
    assert_eq!(bytes[116..120], [0; 4]);
    assert_eq!(bytes[120..128], 7_u64.to_le_bytes());
    assert_eq!(bytes[128..144], *b"first\0\0\0\0\0\0\0\0\0\0\0");
    // The second is empty and verified.
    assert_eq!(bytes[144..148], [0; 4]);
    assert_eq!(bytes[148..152], 1_u32.to_le_bytes());
}

#[test]
fn every_bit_flip_of_a_segment_header_is_refused() {
    let bytes = header().encode();
    assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
    for bit in 0..SEGMENT_HEADER_BYTES * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn every_bit_flip_of_a_group_is_refused() {
    let bytes = group();
    assert!(check_group(&bytes, place()).is_ok());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check_group(&flipped, place()).is_err(), "bit {bit}");
    }
}

#[test]
fn a_group_cut_anywhere_is_refused() {
    let bytes = group();
    for length in 0..bytes.len() {
        assert!(check_group(&bytes[..length], place()).is_err(), "{length}");
    }
}

#[test]
fn a_group_anywhere_else_is_refused() {
    let bytes = group();
    let other = JournalId([0; 16]);
    for place in [
        Place {
            journal: other,
            ..place()
        },
        Place {
            segment: 4,
            ..place()
        },
        Place {
            offset: 4112,
            ..place()
        },
    ] {
        assert_eq!(check_group(&bytes, place), Err(Fault::Hash));
    }
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut bytes = header().encode();
    bytes[8] = 2;
    assert_eq!(
        SegmentHeader::decode(&bytes),
        Err(SegmentHeaderFault::Damaged)
    );
    let rehash = |bytes: &mut [u8; SEGMENT_HEADER_BYTES]| {
        let hash = blake3::hash(&bytes[..96]);
        bytes[96..].copy_from_slice(hash.as_bytes());
    };
    rehash(&mut bytes);
    assert_eq!(
        SegmentHeader::decode(&bytes),
        Err(SegmentHeaderFault::Version(2))
    );
    bytes[8] = 0;
    rehash(&mut bytes);
    assert_eq!(
        SegmentHeader::decode(&bytes),
        Err(SegmentHeaderFault::Damaged)
    );
}

#[test]
fn zeros_are_neither_a_header_nor_a_group() {
    let zeros = [0; SEGMENT_HEADER_BYTES];
    assert_eq!(
        SegmentHeader::decode(&zeros),
        Err(SegmentHeaderFault::Damaged)
    );
    assert_eq!(check_group(&zeros, place()), Err(Fault::NoGroup));
}

/// Gives the group a new hash, so that what is refused is refused for its own sake.
fn rehashed(mut bytes: Vec<u8>) -> Vec<u8> {
    let raw = *bytes.first_chunk().unwrap();
    let hash = group_hash(place(), &raw, &bytes[GROUP_HEADER_BYTES..]);
    bytes[80..112].copy_from_slice(&hash.0);
    bytes
}

#[test]
fn lengths_out_of_their_limits_are_refused_before_anything_is_read() {
    for length in [1, 15, GROUP_PAYLOAD_BYTES_MAX + 16, u32::MAX as usize] {
        let mut bytes = group();
        bytes[4..8].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        assert_eq!(check_group(&bytes, place()), Err(Fault::Length), "{length}");
    }
    let mut bytes = group();
    bytes[16..24].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
    assert_eq!(check_group(&bytes, place()), Err(Fault::Length));
}

#[test]
fn framing_that_contradicts_the_header_is_refused_under_a_right_hash() {
    let damages: [(usize, u8); 7] = [
        (24, 2),    // records: fewer than there are
        (24, 4),    // records: more
        (28, 1),    // flags of the group
        (112, 200), // length of a record beyond the payload
        (116, 2),   // unknown flag of a record
        (120, 8),   // sequence of a record
        (133, 1),   // padding
    ];
    for (offset, byte) in damages {
        let mut bytes = group();
        bytes[offset] = byte;
        assert_eq!(
            check_group(&rehashed(bytes), place()),
            Err(Fault::Framing),
            "offset {offset}"
        );
    }
}

#[test]
fn names_of_segments_are_read_strictly() {
    assert_eq!(segment_file_name(26), "000000000000001a.wal");
    assert_eq!(parse_segment_file_name("000000000000001a.wal"), Some(26));
    for name in [
        "000000000000001A.wal",
        "1a.wal",
        "+00000000000001a.wal",
        "000000000000001a.wal.tmp",
        "0000000000000000.wal",
        "",
    ] {
        assert_eq!(parse_segment_file_name(name), None, "{name}");
    }
}

#[test]
fn capacities_double_up_to_the_limit() {
    let capacity = |number| segment_capacity_bytes(number, SEGMENT_BYTES_MAX);
    assert_eq!(capacity(1), 1 << 20);
    assert_eq!(capacity(2), 2 << 20);
    assert_eq!(capacity(7), 64 << 20);
    assert_eq!(capacity(u64::MAX), 64 << 20);
    assert_eq!(segment_capacity_bytes(5, 4096), 4096);
}

proptest! {
    #[test]
    fn groups_give_back_what_was_put_in(
        records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), any::<bool>()), 0..20),
        first in 1..u64::MAX / 2,
    ) {
        let mut builder = GroupBuilder::new(first);
        for (bytes, verified) in &records {
            builder.push(bytes, if *verified { Trust::Verified } else { Trust::Unverified });
        }
        let fields = GroupFields { number: 2, durable_upto: 1, arrived_at_ms: 0, previous: GroupHash::ZERO };
        let sealed = builder.finish(fields, place());
        let group = Group::decode(sealed.group_bytes(), place()).unwrap();
        let read: Vec<_> = group.records().map(|r| (r.sequence, r.bytes.to_vec(), r.trust == Trust::Verified)).collect();
        let expected: Vec<_> = (first..).zip(&records).map(|(n, (bytes, verified))| (n, bytes.clone(), *verified)).collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(group.mark().is_some(), !records.is_empty());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut with_magic = GROUP_MAGIC.to_vec();
        with_magic.extend(&bytes);
        prop_assert!(check_group(&bytes, place()).is_err());
        prop_assert!(check_group(&with_magic, place()).is_err());
    }
}
