//! Sectors that the disk cannot read, and bits that it reads wrongly once (cases 9 and 33).

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use crate::story::{Files, Lying, Story, directory, options, read, segment_path};
use stemedb_testkit::disk::{Effect, Operation, SECTOR_BYTES, SimDisk};
use stemedb_wal::{Damaged, Error, Fault, Item, Start, salvage, walk};

/// Three segments of two groups or more, closed.
fn story() -> Story {
    let records: Vec<String> = (0..6).map(|n| format!("{n}").repeat(1500)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let story = Story::small().append_all(&records).close();
    assert_eq!(story.segments(), 3);
    story
}

/// A disk with one sector that cannot be read, for each sector of each segment.
fn each_sector(story: &Story) -> Vec<(u64, u64, SimDisk)> {
    let places = (1..=story.segments()).flat_map(|segment| {
        let sectors = (0..story.length(segment)).step_by(SECTOR_BYTES);
        sectors.map(move |offset| (segment, offset))
    });
    let broken = places.map(|(segment, offset)| {
        let disk = story.disk();
        disk.make_unreadable(&segment_path(segment), &(offset..offset + 1));
        (segment, offset as u64, disk)
    });
    broken.collect()
}

fn is_within(group: &Lying, segment: u64, offset: u64) -> bool {
    let sector = offset..offset + SECTOR_BYTES as u64;
    group.segment == segment && group.offset < sector.end && sector.start < group.end
}

fn walked(disk: &SimDisk) -> (BTreeSet<u64>, Vec<Damaged>) {
    let (mut groups, mut damaged) = (BTreeSet::new(), Vec::new());
    walk(disk, directory(), &mut |item| {
        match item {
            Item::Group { group, .. } => drop(groups.insert(group.number())),
            Item::Damaged(found) => damaged.push(found),
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (groups, damaged)
}

#[test]
fn a_walk_passes_over_a_sector_that_cannot_be_read_and_names_what_was_in_it() {
    // The walk read each file as a whole, and ended with an I/O error where one sector of it could not be read.
    let story = story();
    let groups = story.groups();
    for (segment, offset, disk) in each_sector(&story) {
        let (found, damaged) = walked(&disk);
        let lost: Vec<&Lying> = groups
            .iter()
            .filter(|group| is_within(group, segment, offset))
            .collect();
        let kept = groups.iter().map(|group| group.header.number);
        let kept = kept.filter(|number| lost.iter().all(|group| group.header.number != *number));
        assert_eq!(found, kept.collect(), "segment {segment} offset {offset}");
        assert!(!damaged.is_empty());
        for region in &damaged {
            assert_eq!(region.path, segment_path(segment));
            assert_eq!(region.fault, Fault::Unreadable);
        }
        if let Some(first) = lost.first() {
            let named = damaged.iter().find(|region| region.offset == first.offset);
            let named = named.unwrap();
            assert_eq!(named.group, Some(first.header.number));
            assert_eq!(named.sequence, Some(first.header.first_sequence));
        }
    }
}

#[test]
fn salvage_keeps_all_but_what_a_bad_sector_holds() {
    let story = story();
    let groups = story.groups();
    for (segment, offset, disk) in each_sector(&story) {
        let target = Path::new("/new");
        let report = salvage(directory(), target, options(&disk)).unwrap();
        let lost = |group: &&Lying| is_within(group, segment, offset);
        let lost_records = groups.iter().filter(lost).map(|group| group.records.len());
        let lost_records: usize = lost_records.sum();
        let kept = story.records.len() - lost_records;
        assert_eq!(report.records, kept as u64);
        assert!(!report.damaged.is_empty());
        let missing = report.missing.iter().map(|(from, to)| to + 1 - from);
        // Nothing is known of what follows the last record that is left.
        assert!(missing.sum::<u64>() <= lost_records as u64);
    }
}

/// A read may have begun within the sector.
fn expect_offset_in_sector(error: &Error, offset: u64) {
    let text = error.to_string();
    let (_, named) = text.rsplit_once(" at offset ").expect(&text);
    let named: u64 = named.parse().unwrap();
    assert_eq!(
        named / SECTOR_BYTES as u64,
        offset / SECTOR_BYTES as u64,
        "{text}"
    );
}

#[test]
fn recovery_refuses_what_it_cannot_read_and_says_where() {
    let story = story();
    let groups = story.groups();
    let mut refused = 0;
    for (segment, offset, disk) in each_sector(&story) {
        match options(&disk).lock(directory()).unwrap().open(&[]) {
            Err(error @ Error::Io { .. }) => {
                let text = error.to_string();
                assert!(text.contains(&format!("{segment:016x}.wal")), "{text}");
                expect_offset_in_sector(&error, offset);
                assert!(disk.files() == story.files);
                refused += 1;
            }
            Err(error) => panic!("{error:?}"),
            Ok(log) => {
                // It is in the middle of a sealed segment, and whoever reads it is told.
                drop(log);
                let named = groups.iter().rfind(|group| group.segment == segment);
                assert!(segment < 3 && !is_within(named.unwrap(), segment, offset));
                let journal = options(&disk).open(directory()).unwrap();
                let mut reader = journal.reader(Start::Beginning).unwrap();
                let error = loop {
                    match reader.next_group() {
                        Ok(group) => assert!(group.is_some(), "it was not noticed"),
                        Err(error) => break error,
                    }
                };
                expect_offset_in_sector(&error, offset);
            }
        }
    }
    assert!(refused > 5);
}

fn record_count(files: &Files) -> usize {
    let groups = read(files, 3).unwrap();
    groups.iter().map(|group| group.records.len()).sum()
}

#[test]
fn one_wrong_bit_in_any_read_of_an_opening_with_cursors_is_read_over() {
    // A cursor in an older segment was compared with one reading of it, and a wrong bit there refused to open.
    let story = story();
    for passing in 0.. {
        let disk = story.disk();
        disk.plan(Some(Operation::Read), passing, Effect::WrongBit);
        let result = options(&disk).lock(directory()).unwrap();
        let result = result.open(&[story.marks[0], story.marks[3]]);
        if disk.is_planned() {
            assert!(passing > 10, "opening reads more than that");
            return;
        }
        let log = result.unwrap();
        assert_eq!(log.head().unwrap().sequence, 6, "read {passing}");
        assert_eq!(record_count(&disk.files()), 6, "read {passing}");
    }
}

#[test]
fn one_wrong_bit_in_any_read_of_a_walk_is_read_over() {
    // A walk believed its one reading, so that `verify` could report damage that is not there.
    let story = story();
    for passing in 0.. {
        let disk = story.disk();
        disk.plan(Some(Operation::Read), passing, Effect::WrongBit);
        let (groups, damaged) = walked(&disk);
        if disk.is_planned() {
            assert!(passing > 5, "a walk reads more than that");
            return;
        }
        assert_eq!(damaged, [], "read {passing}");
        assert_eq!(groups.len(), story.groups().len());
    }
}
