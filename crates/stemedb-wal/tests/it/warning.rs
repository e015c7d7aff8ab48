//! What recovery says aloud.

use crate::story::{Story, directory};
use stemedb_testkit::log;

/// Recovers what a story has left.
fn recover(story: &Story) {
    story.reopen().result.as_ref().unwrap();
}

#[test]
fn a_torn_tail_is_named_once_with_its_place() {
    let mut story = Story::small().append_all(&["a", "b"]);
    let last = story.groups().last().unwrap().offset;
    let at = usize::try_from(last).unwrap();
    story.segment(1)[at] ^= 1;
    let lines = log::warnings(|| recover(&story));
    assert_eq!(lines.len(), 1, "{lines:?}");
    let named = [
        "0000000000000001.wal".to_owned(),
        format!("offset={last} "),
        "bytes=".to_owned(),
        "0000000000000001-1.torn".to_owned(),
    ];
    for name in named {
        assert!(lines[0].contains(&name), "{name} in {lines:?}");
    }
}

#[test]
fn names_that_are_not_ours_are_named_and_a_rewrite_is_not() {
    let mut story = Story::small().append_all(&["a", "b"]);
    assert!(log::warnings_of_one_run(|| recover(&story)).is_empty());
    story
        .files
        .insert(directory().join("notes.txt"), b"?".to_vec());
    let lines = log::warnings(|| recover(&story));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("notes.txt"), "{lines:?}");
}
