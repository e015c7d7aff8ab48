//! Bytes that were written once: a small journal, byte for byte, as the document shows it.
//!
//! A change of the format fails here. `STEMEDB_GOLDEN=write cargo test -p stemedb-wal golden` writes the bytes anew, which is right only
//! for a new version of the format; the old ones stay beside them then.

use std::fmt::Write;

use crate::story::{Story, directory, options, read, segment_path};
use stemedb_testkit::disk::SimDisk;
use stemedb_wal::Trust;
use stemedb_wal::vfs::Vfs;

const GOLDEN: &str = include_str!("../golden/v1/journal.hex");
const DOCUMENT: &str = include_str!("../../../../docs/FORMAT.md");

/// One segment: the empty group of its creation, a group of two records, the empty group that covers it.
fn journal() -> Vec<u8> {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    disk.set_clock_ms(1_700_000_000_000);
    let mut log = options(&disk).lock(directory()).unwrap().open(&[]).unwrap();
    let mut builder = log.begin_group();
    builder.push(b"first", Trust::Unverified);
    builder.push(b"second", Trust::Verified);
    log.write(builder).unwrap();
    log.close().unwrap();
    disk.files().remove(&segment_path(1)).unwrap()
}

fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        write!(text, "{:08x} ", line * 16).unwrap();
        for byte in chunk {
            write!(text, " {byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn undump(text: &str) -> Vec<u8> {
    let bytes = text
        .lines()
        .flat_map(|line| line.split_whitespace().skip(1));
    bytes
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

#[test]
fn the_bytes_of_a_journal_are_what_they_were() {
    let text = dump(&journal());
    if std::env::var("STEMEDB_GOLDEN").is_ok_and(|value| value == "write") {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1/journal.hex");
        write_file(&path, &text);
        return;
    }
    assert_eq!(text, GOLDEN);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bytes are kept in the repository"
)]
fn write_file(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_journal_of_version_1_is_opened_and_read() {
    let mut story = Story::small();
    story.files.insert(segment_path(1), undump(GOLDEN));
    story.records = vec![(1, b"first".to_vec()), (2, b"second".to_vec())];
    story.reopen().expect_records(2);
    assert_eq!(read(&story.files, 1).unwrap().len(), 3);
}

#[test]
fn the_document_shows_the_bytes_of_that_journal() {
    let lines = DOCUMENT.lines().filter(|line| {
        let (offset, rest) = line.split_at_checked(8).unwrap_or_default();
        rest.starts_with("  ") && u32::from_str_radix(offset, 16).is_ok()
    });
    let shown: Vec<&str> = lines.map(|line| &line[..57]).collect();
    assert_eq!(shown, GOLDEN.lines().collect::<Vec<_>>());
}
