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

    /// The same with one byte of the first group changed.
    fn flipped(&self, offset: usize) -> Self {
        let same = Self {
            bytes: self.bytes.clone(),
            chain: self.chain,
            starts: self.starts.clone(),
        };
        same.flip(SEGMENT_HEADER_BYTES + offset)
    }

    /// What is known where the first group is damaged.
    fn proof(&self) -> Proof {
        let start = SEGMENT_HEADER_BYTES as u64;
        self.segment().proven_durable_behind(start, ChainEnd::START)
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

fn proven(upto: u64) -> Proof {
    Proof {
        upto: Some(upto),
        gave_up: false,
    }
}

fn proof_behind(bytes: &Chained, offset: usize) -> Proof {
    let segment = bytes.segment();
    let chain = segment.scan(ChainEnd::START).chain;
    segment.proven_durable_behind(offset as u64, chain)
}

fn next_sound(bytes: &Chained, offset: usize) -> Option<Found> {
    let range = offset..usize::MAX;
    bytes.segment().next_sound(range, &mut Search::default())
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
    assert_eq!(proof_behind(&bytes, second), proven(2));
    assert_eq!(next_sound(&bytes, second).unwrap().header.number, 3);
}

#[test]
fn a_damaged_length_does_not_hide_the_next_group() {
    let bytes = three();
    let second = bytes.starts[1];
    let bytes = bytes.flip(second + 5);
    assert_eq!(next_sound(&bytes, second).unwrap().header.number, 3);
}

#[test]
fn a_group_within_a_record_is_not_taken_for_one() {
    let inner = three();
    let inside = &inner.bytes[SEGMENT_HEADER_BYTES..];
    let bytes = Chained::new().group(inside, 0);
    let bytes = bytes.flip(SEGMENT_HEADER_BYTES + 1);
    bytes.expect(0, Tail::Damaged(Fault::NoGroup));
    assert!(next_sound(&bytes, SEGMENT_HEADER_BYTES).is_none());
}

#[test]
fn a_group_of_another_chain_does_not_continue_this_one() {
    let mut other = three();
    other.chain.hash = GroupHash([1; 32]);
    let bytes = other.group(b"d", 3);
    bytes.expect(3, Tail::Damaged(Fault::Chain));
    // It is sound all the same, and its word counts.
    let end = bytes.starts[3];
    assert_eq!(proof_behind(&bytes, end), proven(3));
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

/// A record full of what looks like headers of groups, each as long as can be within `bytes`.
fn crafted(bytes: usize) -> Vec<u8> {
    crafted_as(bytes, 2, 2)
}

fn crafted_as(bytes: usize, number: u64, first_sequence: u64) -> Vec<u8> {
    let header = |at: usize| {
        let payload_bytes = u32::try_from(bytes - at).unwrap() & !15;
        let header = GroupHeader {
            payload_bytes: payload_bytes.saturating_sub(4096),
            number,
            first_sequence,
            records: 1,
            flags: 0,
            durable_upto: 1,
            arrived_at_ms: 0,
            previous: GroupHash::ZERO,
            hash: GroupHash::ZERO,
        };
        // The next one begins right behind the fields that are looked at.
        header.encode()[..48].to_vec()
    };
    (0..bytes).step_by(48).flat_map(header).collect()
}

#[test]
fn a_search_within_a_crafted_payload_gives_up_in_time_and_says_so() {
    // A record of 4 MiB full of the magic of groups, torn by a crash, had recovery hash 262,144 groups of megabytes each: hours.
    let bytes = Chained::new().group(&crafted(2 << 20), 0);
    let bytes = bytes.flip(SEGMENT_HEADER_BYTES);
    let proof = bytes.proof();
    assert_eq!(
        proof,
        Proof {
            upto: None,
            gave_up: true
        }
    );
    assert!(proof.says_durable(1), "what is not known may be so");
    let mut search = Search::default();
    assert!(
        bytes
            .segment()
            .next_sound(144..usize::MAX, &mut search)
            .is_none()
    );
    let granted = Search::VAIN_BYTES + Search::VAIN_BYTES_PER_BYTE * bytes.bytes.len() as u64;
    assert!(search.allowance_bytes < granted, "something was paid for");
}

#[test]
fn a_crafted_payload_that_was_torn_is_a_torn_tail() {
    // Two quotes of 64 KiB, taken in by `stemedb ingest` and torn by a crash before they were acknowledged, had the database refuse
    // to open: the search gave up within them, and that passed for a witness that they had been durable.
    let bytes = Chained::new()
        .group(&crafted(2 << 20), 0)
        .group(&crafted(2 << 20), 0)
        .and(&vec![0; 3 << 20]);
    let none = Proof {
        upto: None,
        gave_up: false,
    };
    assert_eq!(bytes.flipped(120).proof(), proven(0), "the second is sound");
    let second = bytes.starts[1] - SEGMENT_HEADER_BYTES;
    let both = bytes.flipped(120).flipped(second + 120);
    assert_eq!(both.proof(), none, "written ahead under an interval");
}

#[test]
fn a_crafted_payload_whose_numbers_cannot_be_is_a_torn_tail_even_without_its_header() {
    let far = |number, first_sequence| {
        let payload = crafted_as(2 << 20, number, first_sequence);
        Chained::new().group(&payload, 0).flipped(0).proof().gave_up
    };
    assert!(far(2, 2), "it may be the next one");
    assert!(!far(1 << 40, 2));
    assert!(!far(2, 1 << 40));
    assert!(!far(2, 0));
}

#[test]
fn a_crafted_payload_hides_no_witness_wherever_the_damage_is() {
    let bytes = Chained::new()
        .group(&crafted(2 << 20), 0)
        .group(&crafted(2 << 20), 1)
        .group(b"c", 2);
    // A byte of each field of the header, and of the payload.
    for offset in [0, 4, 5, 6, 8, 16, 24, 28, 32, 40, 48, 80, 120, 1 << 20] {
        let proof = bytes.flipped(offset).proof();
        assert!(proof.says_durable(1), "byte {offset} of the group is bad");
    }
    let second = bytes.starts[1] - SEGMENT_HEADER_BYTES;
    let both = bytes.flipped(120).flipped(second + 1);
    assert!(both.proof().says_durable(1), "the next one is bad as well");
}

/// A record full of what looks like headers of groups, each as long as said.
fn claiming(bytes: usize, payload_bytes: u32) -> Vec<u8> {
    let header = GroupHeader {
        payload_bytes,
        number: 2,
        first_sequence: 2,
        records: 1,
        flags: 0,
        durable_upto: 1,
        arrived_at_ms: 0,
        previous: GroupHash::ZERO,
        hash: GroupHash::ZERO,
    };
    header.encode()[..48].repeat(bytes / 48)
}

/// A group, others behind it, and zeros; the records claim so much that nothing is left to pay for the groups with.
fn spending(first_kib: usize, next_kib: usize, durable_upto: &[u64]) -> Chained {
    let claim = u32::try_from(next_kib << 9).unwrap();
    let mut bytes = Chained::new().group(&claiming(first_kib << 10, claim), 0);
    for upto in durable_upto {
        bytes = bytes.group(&claiming(next_kib << 10, claim), *upto);
    }
    bytes.and(&vec![0; 3 << 20])
}

#[test]
fn a_crafted_payload_hides_no_witness_that_it_leaves_nothing_to_pay_for() {
    // Groups that continue the damaged one were looked for like any other bytes that look like groups. Those within its payload, each of
    // which claims half a mebibyte, had spent what may be hashed in vain, and the groups behind it were passed over: a damaged
    // acknowledged record counted as a torn tail.
    for durable_upto in [&[1][..], &[1, 2, 3], &[0, 0, 1]] {
        let bytes = spending(2 << 10, 1 << 10, durable_upto);
        let last = durable_upto.iter().copied().max().unwrap();
        assert_eq!(bytes.flipped(120).proof(), proven(last));
        for offset in [0, 4, 5, 6, 8, 16, 24, 28, 32, 40, 48, 80, 1 << 20] {
            let proof = bytes.flipped(offset).proof();
            assert!(proof.says_durable(1), "{durable_upto:?}, byte {offset}");
        }
    }
}

#[test]
fn a_damaged_length_that_swallows_several_groups_hides_none_of_them() {
    let bytes = spending(800, 28, &[0, 1, 1]);
    let damaged = bytes.flipped(6);
    let header = damaged.segment().header_at(SEGMENT_HEADER_BYTES).unwrap();
    let end = SEGMENT_HEADER_BYTES + length(&header);
    assert_eq!(end, bytes.starts[1] + (64 << 10));
    assert!(bytes.starts[3] < end);
    assert!(damaged.proof().says_durable(1));
}

#[test]
fn a_crafted_payload_does_not_hide_the_group_behind_it() {
    let bytes = Chained::new()
        .group(&crafted(2 << 20), 0)
        .group(&vec![5; 4 << 20], 1);
    let found = |flip: usize| {
        let damaged = bytes.flipped(flip);
        let mut search = Search::default();
        let segment = damaged.segment();
        let found = segment.next_sound_behind(SEGMENT_HEADER_BYTES, &mut search);
        (found.unwrap().header.number, search.gave_up)
    };
    assert_eq!(found(120), (2, false), "the payload is passed over");
    assert_eq!(found(5), (2, true), "its length is not known");
}

#[test]
fn groups_within_groups_within_a_payload_are_no_reason_to_give_up() {
    let mut inner = three().bytes;
    for _ in 0..6 {
        let outer = Chained::new().group(&inner, 0).group(&inner, 1);
        inner = outer.bytes;
    }
    let bytes = Chained::new().group(&inner, 0).flip(SEGMENT_HEADER_BYTES);
    let proof = bytes.proof();
    assert_eq!(
        proof,
        Proof {
            upto: None,
            gave_up: false
        }
    );
}
