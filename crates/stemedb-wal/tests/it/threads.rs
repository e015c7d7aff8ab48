//! Many writers, readers that follow, back-pressure, and failures under a log thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use crate::story::{directory, options, read, segment_count};
use stemedb_testkit::disk::{Effect, Operation, SimDisk};
use stemedb_wal::format::SEGMENT_HEADER_BYTES;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{
    Append, AppendError, Durability, Journal, JournalReader, Options, Start, Wake, Writer,
};

/// Long enough that only a hang reaches it.
const LONG: Duration = Duration::from_mins(2);

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    disk
}

/// Nothing happens by itself: the log is idle after a time that no test takes.
fn quiet(disk: &SimDisk) -> Options {
    Options {
        idle_after: LONG * 10,
        ..options(disk)
    }
}

fn open(options: Options) -> Journal {
    options.open(directory()).unwrap()
}

/// Reads what is durable, waiting until there are so many records.
fn read_records(reader: &mut JournalReader, count: usize) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    while records.len() < count {
        match reader.next_group().unwrap() {
            Some(group) => {
                records.extend(group.records().map(|r| (r.sequence, r.bytes.to_vec())));
            }
            None => assert_ne!(reader.wait(LONG), Wake::Ended),
        }
    }
    records
}

fn in_files(disk: &SimDisk) -> Vec<(u64, Vec<u8>)> {
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).unwrap();
    groups.into_iter().flat_map(|group| group.records).collect()
}

fn append_many(writer: &Writer, name: usize) -> Vec<(u64, Vec<u8>)> {
    let mut acknowledged = Vec::new();
    for round in 0..50 {
        let records: Vec<Vec<u8>> = (0..=round % 4)
            .map(|n| format!("{name} {round} {n}").into_bytes())
            .collect();
        let appended = writer.append_all(records.clone()).wait().unwrap();
        assert_eq!(appended.records as usize, records.len());
        acknowledged.extend((appended.first_sequence..).zip(records));
    }
    acknowledged
}

/// Everything that was acknowledged is in the files at its sequence, and nothing else is.
fn expect_exactly(disk: &SimDisk, acknowledged: Vec<(u64, Vec<u8>)>) {
    let count = acknowledged.len();
    let expected: BTreeMap<u64, Vec<u8>> = acknowledged.into_iter().collect();
    assert_eq!(expected.len(), count, "a sequence was given out twice");
    let found: BTreeMap<u64, Vec<u8>> = in_files(disk).into_iter().collect();
    assert!(found == expected);
    assert!(expected.keys().copied().eq(1..=count as u64));
}

#[test]
fn many_threads_append_and_each_gets_its_own_sequences() {
    let disk = disk();
    let journal = open(options(&disk));
    let mut reader = journal.reader(Start::Beginning).unwrap();
    let acknowledged: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|name| {
                let writer = journal.writer();
                scope.spawn(move || append_many(&writer, name))
            })
            .collect();
        let joined = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        joined.collect()
    });
    let followed = read_records(&mut reader, acknowledged.len());
    journal.close().unwrap();
    assert!(followed == in_files(&disk));
    expect_exactly(&disk, acknowledged);
}

#[test]
fn many_tasks_append_and_share_groups() {
    let disk = disk();
    let journal = open(options(&disk));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let acknowledged = runtime.block_on(async {
        let tasks: Vec<_> = (0..200_u32)
            .map(|name| {
                let writer = journal.writer();
                let record = name.to_le_bytes().to_vec();
                tokio::spawn(async move {
                    let appended = writer.append(record.clone()).await.unwrap();
                    (appended.first_sequence, record)
                })
            })
            .collect();
        let mut acknowledged = Vec::new();
        for task in tasks {
            acknowledged.push(task.await.unwrap());
        }
        acknowledged
    });
    journal.close().unwrap();
    expect_exactly(&disk, acknowledged);
}

#[test]
fn readers_get_the_same_from_memory_and_from_files() {
    let from = |recent_bytes_max| {
        let disk = disk();
        let options = Options {
            recent_bytes_max,
            ..quiet(&disk)
        };
        let journal = open(options);
        for n in 0..100_u8 {
            journal.writer().append(vec![n; 200]).wait().unwrap();
        }
        assert!(journal.state().segments.len() > 5);
        (0..=101)
            .map(|sequence| {
                let mut readers = [Start::AtSequence(sequence), Start::AfterGroup(sequence)]
                    .map(|start| journal.reader(start).unwrap());
                let passed = readers.each_ref().map(JournalReader::passed_bytes);
                let count = 101 - usize::try_from(sequence.max(1)).unwrap();
                let records = read_records(&mut readers[0], count);
                let next = readers.map(|mut reader| {
                    reader.next_group().unwrap();
                    reader.passed_bytes()
                });
                (passed, next, records)
            })
            .collect::<Vec<_>>()
    };
    let (files, memory, both) = (from(0), from(32 << 20), from(4000));
    assert!(files == memory && files == both);
    let (_, _, records) = &files[37];
    assert_eq!(records.first().unwrap().0, 37);
}

#[test]
fn a_reader_that_begins_with_a_recent_group_passes_over_none_before_it() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    for n in 0..10_u8 {
        journal.append([n; 100]).unwrap();
    }
    // The header of the first group: whoever passes over it is told.
    let first = disk
        .files()
        .into_keys()
        .find(|path| path.extension().is_some())
        .unwrap();
    disk.flip(&first, SEGMENT_HEADER_BYTES, 0xff);
    let mut reader = journal.reader(Start::AtSequence(5)).unwrap();
    assert_eq!(read_records(&mut reader, 6)[0].0, 5);
    journal.close().unwrap();
}

#[test]
fn a_reader_begins_behind_a_group() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    for n in 0..20_u8 {
        journal.append([n; 500]).unwrap();
    }
    for group in 0..=21 {
        let mut reader = journal.reader(Start::AfterGroup(group)).unwrap();
        let first = reader.next_group().unwrap().map(|group| group.number());
        assert_eq!(first, (group < 21).then_some(group + 1));
    }
}

fn is_waiting(append: &Append) -> bool {
    format!("{append:?}").contains("Waiting")
}

#[test]
fn appends_wait_for_a_consumer_that_is_behind() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let mut reader = journal.reader(Start::Beginning).unwrap();
    let consumer = reader.consumer(1000);
    journal.append([1; 2000]).unwrap();
    let waiting = journal.writer().append([2; 10]);
    assert!(is_waiting(&waiting));
    read_records(&mut reader, 1);
    consumer.consumed(reader.passed_bytes());
    assert_eq!(waiting.wait().unwrap().first_sequence, 2);
}

#[test]
fn appends_are_refused_once_the_consumer_has_failed() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let consumer = journal.reader(Start::Beginning).unwrap().consumer(1000);
    journal.append([1; 2000]).unwrap();
    let waiting = journal.writer().append([2; 10]);
    assert!(is_waiting(&waiting));
    consumer.fail();
    let refused = [waiting.wait(), journal.writer().append([3; 10]).wait()];
    for refused in refused {
        let expected = |error: &AppendError| matches!(error, AppendError::Backpressure { behind_bytes, limit_bytes: 1000 } if *behind_bytes > 2000);
        assert!(refused.as_ref().is_err_and(expected), "{refused:?}");
    }
}

#[test]
fn appends_are_refused_where_the_consumer_could_not_begin() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    journal.append([1; 2000]).unwrap();
    journal.watch().refuse_beyond(1000);
    journal.append([2; 10]).unwrap();
    journal.append([3; 2000]).unwrap();
    let refused = journal.append([4; 10]);
    assert!(
        matches!(
            refused,
            Err(AppendError::Backpressure {
                limit_bytes: 1000,
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn appends_go_on_once_the_consumer_is_gone() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let consumer = journal.reader(Start::Beginning).unwrap().consumer(1000);
    journal.append([1; 2000]).unwrap();
    let waiting = journal.writer().append([2; 10]);
    assert!(is_waiting(&waiting));
    drop(consumer);
    waiting.wait().unwrap();
}

#[test]
fn a_full_queue_makes_appends_wait_and_loses_none() {
    let disk = disk();
    let options = Options {
        queue_bytes_max: 500,
        ..quiet(&disk)
    };
    let journal = open(options);
    let writer = journal.writer();
    let appends: Vec<Append> = (0..200_u8).map(|n| writer.append([n; 200])).collect();
    let acknowledged: Vec<_> = (0..200_u8)
        .zip(appends)
        .map(|(n, append)| (append.wait().unwrap().first_sequence, vec![n; 200]))
        .collect();
    journal.close().unwrap();
    expect_exactly(&disk, acknowledged);
}

#[test]
fn dropping_the_journal_answers_every_append() {
    let disk = disk();
    let options = Options {
        queue_bytes_max: 2000,
        ..quiet(&disk)
    };
    let journal = open(options);
    let writer = journal.writer();
    let appends: Vec<Append> = (0..100_u8).map(|n| writer.append([n; 200])).collect();
    drop(journal);
    let (answered, answers) = mpsc::channel();
    std::thread::spawn(move || {
        let results: Vec<_> = appends.into_iter().map(Append::wait).collect();
        answered.send(results)
    });
    let results = answers.recv_timeout(LONG).unwrap();
    let kept = in_files(&disk);
    for (n, result) in (0..100_u8).zip(results) {
        match result {
            Ok(appended) => assert!(kept.contains(&(appended.first_sequence, vec![n; 200]))),
            Err(error) => {
                assert!(matches!(error, AppendError::Closed), "{error:?}");
                assert!(!kept.iter().any(|record| record.1 == [n; 200]));
            }
        }
    }
    let refused = writer.append(*b"late").wait();
    assert!(matches!(refused, Err(AppendError::Closed)));
}

#[test]
fn a_failed_fsync_poisons_the_journal_and_nothing_acknowledged_is_missing() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    journal.append(*b"kept").unwrap();
    let watch = journal.watch();
    disk.plan(Some(Operation::Sync), 0, Effect::Fail(io::ErrorKind::Other));
    let lost = journal.append(*b"lost");
    assert!(matches!(lost, Err(AppendError::Unknown { .. })), "{lost:?}");
    let later = journal.append(*b"later");
    assert!(
        matches!(later, Err(AppendError::Poisoned { .. })),
        "{later:?}"
    );
    assert!(watch.failure().is_some());
    assert_eq!(watch.durable_sequence(), 1);
    // Closing a poisoned journal said that all was well.
    assert!(journal.close().is_err());
    disk.crash(1);
    let journal = open(quiet(&disk));
    assert_eq!(journal.state().durable_sequence(), 1);
    journal.close().unwrap();
    assert_eq!(in_files(&disk), [(1, b"kept".to_vec())]);
}

#[test]
fn a_failed_fsync_after_interval_acknowledgements_fails_the_next_append() {
    let disk = disk();
    let options = Options {
        durability: Durability::Interval(LONG),
        ..quiet(&disk)
    };
    let mut journal = open(options);
    assert_eq!(journal.append(*b"a").unwrap(), 1);
    assert_eq!(journal.append(*b"b").unwrap(), 2);
    assert_eq!(journal.watch().durable_sequence(), 0);
    assert!(
        journal
            .reader(Start::Beginning)
            .unwrap()
            .next_group()
            .unwrap()
            .is_some_and(|first| first.mark().is_none())
    );
    disk.plan(Some(Operation::Sync), 0, Effect::Fail(io::ErrorKind::Other));
    // The rotation syncs what was written before.
    let failed = journal.append([3; 8000]);
    assert!(
        matches!(failed, Err(AppendError::Unknown { .. })),
        "{failed:?}"
    );
    let next = journal.append(*b"d");
    assert!(
        matches!(next, Err(AppendError::Poisoned { .. })),
        "{next:?}"
    );
    assert!(journal.watch().failure().is_some());
}

#[test]
fn an_interval_is_synced_when_it_is_over_and_at_the_end() {
    let disk = disk();
    let options = Options {
        durability: Durability::Interval(Duration::from_millis(1)),
        ..quiet(&disk)
    };
    let mut journal = open(options);
    let mut reader = journal.reader(Start::Beginning).unwrap();
    journal.append(*b"a").unwrap();
    assert_eq!(read_records(&mut reader, 1), [(1, b"a".to_vec())]);
    journal.append(*b"b").unwrap();
    journal.close().unwrap();
    disk.crash(1);
    assert_eq!(in_files(&disk).len(), 2);
}

#[test]
fn an_interval_without_end_is_synced_at_the_end() {
    // The end of the interval was computed without regard to overflow, which ended the log thread.
    let disk = disk();
    let options = Options {
        durability: Durability::Interval(Duration::MAX),
        idle_after: Duration::MAX,
        ..options(&disk)
    };
    let mut journal = open(options);
    assert_eq!(journal.append(*b"a").unwrap(), 1);
    assert_eq!(journal.append(*b"b").unwrap(), 2);
    assert_eq!(journal.watch().durable_sequence(), 0);
    journal.close().unwrap();
    disk.crash(1);
    assert_eq!(in_files(&disk).len(), 2);
}

#[test]
fn no_space_for_the_next_segment_refuses_appends_until_the_journal_is_opened_again() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    journal.append([1; 1000]).unwrap();
    disk.plan(
        Some(Operation::Write),
        0,
        Effect::Fail(io::ErrorKind::StorageFull),
    );
    let refused = journal.append([2; 3500]);
    assert!(
        matches!(refused, Err(AppendError::NoSpace { .. })),
        "{refused:?}"
    );
    assert_eq!(journal.watch().durable_sequence(), 1);
    let refused = journal.append([3; 10]);
    assert!(
        matches!(refused, Err(AppendError::NoSpace { .. })),
        "{refused:?}"
    );
    drop(journal);
    let mut journal = open(quiet(&disk));
    assert_eq!(journal.append([3; 3500]).unwrap(), 2);
    journal.close().unwrap();
    assert_eq!(in_files(&disk).len(), 2);
}

#[test]
fn a_wait_ends_when_it_is_interrupted() {
    let disk = disk();
    let journal = open(quiet(&disk));
    let mut reader = journal.reader(Start::Beginning).unwrap();
    while reader.next_group().unwrap().is_some() {}
    let interrupt = reader.interrupt();
    let waiting = std::thread::spawn(move || reader.wait(LONG));
    interrupt.interrupt();
    assert_eq!(waiting.join().unwrap(), Wake::Interrupted);
}

#[test]
fn a_wait_ends_with_the_journal() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let mut reader = journal.reader(Start::Beginning).unwrap();
    journal.append(*b"a").unwrap();
    journal.close().unwrap();
    let mut groups = 0;
    while reader.wait(LONG) == Wake::Groups {
        groups += usize::from(reader.next_group().unwrap().is_some());
    }
    assert_eq!(
        groups, 3,
        "the first, the one with the record, the one that covers it"
    );
    assert_eq!(reader.wait(LONG), Wake::Ended);
}

#[test]
fn an_idle_log_covers_its_last_group_exactly_once() {
    let disk = disk();
    let mut journal = open(options(&disk));
    let mut reader = journal.reader(Start::Beginning).unwrap();
    journal.append(*b"a").unwrap();
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        match reader.next_group().unwrap() {
            Some(group) => numbers.push((group.number(), group.records().count())),
            None => assert_ne!(reader.wait(LONG), Wake::Ended),
        }
    }
    assert_eq!(numbers, [(1, 0), (2, 1), (3, 0)]);
    // Five times as long as it takes to cover a group.
    assert_eq!(reader.wait(Duration::from_millis(100)), Wake::TimedOut);
    journal.close().unwrap();
    let files = disk.files();
    let groups = read(&files, 1).unwrap();
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[2].header.durable_upto, 2);
}

#[test]
fn a_log_thread_that_panics_is_a_failure_that_everybody_hears_of() {
    // Only the end was noted: the journal looked sound to whoever asked for its failure, and took nothing more.
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let watch = journal.watch();
    journal.append(*b"a").unwrap();
    journal
        .writer()
        .append_all_then(vec![b"b".to_vec()], |_| panic!("it was told to panic"));
    let mut reader = journal.reader(Start::Beginning).unwrap();
    while reader.wait(LONG) == Wake::Groups {
        reader.next_group().unwrap();
    }
    assert_eq!(reader.wait(LONG), Wake::Ended);
    assert!(matches!(watch.failure(), Some(AppendError::Closed)));
    assert!(matches!(journal.append(*b"c"), Err(AppendError::Closed)));
    assert!(matches!(journal.close(), Err(AppendError::Closed)));
}

#[test]
fn an_end_that_was_asked_for_is_no_failure() {
    let disk = disk();
    let journal = open(quiet(&disk));
    let watch = journal.watch();
    journal.close().unwrap();
    assert!(watch.failure().is_none());
}

#[test]
fn an_append_of_no_records_is_refused_and_writes_nothing() {
    // A group without records was written, and the answer named a sequence that was not given out as its last one.
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let before = disk.files();
    let refused = journal.writer().append_all(Vec::new()).wait();
    assert!(matches!(refused, Err(AppendError::Empty)), "{refused:?}");
    assert!(disk.files() == before);
    assert_eq!(journal.append(*b"a").unwrap(), 1);
}

#[test]
fn a_record_over_the_limit_is_refused_before_anything_is_written() {
    let disk = disk();
    let mut journal = open(quiet(&disk));
    let before = disk.files();
    let limit = stemedb_wal::format::RECORD_BYTES_MAX;
    let refused = journal.append(vec![0; limit + 1]);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    assert!(disk.files() == before);
    assert_eq!(journal.append(vec![7; limit]).unwrap(), 1);
    journal.close().unwrap();
    assert_eq!(in_files(&disk)[0].1.len(), limit);
}
