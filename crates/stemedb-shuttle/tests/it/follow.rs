//! Readers that follow while others write: never past what is durable, never a hole, never a wait without end.

use shuttle::thread;
use std::time::Duration;
use stemedb_wal::{
    AppendError, Durability, Journal, JournalReader, JournalWatch, Options, Start, Wake,
};

use crate::disk::Disk;
use crate::schedule::check;
use crate::story::{
    ENDLESS, directory, durable_records, next_records, open, options, record, records_in, recovered,
};

/// So long that two of them fill a segment.
const LONG_BYTES: usize = 1500;
const SHORT_BYTES: usize = 40;

/// Follows to the end, and expects each record to be durable, and the watch to say so, when it is read.
fn follow(mut reader: JournalReader, watch: &JournalWatch, disk: &Disk) -> Vec<(u64, Vec<u8>)> {
    let mut read: Vec<(u64, Vec<u8>)> = Vec::new();
    while let Some(records) = next_records(&mut reader) {
        let Some((last, _)) = records.last() else {
            continue;
        };
        assert!(*last <= watch.durable_sequence(), "a reader is ahead");
        let durable = durable_records(disk);
        for (sequence, record) in &records {
            assert!(
                durable.get(sequence) == Some(record),
                "{sequence} was read and is not durable"
            );
        }
        read.extend(records);
    }
    let sequences = read.iter().map(|(sequence, _)| *sequence);
    assert!(sequences.eq(1..=read.len() as u64), "a reader saw a hole");
    read
}

fn follow_under_appends(options: Options, disk: &Disk, bytes: usize) {
    let journal = options.open(directory()).unwrap();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let reader = journal.reader(Start::Beginning).unwrap();
            let (watch, disk) = (journal.watch(), disk.clone());
            thread::spawn(move || follow(reader, &watch, &disk))
        })
        .collect();
    append_and_close(journal, bytes);
    let expected: Vec<_> = recovered(disk).into_iter().collect();
    assert_eq!(expected.len(), 6);
    for reader in readers {
        assert!(reader.join().unwrap() == expected);
    }
}

fn append_and_close(journal: Journal, bytes: usize) {
    let threads: Vec<_> = (1..=2)
        .map(|name| {
            let writer = journal.writer();
            thread::spawn(move || {
                for number in 0..3 {
                    let append = writer.append(record(name, number, bytes));
                    append.wait().unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    journal.close().unwrap();
}

#[test]
fn a_tailer_never_passes_what_is_durable() {
    check(|| {
        let disk = Disk::new();
        follow_under_appends(options(&disk), &disk, SHORT_BYTES);
    });
}

#[test]
fn a_tailer_never_passes_what_is_durable_in_the_files() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            recent_bytes_max: 0,
            ..options(&disk)
        };
        follow_under_appends(options, &disk, SHORT_BYTES);
    });
}

#[test]
fn a_tailer_waits_for_the_sync_of_what_an_interval_has_acknowledged() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            durability: Durability::Interval(Duration::from_millis(5)),
            recent_bytes_max: 0,
            ..options(&disk)
        };
        follow_under_appends(options, &disk, SHORT_BYTES);
    });
}

#[test]
fn a_slow_reader_sees_no_hole_while_segments_are_sealed_and_renamed() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            recent_bytes_max: 0,
            ..options(&disk)
        };
        follow_under_appends(options, &disk, LONG_BYTES);
    });
}

#[test]
fn a_reader_that_begins_in_the_middle_sees_no_hole() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            recent_bytes_max: 0,
            ..options(&disk)
        };
        let journal = options.open(directory()).unwrap();
        let watch = journal.watch();
        let reader = thread::spawn(move || {
            let mut reader = watch.reader(Start::AtSequence(3)).unwrap();
            let mut read = Vec::new();
            while let Some(records) = next_records(&mut reader) {
                read.extend(records.into_iter().map(|(sequence, _)| sequence));
            }
            read
        });
        append_and_close(journal, LONG_BYTES);
        let read = reader.join().unwrap();
        let first = read.first().copied().unwrap();
        assert!(first <= 3 && read.into_iter().eq(first..=6));
    });
}

#[test]
fn an_interrupt_ends_a_wait() {
    check(|| {
        let disk = Disk::new();
        let journal = open(&disk);
        let mut reader = journal.reader(Start::Beginning).unwrap();
        let interrupt = reader.interrupt();
        let waiting = thread::spawn(move || {
            loop {
                while reader.next_group().unwrap().is_some() {}
                match reader.wait(ENDLESS) {
                    Wake::Groups => {}
                    wake => return wake,
                }
            }
        });
        interrupt.interrupt();
        assert_eq!(waiting.join().unwrap(), Wake::Interrupted);
        journal.close().unwrap();
    });
}

#[test]
fn appends_that_wait_for_a_consumer_go_on() {
    check(|| {
        let disk = Disk::new();
        let journal = open(&disk);
        let mut reader = journal.reader(Start::Beginning).unwrap();
        // Any group at all is too far behind.
        let consumer = reader.consumer(1);
        let consuming = thread::spawn(move || {
            let mut read = 0;
            while let Some(records) = next_records(&mut reader) {
                read += records.len();
                consumer.consumed(reader.passed_bytes());
            }
            read
        });
        append_and_close(journal, SHORT_BYTES);
        assert_eq!(consuming.join().unwrap(), 6);
    });
}

#[test]
fn closing_answers_appends_that_wait_for_a_consumer() {
    check(|| {
        let disk = Disk::new();
        let mut journal = open(&disk);
        journal.append(record(1, 0, SHORT_BYTES)).unwrap();
        let _behind = journal.reader(Start::Beginning).unwrap().consumer(1);
        let writer = journal.writer();
        let waiting = thread::spawn(move || writer.append(record(2, 0, SHORT_BYTES)).wait());
        journal.close().unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(AppendError::Closed)));
        assert_eq!(recovered(&disk).len(), 1);
    });
}

#[test]
fn a_walk_beside_a_writer_finds_all_that_was_durable_when_it_began() {
    check(|| {
        let disk = Disk::new();
        let mut journal = open(&disk);
        journal.append(record(1, 0, LONG_BYTES)).unwrap();
        journal.append(record(1, 1, LONG_BYTES)).unwrap();
        let watch = journal.watch();
        let disk_too = disk.clone();
        let walking = thread::spawn(move || {
            let durable = watch.durable_sequence();
            let found = records_in(&disk_too);
            assert!(found.keys().copied().eq(1..=found.len() as u64));
            assert!(found.len() as u64 >= durable);
        });
        append_and_close(journal, LONG_BYTES);
        walking.join().unwrap();
    });
}
