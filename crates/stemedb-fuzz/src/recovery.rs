//! Recovery: whatever was done to the files, opening gives a prefix of what was written, or refuses and changes nothing.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use stemedb_wal::{Error, Item, JournalId, Log, Mark, Options, Trust, walk};

use crate::memory::{Files, Memory};
use crate::mutation::apply;

const DIRECTORY: &str = "/wal";

/// A journal as it was before the damage.
#[derive(Debug)]
struct Before {
    files: Files,
    records: Vec<Vec<u8>>,
    head: Option<Mark>,
}

/// The first byte says which journal is damaged and whether a store vouches for all of it; the rest is the damage.
pub(crate) fn run(bytes: &[u8]) {
    let Some((first, damage)) = bytes.split_first() else {
        return;
    };
    let before = if first & 1 == 0 { closed() } else { unclosed() };
    let cursors: Vec<Mark> = before.head.filter(|_| first & 2 == 0).into_iter().collect();
    let mut files = before.files.clone();
    apply(&mut files, damage);
    let damaged = Memory::new(&files);
    walk_over(&damaged);
    match open(&damaged, &cursors) {
        Err(_) => assert!(damaged.files() == files, "a refusal changed a file"),
        Ok(log) => {
            let head = log.head();
            drop(log);
            expect_prefix(before, &found_in(&damaged), head);
            let is_all = head == before.head;
            assert!(
                cursors.is_empty() || is_all,
                "a store is ahead of its journal"
            );
            expect_nothing_to_do(&damaged, &cursors);
        }
    }
}

/// What can be read is what was written, at its sequence; what cannot lies in the middle of a sealed segment, and a walk says so.
fn expect_prefix(before: &Before, after: &Found, head: Option<Mark>) {
    let last = head.map_or(0, |head| head.sequence);
    for (sequence, record) in &after.records {
        let written = sequence
            .checked_sub(1)
            .and_then(|n| usize::try_from(n).ok());
        let written = written.and_then(|index| before.records.get(index));
        assert!(written == Some(record), "a record was made up");
        assert!(*sequence <= last, "there is a record behind the head");
    }
    assert!(last <= before.records.len() as u64, "the head was made up");
    if after.damaged.is_empty() {
        let sequences = after.records.iter().map(|(sequence, _)| *sequence);
        assert!(sequences.eq(1..=last), "there is a hole, and no word of it");
    }
    assert!(
        !after.damaged.contains(&after.last_segment),
        "damage in the last segment was accepted"
    );
}

fn expect_nothing_to_do(recovered: &Memory, cursors: &[Mark]) {
    let files = recovered.files();
    let log = open(recovered, cursors).unwrap();
    let report = log.report();
    assert!(report.torn.is_none() && !report.created, "{report:?}");
    drop(log);
    assert!(
        recovered.files() == files,
        "recovering again changed a file"
    );
}

/// A journal in the damaged directory takes no more than it was given: it may say anything, but it ends.
fn walk_over(files: &Memory) {
    let walked = walk(files, Path::new(DIRECTORY), &mut |_| {
        ControlFlow::Continue(())
    });
    drop(walked);
}

/// What a walk finds.
#[derive(Debug, Default)]
struct Found {
    records: Vec<(u64, Vec<u8>)>,
    damaged: Vec<PathBuf>,
    last_segment: PathBuf,
}

fn found_in(files: &Memory) -> Found {
    let mut found = Found::default();
    let visit = &mut |item: Item<'_>| {
        match item {
            Item::Group { group, .. } => {
                let records = group.records();
                let records = records.map(|record| (record.sequence, record.bytes.to_vec()));
                found.records.extend(records);
            }
            Item::Damaged(damaged) => found.damaged.push(damaged.path),
            Item::Segment { path, .. } => path.clone_into(&mut found.last_segment),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    walk(files, Path::new(DIRECTORY), visit).unwrap();
    found
}

fn open(files: &Memory, cursors: &[Mark]) -> Result<Log, Error> {
    let options = Options {
        segment_bytes_max: 4096,
        journal_id: Some(JournalId([7; 16])),
        vfs: Arc::new(files.clone()),
        ..Options::default()
    };
    options.lock(DIRECTORY)?.open(cursors)
}

/// Three segments; the last group is covered by an empty one, or by nothing.
fn written(is_closed: bool) -> Before {
    let files = Memory::default();
    let mut log = open(&files, &[]).unwrap();
    let mut records = Vec::new();
    for number in 0..9_u8 {
        let mut group = log.begin_group();
        for part in 0..=number % 3 {
            let record = vec![number * 16 + part + 1; 10 + 100 * usize::from(number)];
            group.push(&record, Trust::Unverified);
            records.push(record);
        }
        log.write(group).unwrap();
        log.sync().unwrap();
    }
    let head = log.head();
    if is_closed {
        log.close().unwrap();
    } else {
        drop(log);
    }
    Before {
        files: files.files(),
        records,
        head,
    }
}

fn closed() -> &'static Before {
    static CLOSED: OnceLock<Before> = OnceLock::new();
    CLOSED.get_or_init(|| written(true))
}

fn unclosed() -> &'static Before {
    static UNCLOSED: OnceLock<Before> = OnceLock::new();
    UNCLOSED.get_or_init(|| written(false))
}

/// Bytes of the first segment.
pub(crate) fn first_segment() -> Vec<u8> {
    let path = Path::new(DIRECTORY).join("0000000000000001.wal");
    closed().files.get(&path).cloned().unwrap_or_default()
}

/// Each journal without damage and with each kind of it.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let first = 0..4_u8;
    first
        .flat_map(|first| {
            let damaged = (0..8_u8).map(move |kind| vec![first, kind, 2, 200, 1, 100, 0, 9, 4]);
            damaged.chain([vec![first]])
        })
        .collect()
}
