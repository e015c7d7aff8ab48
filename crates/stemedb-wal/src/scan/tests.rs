use super::*;
use crate::group::GroupFields;
use crate::{GroupBuilder, Trust};

const JOURNAL: JournalId = JournalId([9; 16]);

/// A segment in the making: groups of one record each, chained.
struct Chained {
    bytes: Vec<u8>,
    chain: ChainEnd,
    starts: Vec<usize>,
}

impl Chained {
    fn new() -> Self {
        Self {
            bytes: vec![0; SEGMENT_HEADER_BYTES],
            chain: ChainEnd::START,
            starts: Vec::new(),
        }
    }

    fn group(mut self, record: &[u8], durable_upto: u64) -> Self {
        let mut builder = GroupBuilder::new(self.chain.next_sequence);
        builder.push(record, Trust::Unverified);
        let fields = GroupFields {
            number: self.chain.next_group,
            durable_upto,
            arrived_at_ms: 0,
            previous: self.chain.hash,
        };
        let place = self.segment().place(self.bytes.len());
        let sealed = builder.finish(fields, place);
        self.chain = self.chain.extend(sealed.header()).unwrap();
        self.starts.push(self.bytes.len());
        self.bytes.extend(sealed.group_bytes());
        self
    }

    fn flip(mut self, offset: usize) -> Self {
        self.bytes[offset] ^= 1;
        self
    }

    fn and(mut self, more: &[u8]) -> Self {
        self.bytes.extend(more);
        self
    }

    fn segment(&self) -> Segment<'_> {
        Segment {
            journal: JOURNAL,
            number: 1,
            bytes: &self.bytes,
        }
    }

    fn expect(&self, groups: usize, tail: Tail) -> &Self {
        let scan = self.segment().scan(ChainEnd::START);
        assert_eq!((scan.groups.len(), scan.tail), (groups, tail));
        self
    }
}

fn three() -> Chained {
    Chained::new().group(b"a", 0).group(b"b", 1).group(b"c", 2)
}

#[test]
fn a_file_that_ends_at_its_last_group_ends_exactly() {
    three().expect(3, Tail::Exact);
}

#[test]
fn zeros_behind_the_last_group_are_no_damage() {
    for length in [1, 15, 16, 112, 4096] {
        three().and(&vec![0; length]).expect(3, Tail::Zeros);
    }
}

#[test]
fn bytes_behind_the_last_group_are_damage() {
    three()
        .and(&[0, 0, 1])
        .expect(3, Tail::Damaged(Fault::Short));
    three()
        .and(&[1; 200])
        .expect(3, Tail::Damaged(Fault::NoGroup));
}

#[test]
fn a_damaged_group_ends_the_scan_and_later_ones_bear_witness() {
    let bytes = three();
    let second = bytes.starts[1];
    let bytes = bytes.flip(second + 120);
    bytes.expect(1, Tail::Damaged(Fault::Hash));
    let segment = bytes.segment();
    assert_eq!(segment.proven_durable_behind(second as u64), Some(2));
    assert_eq!(segment.next_sound(second).unwrap().header.number, 3);
}

#[test]
fn a_damaged_length_does_not_hide_the_next_group() {
    let bytes = three();
    let second = bytes.starts[1];
    let bytes = bytes.flip(second + 5);
    assert_eq!(bytes.segment().next_sound(second).unwrap().header.number, 3);
}

#[test]
fn a_group_within_a_record_is_not_taken_for_one() {
    let inner = three();
    let inside = &inner.bytes[SEGMENT_HEADER_BYTES..];
    let bytes = Chained::new().group(inside, 0);
    let bytes = bytes.flip(SEGMENT_HEADER_BYTES + 1);
    bytes.expect(0, Tail::Damaged(Fault::NoGroup));
    assert!(bytes.segment().next_sound(SEGMENT_HEADER_BYTES).is_none());
}

#[test]
fn a_group_of_another_chain_does_not_continue_this_one() {
    let mut other = three();
    other.chain.hash = GroupHash([1; 32]);
    let bytes = other.group(b"d", 3);
    bytes.expect(3, Tail::Damaged(Fault::Chain));
    // It is sound all the same, and its word counts.
    let end = bytes.starts[3];
    assert_eq!(bytes.segment().proven_durable_behind(end as u64), Some(3));
}

#[test]
fn a_chain_is_continued_by_the_next_numbers_only() {
    let bytes = three();
    let first = bytes.segment().scan(ChainEnd::START).groups[0].header;
    assert!(ChainEnd::START.extend(&first).is_some());
    for wrong in [
        GroupHeader { number: 2, ..first },
        GroupHeader {
            first_sequence: 2,
            ..first
        },
        GroupHeader {
            previous: GroupHash([1; 32]),
            ..first
        },
        GroupHeader {
            durable_upto: 1,
            ..first
        },
    ] {
        assert_eq!(ChainEnd::START.extend(&wrong), None);
    }
}

#[test]
fn every_cut_is_followed_by_what_is_before_it() {
    let whole = three();
    for length in SEGMENT_HEADER_BYTES..whole.bytes.len() {
        let segment = Segment {
            bytes: &whole.bytes[..length],
            ..whole.segment()
        };
        let scan = segment.scan(ChainEnd::START);
        let complete = whole.starts.iter().skip(1).filter(|at| **at <= length);
        assert_eq!(scan.groups.len(), complete.count(), "{length}");
        assert_eq!(scan.tail == Tail::Exact, scan.end == length as u64);
    }
}
