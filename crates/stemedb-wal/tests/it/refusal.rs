//! Segments that are missing, swapped or foreign, names that are not ours, stores that do not fit.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::story::{Files, Story, directory, segment_path};
use stemedb_wal::format::SEGMENT_FILE_BYTES_MAX;
use stemedb_wal::{Error, Fault, GroupHash, JournalId, Mark};

fn record(n: usize) -> String {
    format!("record {n} ").repeat(80)
}

fn story(records: usize) -> Story {
    let records: Vec<String> = (0..records).map(record).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    Story::small().append_all(&records).close()
}

fn three_segments() -> Story {
    let story = story(10);
    assert_eq!(story.segments(), 3);
    story
}

fn expect_gap(story: &Story, expected: (u64, u64)) {
    match story.reopen().expect_refusal() {
        Error::Gap { from, to, .. } => assert_eq!((*from, *to), expected),
        other => panic!("{other:?}"),
    }
}

fn expect_ahead(story: &Story, cursor: Mark) {
    match story.reopen_with(&[cursor]).expect_refusal() {
        Error::StoreAheadOfJournal { store, group, .. } => {
            assert_eq!((*store, *group), (cursor.sequence, cursor.group));
        }
        other => panic!("{other:?}"),
    }
}

fn expect_foreign(story: &Story, cursor: Mark) {
    let reopened = story.reopen_with(&[cursor]);
    let error = reopened.expect_refusal();
    assert!(matches!(error, Error::ForeignStore { .. }), "{error:?}");
}

#[test]
fn a_missing_segment_is_a_gap() {
    expect_gap(&three_segments().without(1), (1, 1));
    expect_gap(&three_segments().without(2), (2, 2));
    expect_gap(&three_segments().without(1).without(2), (1, 2));
}

#[test]
fn a_missing_last_segment_is_seen_by_the_store_alone() {
    let story = three_segments();
    let head = *story.marks.last().unwrap();
    let story = story.without(3);
    expect_ahead(&story, head);
    let lost = story.groups();
    let kept = lost.iter().map(|group| group.records.len()).sum();
    story.reopen().expect_records(kept);
}

#[test]
fn a_directory_without_any_segment_does_not_become_a_new_journal_under_a_store() {
    // Opening with a cursor created a journal, and refused it then; opening once more without one would have gone on in it.
    let story = three_segments();
    let head = *story.marks.last().unwrap();
    expect_ahead(&story.without(1).without(2).without(3), head);
}

#[test]
fn a_segment_under_another_number_is_refused() {
    let mut story = three_segments();
    let second = story.segment(2).clone();
    *story.segment(3) = second.clone();
    story.reopen().expect_corruption_at(3, 0);
    let mut story = three_segments();
    story.files.insert(segment_path(4), second);
    story.reopen().expect_corruption_at(4, 0);
    let mut story = three_segments();
    let (second, third) = (story.segment(2).clone(), story.segment(3).clone());
    *story.segment(2) = third;
    *story.segment(3) = second;
    let found = story.reopen().expect_corruption().clone();
    assert_eq!(
        (found.path, found.fault),
        (segment_path(2), Fault::SegmentIdentity)
    );
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let records: Vec<String> = (0..10).map(record).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let other = Story::of(JournalId([7; 16])).append_all(&records).close();
    for number in 1..=3 {
        let mut story = three_segments();
        *story.segment(number) = other.clone().segment(number).clone();
        let found = story.reopen().expect_corruption().clone();
        assert_eq!(found.fault, Fault::SegmentIdentity);
    }
}

#[test]
fn a_segment_of_another_history_of_the_same_journal_is_refused() {
    let other = Story::small()
        .append_all(&[&"x".repeat(3000), &"y".repeat(3000), &"z".repeat(3000)])
        .close();
    let mut story = three_segments();
    *story.segment(3) = other.clone().segment(3).clone();
    story.reopen().expect_corruption();
}

#[test]
fn a_segment_of_another_history_of_the_same_shape_is_refused_by_the_hash_alone() {
    // Numbers, sequences and offsets are the same in both; only the bytes of one record differ.
    let history = |first: &str| {
        let rest: Vec<String> = (1..10).map(record).collect();
        let mut records = vec![first];
        records.extend(rest.iter().map(String::as_str));
        Story::small().append_all(&records).close()
    };
    let (mut story, other) = (history("one"), history("two"));
    assert_eq!(story.segments(), 3);
    for number in 1..=3 {
        assert_eq!(story.length(number), other.length(number));
    }
    *story.segment(3) = other.clone().segment(3).clone();
    let found = story.reopen().expect_corruption().clone();
    assert_eq!((found.path, found.fault), (segment_path(2), Fault::Chain));
}

#[test]
fn names_that_are_not_ours_are_left_alone_and_named() {
    let strange = directory().join(OsStr::from_bytes(b"\xff\xfe.wal"));
    let mut story = three_segments()
        .put("notes.txt", b"hello")
        .put("000000000000000A.wal", b"upper case")
        .put("0000000000000000.wal", b"no number")
        .put("other.tmp", b"not ours");
    story.files.insert(strange.clone(), b"?".to_vec());
    let reopened = story.reopen();
    let report = reopened.expect_records(10);
    let mut names: Vec<PathBuf> = report.foreign.iter().map(PathBuf::from).collect();
    names.sort();
    assert_eq!(names.len(), 5);
    for name in names {
        let path = directory().join(name);
        assert_eq!(reopened.files[&path], story.files[&path]);
    }
}

#[test]
fn leftovers_of_ours_are_removed() {
    let reopened = three_segments()
        .put("spare-0000000000000004.tmp", &[0; 100])
        .put("recover-0000000000000003.tmp", b"half")
        .put("recover-0000000000000003-torn.tmp", b"half")
        .reopen();
    assert!(reopened.expect_records(10).foreign.is_empty());
    let tmp = |files: &Files| {
        files
            .keys()
            .any(|path| path.extension() == Some(OsStr::new("tmp")))
    };
    assert!(!tmp(&reopened.files));
}

#[test]
fn leftovers_stay_where_opening_is_refused() {
    let story = three_segments().put("spare-0000000000000004.tmp", &[0; 100]);
    story.without(2).reopen().expect_refusal();
}

#[test]
fn what_was_torn_before_is_not_overwritten() {
    let story = three_segments().put("0000000000000003-1.torn", b"old");
    let reopened = story.extend(3, b"garbage").reopen();
    let kept = reopened
        .expect_records(10)
        .torn
        .clone()
        .unwrap()
        .kept
        .unwrap();
    assert_eq!(kept, directory().join("0000000000000003-2.torn"));
    assert_eq!(reopened.files[&kept], b"garbage");
}

#[test]
fn a_file_longer_than_any_segment_is_not_read() {
    let mut story = three_segments();
    let length = usize::try_from(SEGMENT_FILE_BYTES_MAX).unwrap() + 1;
    story.segment(3).resize(length, 0);
    let found = story.reopen().expect_corruption().clone();
    assert_eq!(found.fault, Fault::Oversize);
}

#[test]
fn a_newer_version_is_refused_in_every_segment() {
    for number in 1..=3 {
        let mut story = three_segments();
        let header = story.segment(number);
        header[8] = 2;
        let hash = blake3::hash(&header[..96]);
        header[96..128].copy_from_slice(hash.as_bytes());
        let reopened = story.reopen();
        let error = reopened.expect_refusal();
        assert!(matches!(error, Error::UnsupportedVersion { found: 2, .. }));
    }
}

#[test]
fn every_mark_of_the_journal_fits_it() {
    let story = three_segments();
    for mark in &story.marks {
        story.reopen_with(&[*mark]).expect_records(10);
    }
    story.reopen_with(&story.marks).expect_records(10);
}

#[test]
fn marks_that_differ_in_anything_do_not_fit() {
    let story = three_segments();
    for mark in story.marks.iter().copied() {
        let other = JournalId([7; 16]);
        expect_foreign(
            &story,
            Mark {
                journal: other,
                ..mark
            },
        );
        expect_foreign(
            &story,
            Mark {
                hash: GroupHash([0; 32]),
                ..mark
            },
        );
        expect_foreign(
            &story,
            Mark {
                sequence: mark.sequence + 1,
                ..mark
            },
        );
    }
    let head = *story.marks.last().unwrap();
    expect_ahead(
        &story,
        Mark {
            group: head.group + 1,
            ..head
        },
    );
    let far = Mark {
        group: u64::MAX,
        sequence: u64::MAX,
        ..head
    };
    expect_ahead(&story, far);
}

#[test]
fn a_store_of_another_journal_is_foreign_however_far_it_is() {
    let story = three_segments();
    let head = *story.marks.last().unwrap();
    let far = Mark {
        group: 1000,
        journal: JournalId([7; 16]),
        ..head
    };
    expect_foreign(&story, far);
}

#[test]
fn an_old_copy_of_the_journal_that_grew_past_the_store_is_foreign() {
    let old = story(5);
    let grown = old.clone().append_all(&["a", "b", "c"]).close();
    let other = old.append_all(&["d", "e", "f", "g"]).close();
    let cursor = *grown.marks.last().unwrap();
    expect_foreign(&other, cursor);
}

#[test]
fn one_cursor_that_does_not_fit_is_enough() {
    let story = three_segments();
    let head = *story.marks.last().unwrap();
    let ahead = Mark {
        group: head.group + 9,
        ..head
    };
    story
        .reopen_with(&[head, ahead, story.marks[0]])
        .expect_refusal();
}
