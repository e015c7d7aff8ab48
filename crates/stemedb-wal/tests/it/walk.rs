//! Walking over whatever is broken, and salvaging it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::story::{Files, Lying, Record, Story, directory, options, read, segment_path};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{
    Damaged, Error, Fault, Item, JournalId, Link, Options, SalvageReport, salvage, walk,
};

/// What a walk found, in short.
#[derive(Debug, Default)]
struct Found {
    lines: Vec<String>,
    groups: Vec<(u64, Link)>,
    damaged: Vec<Damaged>,
}

impl Found {
    fn in_story(story: &Story) -> Self {
        let disk = story.disk();
        let mut found = Self::default();
        walk(&disk, directory(), &mut |item| {
            found.add(item);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(disk.files() == story.files, "a walk changed a file");
        found
    }

    fn add(&mut self, item: Item<'_>) {
        let line = match item {
            Item::Segment { number, header, .. } => {
                let state = header.map_or("damaged", |_| "sound");
                format!("segment {number} {state}")
            }
            Item::Group { group, link } => {
                self.groups.push((group.number(), link));
                format!("group {} {link:?}", group.number())
            }
            Item::Damaged(damaged) => {
                let line = format!("damaged {} +{}", damaged.offset, damaged.bytes);
                self.damaged.push(damaged);
                line
            }
            Item::Zeros { offset, bytes, .. } => format!("zeros {offset} +{bytes}"),
            Item::Missing { from, to } => format!("missing {from} to {to}"),
            other => panic!("{other:?}"),
        };
        self.lines.push(line);
    }

    fn broken(&self) -> Vec<u64> {
        let broken = self.groups.iter().filter(|group| group.1 == Link::Broken);
        broken.map(|group| group.0).collect()
    }
}

/// Two records of 1,000 bytes a segment, three segments, closed.
fn story() -> Story {
    let records: Vec<String> = (0..6).map(|n| format!("{n}").repeat(1500)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let story = Story::small().append_all(&records).close();
    assert_eq!(story.segments(), 3);
    story
}

fn group_at(groups: &[Lying], segment: u64, offset: u64) -> Option<&Lying> {
    let holds =
        |group: &&Lying| group.segment == segment && (group.offset..group.end).contains(&offset);
    groups.iter().find(holds)
}

#[test]
fn a_whole_journal_is_walked_in_order() {
    let found = Found::in_story(&story().extend(3, &[0; 100]));
    let zeros = found.lines.last().unwrap().clone();
    let expected = [
        "segment 1 sound",
        "group 1 Chained",
        "group 2 Chained",
        "group 3 Chained",
        "segment 2 sound",
        "group 4 Chained",
        "group 5 Chained",
        "segment 3 sound",
        "group 6 Chained",
        "group 7 Chained",
        "group 8 Chained",
        zeros.as_str(),
    ];
    assert_eq!(found.lines, expected);
    assert!(zeros.ends_with("+100"), "{zeros}");
}

#[test]
fn a_flip_of_any_byte_is_found_where_it_is_and_hides_nothing_else() {
    let whole = story();
    let groups = whole.groups();
    for segment in 1..=3 {
        for offset in (0..whole.length(segment)).step_by(3) {
            let found = Found::in_story(&whole.clone().flip(segment, offset));
            let damaged = group_at(&groups, segment, offset as u64);
            let (from, to) = damaged.map_or((0, 128), |group| (group.offset, group.end));
            let [region] = found.damaged.as_slice() else {
                panic!("{:?}", found.lines);
            };
            assert_eq!(region.path, segment_path(segment));
            assert_eq!((region.offset, region.offset + region.bytes), (from, to));
            let number = damaged.map(|group| group.header.number);
            assert_eq!(
                found.groups.len(),
                groups.len() - usize::from(number.is_some())
            );
            // The one behind the damage does not continue the one before it.
            let behind: Vec<u64> = number
                .map(|n| n + 1)
                .filter(|n| *n <= 8)
                .into_iter()
                .collect();
            assert_eq!(found.broken(), behind);
            assert_eq!(region.group.filter(|_| number.is_some()), number);
        }
    }
}

#[test]
fn a_missing_segment_is_passed_over() {
    let found = Found::in_story(&story().without(2));
    assert!(found.lines.contains(&"missing 2 to 2".to_owned()));
    assert_eq!(found.groups.len(), 6);
}

#[test]
fn a_segment_of_another_journal_is_damage_as_a_whole() {
    let records = ["a".repeat(1500), "b".repeat(1500), "c".repeat(1500)];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let other = Story::of(JournalId([7; 16])).append_all(&records).close();
    let mut mixed = story();
    *mixed.segment(2) = other.clone().segment(2).clone();
    let found = Found::in_story(&mixed);
    assert_eq!(found.damaged[0].fault, Fault::SegmentIdentity);
    assert_eq!(found.groups.len(), 6);
}

#[test]
fn a_walk_ends_when_it_is_told_to() {
    let mut count = 0;
    walk(&story().disk(), directory(), &mut |_| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(count, 1);
}

#[test]
fn files_of_any_bytes_are_walked_without_a_panic() {
    for seed in 0..200_u64 {
        let mut random = stemedb_testkit::disk::Random::new(seed);
        let mut story = story();
        for _ in 0..random.below(20) {
            let segment = 1 + random.below(3);
            let length = story.length(segment) as u64;
            let from = usize::try_from(random.below(length)).unwrap();
            let to =
                (from + usize::try_from(random.below(600)).unwrap()).min(story.length(segment));
            let byte = u8::try_from(random.below(256)).unwrap();
            story.segment(segment)[from..to].fill(byte);
        }
        if let Ok(files) = std::panic::catch_unwind(|| Found::in_story(&story)) {
            assert!(files.groups.len() <= 8);
        } else {
            panic!("seed {seed}");
        }
    }
}

fn target() -> &'static Path {
    Path::new("/new")
}

fn salvaged(story: &Story) -> (SalvageReport, Vec<Record>) {
    let disk = story.disk();
    let options = Options {
        journal_id: Some(JournalId([3; 16])),
        ..options(&disk)
    };
    let report = salvage(directory(), target(), options).unwrap();
    let files = disk.files();
    for (path, bytes) in &story.files {
        assert!(files[path] == *bytes, "salvage touched {}", path.display());
    }
    let moved: Files = files
        .iter()
        .filter(|(path, _)| path.starts_with(target()) && path.extension().is_some())
        .map(|(path, bytes)| (directory().join(path.file_name().unwrap()), bytes.clone()))
        .collect();
    let segments = moved.len() as u64;
    let groups = read(&moved, segments).unwrap();
    let records = groups.into_iter().flat_map(|group| group.records).collect();
    (report, records)
}

#[test]
fn salvage_keeps_everything_but_what_is_damaged() {
    let whole = story();
    let groups = whole.groups();
    for group in &groups {
        let middle = usize::try_from(u64::midpoint(group.offset, group.end)).unwrap();
        let (report, records) = salvaged(&whole.clone().flip(group.segment, middle));
        let lost = group.records.first().map(|record| record.0);
        let is_kept = |record: &&Record| Some(record.0) != lost;
        let expected: Vec<&Vec<u8>> = whole.records.iter().filter(is_kept).map(|r| &r.1).collect();
        let bytes: Vec<&Vec<u8>> = records.iter().map(|r| &r.1).collect();
        assert!(bytes == expected);
        assert_eq!(report.records, expected.len() as u64);
        assert_eq!(report.damaged.len(), 1);
        let missing: Vec<(u64, u64)> = lost.map(|n| (n, n)).into_iter().collect();
        assert_eq!(report.missing, missing);
        assert_eq!(report.journal, JournalId([3; 16]));
    }
}

#[test]
fn salvage_of_a_journal_with_a_hole_says_what_is_missing() {
    let (report, records) = salvaged(&story().without(2));
    assert_eq!(report.missing_segments, [(2, 2)]);
    assert_eq!(report.missing, [(3, 4)]);
    assert_eq!(records.len(), 4);
}

#[test]
fn salvage_writes_into_nothing_but_an_empty_directory() {
    let story = story();
    let disk = story.disk();
    disk.put(&target().join("mine"), b"mine".to_vec());
    let before = disk.files();
    let error = salvage(directory(), target(), options(&disk)).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error:?}");
    assert!(disk.files() == before);
    let error = salvage(directory(), directory(), options(&disk)).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
}

#[test]
fn salvage_of_nothing_creates_nothing() {
    let disk = Story::small().disk();
    disk.create_directory(directory()).unwrap();
    let error = salvage(directory(), target(), options(&disk)).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert!(disk.list(target()).is_err());
}

#[test]
fn an_open_journal_is_not_salvaged() {
    let disk = story().disk();
    let _log = options(&disk).lock(directory()).unwrap().open(&[]).unwrap();
    let error = salvage(directory(), target(), options(&disk)).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
}

#[test]
fn what_was_salvaged_counts_as_unverified() {
    let disk = Story::small().disk();
    disk.create_directory(directory()).unwrap();
    let mut log = options(&disk).lock(directory()).unwrap().open(&[]).unwrap();
    let mut builder = log.begin_group();
    builder.push(b"a", stemedb_wal::Trust::Verified);
    log.write(builder).unwrap();
    log.close().unwrap();
    salvage(directory(), target(), options(&disk)).unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let mut trust = Vec::new();
    walk(vfs.as_ref(), target(), &mut |item| {
        if let Item::Group { group, .. } = item {
            trust.extend(group.records().map(|record| record.trust));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(trust, [stemedb_wal::Trust::Unverified]);
}
