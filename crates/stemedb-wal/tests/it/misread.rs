//! Reads that give less than is there, or zeros, once or always.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hooked::{Hook, HookedDisk};
use crate::story::{directory, options, read, segment_count};
use stemedb_testkit::disk::SimDisk;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Error, Log, Options, Start, Trust};

#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// As if the file ended there.
    Nothing,
    Half,
    Zeros,
    /// The second half of what was read is zeros.
    HalfZeros,
    /// The first bit is another.
    FirstBit,
    /// The last bit is another.
    LastBit,
    /// A bit of the fifth byte is, where the header of a group has its length.
    Length,
}

/// Reads from `first` up to `end` are wrong.
#[derive(Debug)]
struct Misread {
    wrong: Wrong,
    first: u64,
    end: u64,
    done: AtomicU64,
}

impl Hook for Misread {
    fn read(&self, bytes: &mut [u8]) -> usize {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        if !(self.first..self.end).contains(&number) {
            return bytes.len();
        }
        let half = bytes.len() / 2;
        match self.wrong {
            Wrong::Nothing => return 0,
            Wrong::Half => return half,
            Wrong::Zeros => bytes.fill(0),
            Wrong::FirstBit => bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1),
            Wrong::LastBit => bytes.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1),
            Wrong::Length => bytes
                .iter_mut()
                .skip(4)
                .take(1)
                .for_each(|byte| *byte ^= 64),
            Wrong::HalfZeros => bytes.iter_mut().skip(half).for_each(|byte| *byte = 0),
        }
        bytes.len()
    }
}

fn misreading(disk: &SimDisk, misread: &Arc<Misread>) -> Options {
    Options {
        vfs: Arc::new(HookedDisk {
            disk: disk.clone(),
            hook: Arc::clone(misread),
        }),
        ..options(disk)
    }
}

fn open(disk: &SimDisk, misread: &Arc<Misread>) -> Result<Log, Error> {
    misreading(disk, misread).lock(directory())?.open(&[])
}

/// Three acknowledged groups in one segment that was not closed.
fn crashed() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    let mut log = options(&disk).lock(directory()).unwrap().open(&[]).unwrap();
    for n in 1..4 {
        let mut builder = log.begin_group();
        builder.push(&[n; 300], Trust::Unverified);
        log.write(builder).unwrap();
        log.sync().unwrap();
    }
    SimDisk::with_files(&disk.files())
}

fn record_count(disk: &SimDisk) -> usize {
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).unwrap();
    groups.iter().map(|group| group.records.len()).sum()
}

#[test]
fn one_read_that_is_short_or_zeros_loses_nothing() {
    // Recovery believed a read that ended early, or gave zeros, and rewrote the segment without the acknowledged groups behind.
    // A wrong bit of the header was copied with the groups, and the next opening found the segment damaged for good (seed 3145).
    for wrong in [
        Wrong::Nothing,
        Wrong::Half,
        Wrong::Zeros,
        Wrong::HalfZeros,
        Wrong::FirstBit,
    ] {
        for first in 0.. {
            let disk = crashed();
            let misread = Arc::new(Misread {
                wrong,
                first,
                end: first + 1,
                done: AtomicU64::new(0),
            });
            let result = open(&disk, &misread);
            if misread.done.load(Ordering::Relaxed) <= first {
                assert!(first >= 3, "opening reads more than that");
                break;
            }
            drop(result);
            let log = options(&disk).lock(directory()).unwrap().open(&[]);
            let head = log.unwrap().head().map(|head| head.sequence);
            assert_eq!(head, Some(3), "{wrong:?} at read {first}");
            assert_eq!(record_count(&disk), 3, "{wrong:?} at read {first}");
        }
    }
}

#[test]
fn one_wrong_bit_in_the_zeros_behind_the_last_group_refuses_nothing() {
    // A segment was named, and the power went before its header and the end of its predecessor were durable. Recovery read the zeros
    // behind the predecessor's last group twice, the second time with a wrong bit, and believed that one (seed 61245).
    let unfinished = || {
        let mut files = crashed().files();
        files.insert(directory().join("0000000000000002.wal"), vec![0; 4096]);
        SimDisk::with_files(&files)
    };
    for wrong in [Wrong::LastBit, Wrong::FirstBit] {
        for first in 0.. {
            let disk = unfinished();
            let misread = Arc::new(Misread {
                wrong,
                first,
                end: first + 1,
                done: AtomicU64::new(0),
            });
            let log = open(&disk, &misread);
            let head = log.unwrap().head().map(|head| head.sequence);
            assert_eq!(head, Some(3), "{wrong:?} at read {first}");
            if misread.done.load(Ordering::Relaxed) <= first {
                assert!(first >= 3, "opening reads more than that");
                break;
            }
        }
    }
}

#[test]
fn one_misread_while_a_reader_begins_is_no_damage() {
    // A reader that begins in the middle passes over headers, and each was read once: a wrong byte in one ended the worker with
    // "the journal is damaged where records were acknowledged", and the next opening found nothing.
    for wrong in [
        Wrong::Zeros,
        Wrong::HalfZeros,
        Wrong::FirstBit,
        Wrong::Length,
    ] {
        let mut in_readers = 0;
        for first in 0.. {
            let disk = crashed();
            let misread = Arc::new(Misread {
                wrong,
                first,
                end: first + 1,
                done: AtomicU64::new(0),
            });
            let Ok(journal) = misreading(&disk, &misread).open(directory()) else {
                continue;
            };
            let opened = misread.done.load(Ordering::Relaxed);
            for start in [Start::AfterGroup(3), Start::AtSequence(3)] {
                let mut reader = journal.reader(start).unwrap();
                let group = reader.next_group().unwrap().unwrap();
                let sequences: Vec<_> = group.records().map(|record| record.sequence).collect();
                assert_eq!(sequences, [3], "{wrong:?} at read {first}, {start:?}");
            }
            if misread.done.load(Ordering::Relaxed) <= first {
                break;
            }
            in_readers += u64::from(first >= opened);
        }
        assert!(in_readers > 4, "{in_readers}");
    }
}

#[test]
fn a_file_that_always_ends_early_is_refused_and_left_alone() {
    let disk = crashed();
    let before = disk.files();
    let misread = Arc::new(Misread {
        wrong: Wrong::Nothing,
        first: 0,
        end: u64::MAX,
        done: AtomicU64::new(0),
    });
    match open(&disk, &misread).unwrap_err() {
        Error::Io { source, .. } => assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    assert!(disk.files() == before);
}
