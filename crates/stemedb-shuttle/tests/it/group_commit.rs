//! Many writers, one log thread: an answer comes once, it is right, and it comes whatever ends.

use shuttle::sync::mpsc;
use shuttle::thread;
use stemedb_wal::{Append, AppendError, Appended, Journal, Options, Writer};

use crate::disk::Disk;
use crate::schedule::check;
use crate::story::{directory, durable_records, expect_durable, open, options, record, recovered};

const RECORD_BYTES: usize = 40;

/// Appends records one after the other, and expects each to be durable when it is acknowledged.
fn append_each(writer: &Writer, disk: &Disk, name: u8) -> Vec<(u64, Vec<u8>)> {
    let watch_order = |acknowledged: &Vec<(u64, Vec<u8>)>, sequence| {
        assert!(acknowledged.last().is_none_or(|(last, _)| *last < sequence));
    };
    let mut acknowledged = Vec::new();
    for number in 0..3 {
        let record = record(name, number, RECORD_BYTES);
        let appended = writer.append(record.clone()).wait().unwrap();
        expect_durable(disk, appended, std::slice::from_ref(&record));
        watch_order(&acknowledged, appended.first_sequence);
        acknowledged.push((appended.first_sequence, record));
    }
    acknowledged
}

fn append_from_threads(disk: &Disk, journal: &Journal) -> Vec<(u64, Vec<u8>)> {
    let threads: Vec<_> = (1..=3)
        .map(|name| {
            let (writer, disk) = (journal.writer(), disk.clone());
            thread::spawn(move || append_each(&writer, &disk, name))
        })
        .collect();
    let joined = threads.into_iter().map(|thread| thread.join().unwrap());
    joined.flatten().collect()
}

#[test]
fn what_is_acknowledged_is_durable() {
    check(|| {
        let disk = Disk::new();
        let journal = open(&disk);
        let watch = journal.watch();
        let acknowledged = append_from_threads(&disk, &journal);
        assert_eq!(watch.durable_sequence(), 9);
        let recovered = recovered(&disk);
        assert!(recovered == acknowledged.into_iter().collect());
        journal.close().unwrap();
    });
}

#[test]
fn whoever_waits_for_room_gets_it() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            queue_bytes_max: 1,
            ..options(&disk)
        };
        let journal = options.open(directory()).unwrap();
        let acknowledged = append_from_threads(&disk, &journal);
        journal.close().unwrap();
        assert!(recovered(&disk) == acknowledged.into_iter().collect());
    });
}

#[test]
fn the_watch_is_never_behind_an_acknowledgement() {
    check(|| {
        let disk = Disk::new();
        let journal = open(&disk);
        let threads: Vec<_> = (1..=3)
            .map(|name| {
                let (writer, watch) = (journal.writer(), journal.watch());
                thread::spawn(move || {
                    for number in 0..3 {
                        let append = writer.append(record(name, number, RECORD_BYTES));
                        let appended = append.wait().unwrap();
                        assert!(watch.durable_sequence() >= appended.last_sequence());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        journal.close().unwrap();
    });
}

/// What became of an append of one record while the journal ended.
fn expect_resolved(
    disk: &Disk,
    record: &Vec<u8>,
    answer: Result<Appended, AppendError>,
) -> Result<(), Vec<u8>> {
    match answer {
        Ok(appended) => {
            expect_durable(disk, appended, std::slice::from_ref(record));
            Ok(())
        }
        Err(AppendError::Closed) => Err(record.clone()),
        Err(error) => panic!("{error}"),
    }
}

fn close_under_appends(queue_bytes_max: usize, end: fn(Journal)) {
    let disk = Disk::new();
    let options = Options {
        queue_bytes_max,
        ..options(&disk)
    };
    let journal = options.open(directory()).unwrap();
    let threads: Vec<_> = (1..=2)
        .map(|name| {
            let (writer, disk) = (journal.writer(), disk.clone());
            thread::spawn(move || {
                let records: Vec<_> = (0..3).map(|n| record(name, n, RECORD_BYTES)).collect();
                let appends: Vec<Append> =
                    records.iter().map(|r| writer.append(r.clone())).collect();
                let answers = appends.into_iter().map(Append::wait);
                let resolved = records.iter().zip(answers);
                let resolved = resolved.map(|(r, answer)| expect_resolved(&disk, r, answer));
                resolved.filter_map(Result::err).collect::<Vec<_>>()
            })
        })
        .collect();
    end(journal);
    let refused: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    let recovered = recovered(&disk);
    assert_eq!(recovered.len() + refused.len(), 6);
    assert!(!recovered.values().any(|record| refused.contains(record)));
}

#[test]
fn closing_answers_every_append() {
    check(|| close_under_appends(1 << 20, |journal| journal.close().unwrap()));
}

#[test]
fn dropping_answers_every_append_also_those_that_wait_for_room() {
    check(|| close_under_appends(1, drop));
}

#[test]
fn closing_calls_back_exactly_once() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            queue_bytes_max: 1,
            ..options(&disk)
        };
        let journal = options.open(directory()).unwrap();
        let (heard, hearing) = mpsc::channel();
        let threads: Vec<_> = (1..=2)
            .map(|name| {
                let (writer, heard, disk) = (journal.writer(), heard.clone(), disk.clone());
                thread::spawn(move || {
                    for number in 0..2 {
                        let (heard, disk) = (heard.clone(), disk.clone());
                        let record = record(name, number, RECORD_BYTES);
                        let records = vec![record.clone()];
                        writer.append_all_then(records, move |answer| {
                            let resolved = expect_resolved(&disk, &record, answer);
                            heard.send((name, number, resolved.is_ok())).unwrap();
                        });
                    }
                })
            })
            .collect();
        drop(heard);
        journal.close().unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        let mut answers: Vec<_> = hearing.iter().collect();
        answers.sort_unstable();
        let asked: Vec<_> = answers.iter().map(|(name, n, _)| (*name, *n)).collect();
        assert_eq!(asked, [(1, 0), (1, 1), (2, 0), (2, 1)]);
        let kept = answers.iter().filter(|(.., is_kept)| *is_kept).count();
        assert_eq!(recovered(&disk).len(), kept);
    });
}

#[test]
fn a_failed_sync_answers_everybody_and_acknowledges_nothing_more() {
    check(|| {
        let disk = Disk::new();
        let journal = open(&disk);
        let watch = journal.watch();
        disk.fail_syncs_after(1);
        let threads: Vec<_> = (1..=3)
            .map(|name| {
                let (writer, disk) = (journal.writer(), disk.clone());
                thread::spawn(move || {
                    let mut has_failed = false;
                    for number in 0..2 {
                        let record = record(name, number, RECORD_BYTES);
                        match writer.append(record.clone()).wait() {
                            Ok(appended) => {
                                assert!(!has_failed, "an append succeeded after one that failed");
                                expect_durable(&disk, appended, &[record]);
                            }
                            Err(AppendError::Unknown { .. } | AppendError::Poisoned { .. }) => {
                                has_failed = true;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                    has_failed
                })
            })
            .collect();
        let failed = threads.into_iter().map(|thread| thread.join().unwrap());
        let failed = failed.filter(|has_failed| *has_failed).count();
        assert_eq!(watch.failure().is_some(), failed > 0);
        let durable = durable_records(&disk).len() as u64;
        assert_eq!(watch.durable_sequence(), durable);
        assert_eq!(journal.close().is_err(), failed > 0 || disk.has_failed());
    });
}

#[test]
fn tasks_that_await_are_woken() {
    check(|| {
        let disk = Disk::new();
        let options = Options {
            queue_bytes_max: 200,
            ..options(&disk)
        };
        let journal = options.open(directory()).unwrap();
        let tasks: Vec<_> = (1..=3)
            .map(|name| {
                let (writer, disk) = (journal.writer(), disk.clone());
                shuttle::future::spawn(async move {
                    for number in 0..2 {
                        let record = record(name, number, RECORD_BYTES);
                        let appended = writer.append(record.clone()).await.unwrap();
                        expect_durable(&disk, appended, &[record]);
                    }
                })
            })
            .collect();
        for task in tasks {
            shuttle::future::block_on(task).unwrap();
        }
        journal.close().unwrap();
        assert_eq!(recovered(&disk).len(), 6);
    });
}
