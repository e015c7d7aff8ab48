//! Operations that fail, one at a time, on a log without a thread.

use std::io;

use crate::story::{directory, options, read, segment_count};
use stemedb_testkit::disk::{Effect, Operation, SimDisk};
use stemedb_wal::format::SEGMENT_BYTES_MAX;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{AppendError, Error, Log, Options, Trust};

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    disk
}

fn open(options: Options) -> Result<Log, Error> {
    options.lock(directory())?.open(&[])
}

fn large(disk: &SimDisk) -> Options {
    Options {
        segment_bytes_max: SEGMENT_BYTES_MAX,
        ..options(disk)
    }
}

fn write(log: &mut Log, record: &[u8]) -> Result<(), AppendError> {
    let mut builder = log.begin_group();
    builder.push(record, Trust::Unverified);
    log.write(builder).map(|_| ())
}

fn record_count(disk: &SimDisk) -> usize {
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).unwrap();
    groups.iter().map(|group| group.records.len()).sum()
}

fn fail(disk: &SimDisk, operation: Operation, kind: io::ErrorKind) {
    disk.plan(Some(operation), 0, Effect::Fail(kind));
}

/// Segment 2 of 2 MiB, opened again, so that its zeros come in steps of 1 MiB.
fn with_steps(disk: &SimDisk) -> Log {
    let mut log = open(large(disk)).unwrap();
    for _ in 0..5 {
        write(&mut log, &vec![1; 250_000]).unwrap();
    }
    assert_eq!(log.segments().len(), 2);
    log.close().unwrap();
    open(large(disk)).unwrap()
}

#[test]
fn groups_that_were_written_ahead_do_not_pass_for_synced_after_a_failed_extension() {
    // A group was written and not synced. The next one needed more zeros; their fsync failed with "no space", which dropped the group
    // from the page cache as well, and was taken for a failure that touches nothing. The sync after it then said that all was durable.
    let disk = disk();
    let mut log = with_steps(&disk);
    write(&mut log, &vec![2; 400_000]).unwrap();
    fail(&disk, Operation::Sync, io::ErrorKind::StorageFull);
    let result = write(&mut log, &vec![3; 400_000]);
    assert!(!disk.is_planned(), "the extension did not sync");
    assert!(matches!(result, Err(AppendError::Unknown { .. })));
    assert!(log.is_poisoned());
    assert!(log.sync().is_err());
}

#[test]
fn no_space_for_zeros_refuses_until_the_journal_is_opened_again() {
    let disk = disk();
    let mut log = open(options(&disk)).unwrap();
    fail(&disk, Operation::Write, io::ErrorKind::StorageFull);
    for _ in 0..2 {
        let refused = write(&mut log, b"a");
        assert!(matches!(refused, Err(AppendError::NoSpace { .. })));
    }
    drop(log);
    let mut log = open(options(&disk)).unwrap();
    write(&mut log, b"a").unwrap();
    log.sync().unwrap();
    disk.crash(0);
    open(options(&disk)).unwrap();
    assert_eq!(record_count(&disk), 1);
}

#[test]
fn no_space_for_the_next_segment_lets_no_smaller_group_overtake() {
    // A group was refused for want of room for the next segment. A smaller one behind it still fitted the last segment and was
    // acknowledged: the journal was no prefix of what was submitted.
    let disk = disk();
    let mut log = open(options(&disk)).unwrap();
    write(&mut log, &[1; 3000]).unwrap();
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        disk.plan(Some(Operation::Write), 0, Effect::Fail(kind));
        for record in [&[2; 3000][..], b"small"] {
            let refused = write(&mut log, record);
            assert!(matches!(refused, Err(AppendError::NoSpace { .. })));
        }
        log.sync().unwrap();
        drop(log);
        log = open(options(&disk)).unwrap();
    }
    write(&mut log, &[2; 3000]).unwrap();
    log.close().unwrap();
    assert_eq!(record_count(&disk), 2);
}

#[test]
fn a_failed_sync_is_final_and_never_tried_again() {
    let disk = disk();
    let mut log = open(options(&disk)).unwrap();
    write(&mut log, b"a").unwrap();
    log.sync().unwrap();
    write(&mut log, b"b").unwrap();
    fail(&disk, Operation::Sync, io::ErrorKind::Other);
    assert!(matches!(log.sync(), Err(AppendError::Unknown { .. })));
    let before = disk.operation_count();
    assert!(matches!(log.sync(), Err(AppendError::Poisoned { .. })));
    assert!(matches!(
        write(&mut log, b"c"),
        Err(AppendError::Poisoned { .. })
    ));
    assert!(log.close().is_err());
    assert_eq!(
        disk.operation_count(),
        before,
        "something was done after the failure"
    );
    disk.crash(0);
    open(options(&disk)).unwrap();
    assert_eq!(record_count(&disk), 1);
}

#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_durable_once_it_was_recovered() {
    for seed in 0..50 {
        let disk = disk();
        let mut log = open(options(&disk)).unwrap();
        write(&mut log, b"a").unwrap();
        fail(&disk, Operation::Sync, io::ErrorKind::Other);
        assert!(log.sync().is_err());
        drop(log);
        let log = open(options(&disk)).unwrap();
        assert!(log.report().rewritten);
        assert_eq!(log.head().unwrap().sequence, 1);
        disk.crash(seed);
        open(options(&disk)).unwrap();
        assert_eq!(record_count(&disk), 1, "seed {seed}");
    }
}

/// Has each operation of opening fail in turn; gives how many there were.
fn fail_each(disk: impl Fn() -> SimDisk, kind: io::ErrorKind) -> u64 {
    for passing in 0.. {
        let disk = disk();
        disk.plan(None, passing, Effect::Fail(kind));
        let result = open(options(&disk));
        if disk.is_planned() {
            assert!(passing > 3);
            return passing;
        }
        drop(result);
        let log = open(options(&disk)).unwrap();
        assert_eq!(
            log.head().map(|head| head.sequence),
            Some(2),
            "operation {passing}"
        );
        assert_eq!(record_count(&disk), 2);
    }
    unreachable!("opening ends")
}

fn crashed() -> SimDisk {
    let disk = disk();
    let mut log = open(options(&disk)).unwrap();
    for _ in 0..2 {
        write(&mut log, &[5; 100]).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let mut files = disk.files();
    let bytes = files.values_mut().next().unwrap();
    let length = bytes.len();
    bytes[length - 1] = 1;
    SimDisk::with_files(&files)
}

#[test]
fn a_failure_at_any_operation_of_recovery_loses_nothing() {
    for kind in [
        io::ErrorKind::Other,
        io::ErrorKind::StorageFull,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::OutOfMemory,
        io::ErrorKind::Interrupted,
    ] {
        fail_each(crashed, kind);
    }
}

#[test]
fn a_wrong_bit_that_is_read_once_loses_nothing() {
    // A bad read of the last segment was taken for a torn tail, and what was acknowledged went to a `.torn` file.
    for passing in 0.. {
        let disk = crashed();
        disk.plan(Some(Operation::Read), passing, Effect::WrongBit);
        let result = open(options(&disk));
        if disk.is_planned() {
            assert!(passing > 3);
            return;
        }
        drop(result);
        open(options(&disk)).unwrap();
        assert_eq!(record_count(&disk), 2, "read {passing}");
    }
}

#[test]
fn the_head_is_not_guessed_where_the_segment_that_holds_it_is_damaged() {
    // The last segment held an empty group alone, so the head was looked for in the one before it; that one was damaged in its middle,
    // and the last group before the damage was given as the head.
    let disk = disk();
    let mut log = open(options(&disk)).unwrap();
    for _ in 0..3 {
        write(&mut log, &[5; 1112]).unwrap();
    }
    log.cover().unwrap();
    assert_eq!(
        log.segments().len(),
        2,
        "the covering group begins a segment"
    );
    log.close().unwrap();
    let mut files = disk.files();
    let first = files.values_mut().next().unwrap();
    first[1000] ^= 1;
    let damaged = SimDisk::with_files(&files);
    let error = open(options(&damaged)).unwrap_err();
    let Error::Corruption(found) = error else {
        panic!("{error:?}");
    };
    assert_eq!(found.offset, 240);
    assert!(damaged.files() == files);
}
