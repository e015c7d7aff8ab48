//! Appending, reopening, reading back.

#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the files from outside"
)]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stemedb_wal::{Group, Journal, Options, Start, Wake};

fn read_all(journal: &Journal) -> Vec<(u64, Vec<u8>)> {
    let mut reader = journal.reader(Start::Beginning).unwrap();
    let mut records = Vec::new();
    while let Some(group) = reader.next_group().unwrap() {
        records.extend(
            group
                .records()
                .map(|record| (record.sequence, record.bytes.to_vec())),
        );
    }
    records
}

fn small(directory: &Path) -> Journal {
    let options = Options {
        segment_bytes_max: 4096,
        recent_bytes_max: 0,
        ..Options::default()
    };
    options.open(directory).unwrap()
}

#[test]
fn records_are_there_after_reopening_and_the_sequence_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    for cycle in 0..5_u64 {
        let mut journal = Journal::open(directory.path()).unwrap();
        assert_eq!(
            journal.append(format!("record {cycle}")).unwrap(),
            cycle + 1
        );
        assert_eq!(read_all(&journal).len() as u64, cycle + 1);
        journal.close().unwrap();
    }
}

#[test]
fn rotation_loses_nothing_and_readers_cross_segments() {
    let directory = tempfile::tempdir().unwrap();
    let expected: Vec<_> = (1..=200_u64)
        .map(|n| (n, vec![u8::try_from(n).unwrap(); 100]))
        .collect();
    let mut journal = small(directory.path());
    for (sequence, bytes) in &expected {
        assert_eq!(journal.append(bytes.clone()).unwrap(), *sequence);
    }
    assert!(journal.state().segments.len() > 5);
    assert_eq!(read_all(&journal), expected);
    journal.close().unwrap();
    let journal = small(directory.path());
    assert!(!journal.report().rewritten);
    assert_eq!(read_all(&journal), expected);
    let mut reader = journal.reader(Start::AtSequence(150)).unwrap();
    let group: Group = reader.next_group().unwrap().unwrap();
    assert!(group.records().any(|record| record.sequence == 150));
    assert_eq!(reader.wait(std::time::Duration::ZERO), Wake::Groups);
}

#[test]
fn a_second_opener_is_told_who_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let _journal = Journal::open(directory.path()).unwrap();
    let error = Journal::open(directory.path()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("in use by process {}", std::process::id())),
        "{error}"
    );
}

#[test]
fn a_process_that_is_being_started_does_not_keep_the_lock() {
    // Between fork and exec a child holds a copy of every handle, that of the lock too: a journal that was closed in that moment was
    // still in use, by nobody, until the child had executed its program.
    let directory = tempfile::tempdir().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
        }
        let refused = (0..300).find_map(|_| {
            let journal = Journal::open(directory.path());
            journal.map(Journal::close).err()
        });
        is_over.store(true, Ordering::Relaxed);
        assert!(refused.is_none(), "{refused:?}");
    });
}

#[test]
fn an_untouched_journal_is_byte_for_byte_the_same_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    journal.append(*b"x").unwrap();
    journal.close().unwrap();
    let file = directory.path().join("0000000000000001.wal");
    let before = std::fs::read(&file).unwrap();
    Journal::open(directory.path()).unwrap().close().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
