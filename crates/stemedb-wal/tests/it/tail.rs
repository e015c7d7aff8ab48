//! What a crash can leave behind the last group (cases 4 to 8).

use crate::story::{Lying, Story, segment_path};
use stemedb_testkit::disk::SECTOR_BYTES;
use stemedb_wal::format::SEGMENT_BYTES_MAX;

/// Three groups with records of more than a sector in one segment, left as a crash leaves it: with zeros behind.
fn crashed() -> Story {
    let records: Vec<String> = (0..3).map(|n| format!("record {n} ").repeat(70)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    Story::small().append_all(&records)
}

fn start(group: &Lying) -> usize {
    usize::try_from(group.offset).unwrap()
}

fn end(group: &Lying) -> usize {
    usize::try_from(group.end).unwrap()
}

/// What is left goes on, and the next crash leaves it as it is.
fn expect_goes_on(story: Story, kept: usize) {
    let mut story = story;
    story.records.truncate(kept);
    story.append_all(&["new"]).reopen().expect_records(kept + 1);
}

#[test]
fn a_last_group_torn_at_any_byte_is_dropped_whole() {
    // Case 4: the write of the group got so far, and zeros are behind; how it looks where the file is cut is tested by `damage`.
    let whole = crashed();
    let last = whole.groups().pop().unwrap();
    for at in start(&last)..end(&last) {
        let torn = whole.clone().zero(1, at..end(&last));
        if torn.files == whole.files {
            continue;
        }
        let reopened = torn.reopen();
        let report = reopened.expect_records(2);
        assert_eq!(report.torn.is_some(), at > start(&last), "{at}");
        if at % 64 == 0 {
            expect_goes_on(reopened.story(), 2);
        }
    }
}

#[test]
fn a_group_of_which_any_sectors_are_missing_is_dropped_whole() {
    // Case 5: each subset of the sectors of the last group, its first one missing and its second one there among them.
    let whole = crashed();
    let last = whole.groups().pop().unwrap();
    let (start, end) = (start(&last), end(&last));
    let sectors = start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES);
    assert!(sectors.len() >= 2);
    for subset in 1..1_usize << sectors.len() {
        let mut torn = whole.clone();
        for (bit, sector) in sectors.clone().enumerate() {
            if subset >> bit & 1 == 1 {
                let from = (sector * SECTOR_BYTES).max(start);
                torn = torn.zero(1, from..((sector + 1) * SECTOR_BYTES).min(end));
            }
        }
        let reopened = torn.reopen();
        reopened.expect_records(2);
        expect_goes_on(reopened.story(), 2);
    }
}

#[test]
fn zeros_as_long_as_the_longest_segment_are_no_damage() {
    // Case 6; shorter ones are tested by `damage`.
    let mut story = crashed();
    let length = usize::try_from(SEGMENT_BYTES_MAX).unwrap();
    story.segment(1).resize(length, 0);
    let report = story.reopen().result.unwrap();
    assert!(report.rewritten);
    assert_eq!(report.torn, None);
}

#[test]
fn groups_of_an_older_life_behind_a_dropped_tail_are_never_brought_back() {
    // Case 8: the device gives back blocks of before, with groups that are sound and in their right places.
    let older = crashed();
    let groups = older.groups();
    let [.., second, third] = groups.as_slice() else {
        panic!("{groups:?}");
    };
    for length in [1, 630, 1400] {
        // The second group was torn; another one was written in its place, shorter, as long, longer.
        let torn = older.clone().zero(1, start(second)..end(third));
        let mut life = torn.reopen().story();
        life.records.truncate(1);
        let life = life.append_all(&[&"x".repeat(length)]);
        let new_end = end(life.groups().last().unwrap());
        let mut stale = life.clone();
        let from = new_end.max(start(second));
        let blocks = older.files[&segment_path(1)][from..end(third)].to_vec();
        stale.segment(1)[from..end(third)].copy_from_slice(&blocks);
        stale.reopen().expect_records(2);
    }
}
