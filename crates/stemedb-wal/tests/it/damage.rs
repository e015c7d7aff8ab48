//! A small journal of three segments, damaged at every byte, with and without the cursor of a store.
//!
//! For each damage the tests know the one outcome that is right, from where the groups lie and what they say is durable.

use crate::story::{Lying, Reopened, Story};
use stemedb_wal::Error;
use stemedb_wal::format::SEGMENT_HEADER_BYTES;

/// Three segments, of several groups each.
fn three_segments() -> Story {
    let records: Vec<String> = (0..11_usize)
        .map(|n| format!("record {n} ").repeat(60 + n))
        .collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let story = Story::small().append_all(&records);
    assert_eq!(story.segments(), 3);
    story
}

fn closed() -> Story {
    three_segments().close()
}

/// How many records lie in whole groups before a place.
fn records_before(groups: &[Lying], segment: u64, offset: u64) -> usize {
    let before = |group: &&Lying| (group.segment, group.end) <= (segment, offset);
    groups
        .iter()
        .filter(before)
        .map(|group| group.records.len())
        .sum()
}

/// Whether a group behind this one says that it is durable.
fn is_proven(groups: &[Lying], damaged: &Lying) -> bool {
    groups.iter().any(|group| {
        group.segment == damaged.segment
            && group.offset > damaged.offset
            && group.header.durable_upto >= damaged.header.number
    })
}

fn group_at(groups: &[Lying], segment: u64, offset: u64) -> Option<&Lying> {
    groups
        .iter()
        .find(|group| group.segment == segment && (group.offset..group.end).contains(&offset))
}

fn expect_header_refused(reopened: &Reopened, segment: u64) {
    match reopened.expect_refusal() {
        Error::UnsupportedVersion { .. } => {}
        Error::Corruption(found) => {
            assert_eq!(found.path, crate::story::segment_path(segment));
            assert_eq!(found.offset, 0);
        }
        other => panic!("{other:?}"),
    }
}

/// The one right outcome of a flip.
fn check_flip(whole: &Story, groups: &[Lying], segment: u64, (offset, bit): (usize, u32)) {
    let reopened = whole.clone().flip_bit(segment, offset, bit).reopen();
    let is_last = segment == whole.segments();
    let in_segment = || groups.iter().filter(|group| group.segment == segment);
    let Some(damaged) = group_at(groups, segment, offset as u64) else {
        if offset < SEGMENT_HEADER_BYTES {
            let first = in_segment().next().unwrap();
            let is_newer = matches!(reopened.result, Err(Error::UnsupportedVersion { .. }));
            if is_newer || segment == 1 || !is_last || is_proven(groups, first) {
                return expect_header_refused(&reopened, segment);
            }
            // A bad header counts as a bad first group, and nothing says that this one was acknowledged.
            reopened.expect_records(records_before(groups, segment, 0));
            return;
        }
        // In the zeros behind the last group.
        assert!(is_last);
        reopened.expect_records(whole.records.len());
        return;
    };
    let last = in_segment().next_back().unwrap();
    if !is_last && damaged.offset == last.offset {
        reopened.expect_corruption_at(segment, damaged.offset);
    } else if !is_last {
        reopened.expect_damage_when_read(segment, damaged.offset);
        let path = crate::story::segment_path(segment);
        assert!(reopened.files[&path] == reopened.before.files[&path]);
    } else if is_proven(groups, damaged) {
        reopened.expect_corruption_at(segment, damaged.offset);
    } else {
        let kept = records_before(groups, segment, damaged.offset);
        let torn = reopened.expect_records(kept).torn.clone().unwrap();
        assert_eq!((torn.segment, torn.offset), (segment, damaged.offset));
    }
}

fn flip_every_byte(whole: &Story, bits: impl Fn(usize) -> u32) {
    let groups = whole.groups();
    for segment in 1..=whole.segments() {
        for offset in 0..whole.length(segment) {
            check_flip(whole, &groups, segment, (offset, bits(offset)));
        }
    }
}

#[test]
fn a_flip_of_any_byte_of_a_closed_journal_is_never_another_answer() {
    flip_every_byte(&closed(), |offset| {
        u32::try_from(offset.wrapping_mul(2_654_435_761) >> 7).map_or(0, |mixed| mixed % 8)
    });
}

#[test]
fn a_flip_of_any_byte_of_a_crashed_journal_is_never_another_answer() {
    flip_every_byte(&three_segments(), |_| 0);
}

#[test]
fn a_flip_of_any_bit_of_a_header_is_never_another_answer() {
    let whole = closed();
    let groups = whole.groups();
    let headers =
        (1..=3).flat_map(|segment| (0..SEGMENT_HEADER_BYTES).map(move |at| (segment, at)));
    let of_groups = groups.iter().flat_map(|group| {
        let start = usize::try_from(group.offset).unwrap();
        (start..start + 112).map(|at| (group.segment, at))
    });
    for (segment, offset) in headers.chain(of_groups) {
        for bit in 0..8 {
            check_flip(&whole, &groups, segment, (offset, bit));
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_loses_nothing_silently_but_the_unproven_end() {
    for whole in [closed(), three_segments()] {
        let groups = whole.groups();
        let last = whole.segments();
        for segment in 1..=last {
            let end = groups.iter().rfind(|g| g.segment == segment).unwrap().end;
            for length in 0..whole.length(segment) {
                let reopened = whole.clone().truncate(segment, length).reopen();
                if segment == last && length < SEGMENT_HEADER_BYTES {
                    reopened.expect_records(records_before(&groups, segment, 0));
                } else if segment == last {
                    reopened.expect_records(records_before(&groups, segment, length as u64));
                } else if (length as u64) < end {
                    reopened.expect_corruption();
                } else {
                    reopened.expect_records(whole.records.len());
                }
            }
        }
    }
}

#[test]
fn with_the_cursor_of_a_store_at_the_head_nothing_is_lost_at_all() {
    for whole in [closed(), three_segments()] {
        let head = *whole.marks.last().unwrap();
        let groups = whole.groups();
        let check = |damaged: Story, what: &str| {
            let reopened = damaged.reopen_with(&[head]);
            match &reopened.result {
                Err(Error::StoreAheadOfJournal { store, group, .. }) => {
                    assert_eq!((*store, *group), (head.sequence, head.group), "{what}");
                    reopened.expect_refusal();
                }
                Err(_) => {
                    reopened.expect_refusal();
                }
                Ok(_) => {
                    reopened.expect_records(whole.records.len());
                }
            }
        };
        let last = whole.segments();
        let start = groups.iter().find(|g| g.segment == last).unwrap().offset;
        for length in 0..whole.length(last) {
            check(whole.clone().truncate(last, length), "cut");
            check(whole.clone().flip(last, length), "flip");
        }
        check(whole.clone().without(last), "missing");
        check(
            whole.clone().zero(last, 0..usize::try_from(start).unwrap()),
            "header",
        );
        check(whole.clone().zero(last, 0..whole.length(last)), "zeros");
    }
}

#[test]
fn zeros_behind_the_last_group_are_no_damage() {
    for size in [1, 15, 16, 17, 112, 128, 512, 4096, 1 << 20] {
        for segment in 1..=3 {
            let zeros = vec![0; size];
            let reopened = closed().extend(segment, &zeros).reopen();
            let report = reopened.expect_records(11);
            assert_eq!(report.rewritten, segment == 3);
            assert_eq!(report.seals_finished.contains(&segment), segment < 3);
            assert_eq!(report.torn, None);
        }
    }
}

#[test]
fn garbage_behind_the_last_group_is_kept_aside_or_refused() {
    for size in [1, 16, 111, 112, 113, 512, 4096] {
        let garbage: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8 | 1).collect();
        for segment in 1..=3 {
            let reopened = closed().extend(segment, &garbage).reopen();
            if segment < 3 {
                reopened.expect_corruption();
                continue;
            }
            let torn = reopened.expect_records(11).torn.clone().unwrap();
            assert_eq!(torn.bytes, u64::from(size));
            assert_eq!(reopened.files[&torn.kept.unwrap()], garbage);
        }
    }
}

#[test]
fn a_last_segment_without_a_header_is_refused_if_a_group_proves_another_durable() {
    let whole = closed();
    let in_last = whole.groups().iter().filter(|g| g.segment == 3).count();
    assert!(in_last > 1);
    let reopened = whole.zero(3, 0..SEGMENT_HEADER_BYTES).reopen();
    reopened.expect_corruption_at(3, 0);
}

#[test]
fn a_last_segment_of_zeros_is_one_that_never_got_its_first_group() {
    let whole = closed();
    let groups = whole.groups();
    let length = whole.length(3);
    let reopened = whole.zero(3, 0..length).reopen();
    let report = reopened.expect_records(records_before(&groups, 3, 0));
    assert_eq!(report.torn, None);
    assert_eq!(reopened.story().segments(), 2);
}
