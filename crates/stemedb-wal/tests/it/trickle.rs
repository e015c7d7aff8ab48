//! A byte at a time, interrupted calls, slow syncs, clocks that jump, readers that are slow (cases 32, 35, 42, 58).

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::hooked::{Hook, HookedDisk};
use crate::story::{directory, options, read, segment_count};
use stemedb_testkit::disk::SimDisk;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Durability, JournalWatch, Log, Options, Start, SyncStats, Trust};

fn empty() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    disk
}

fn write(log: &mut Log, record: &[u8]) -> u64 {
    let mut builder = log.begin_group();
    builder.push(record, Trust::Unverified);
    let group = log.write(builder).unwrap();
    log.sync().unwrap();
    group.arrived_at_ms()
}

fn record_count(disk: &SimDisk) -> usize {
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).unwrap();
    groups.iter().map(|group| group.records.len()).sum()
}

/// Every read and every write is interrupted first, and does one byte then.
#[derive(Debug, Default)]
struct Trickle(AtomicU64);

impl Hook for Trickle {
    fn length(&self, bytes: usize) -> io::Result<usize> {
        if self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(bytes.min(1))
    }
}

#[test]
fn a_byte_at_a_time_with_interruptions_is_as_good_as_all_at_once() {
    // Case 32: creating, appending, rotating, closing, recovering, walking, each call of a byte, each interrupted.
    let work = |disk: &SimDisk, options: &Options| {
        let open = || {
            options
                .clone()
                .lock(directory())
                .unwrap()
                .open(&[])
                .unwrap()
        };
        let mut log = open();
        for n in 0..5 {
            write(&mut log, &[n; 900]);
        }
        assert_eq!(log.segments().len(), 2);
        drop(log);
        let log = open();
        assert!(log.report().rewritten);
        assert_eq!(log.head().unwrap().sequence, 5);
        log.close().unwrap();
        disk.files()
    };
    let (whole, slow) = (empty(), empty());
    let trickling = Options {
        vfs: Arc::new(HookedDisk {
            disk: slow.clone(),
            hook: Arc::new(Trickle::default()),
        }),
        ..options(&slow)
    };
    assert!(work(&whole, &options(&whole)) == work(&slow, &trickling));
    assert!(slow.operation_count() > 10_000);
}

#[test]
fn syncs_of_five_seconds_slow_appends_down_and_lose_none() {
    // Case 35: the queue is bounded, so that whoever appends waits; nothing is answered before its sync.
    for durability in [
        Durability::Sync,
        Durability::Interval(Duration::from_secs(1)),
    ] {
        let disk = empty();
        disk.set_sync_time(Duration::from_secs(5));
        let slow = Options {
            durability,
            queue_bytes_max: 2000,
            ..options(&disk)
        };
        let journal = slow.open(directory()).unwrap();
        let append = |thread: u8| {
            let writer = journal.writer();
            for _ in 0..40 {
                writer.append([thread; 300]).wait().unwrap();
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || append(thread));
            }
        });
        assert!(disk.monotonic() > Duration::from_secs(5));
        let watch = journal.watch();
        journal.close().unwrap();
        // Spares are made meanwhile, and the clock runs for them as well.
        let five = Duration::from_secs(5);
        let syncs = watch.sync_stats();
        assert!(syncs.count >= 2 && syncs.pending.is_none(), "{syncs:?}");
        assert!(
            syncs.last >= five && syncs.longest >= syncs.last,
            "{syncs:?}"
        );
        assert!(syncs.total >= five * u32::try_from(syncs.count).unwrap());
        disk.crash_into(&[]);
        assert_eq!(record_count(&disk), 160);
    }
}

/// Looks at what is known of fsyncs while one goes on: it runs when the zeros that it makes durable were written.
#[derive(Debug, Default)]
struct Onlooker(Mutex<Vec<SyncStats>>, OnceLock<JournalWatch>);

impl Hook for Onlooker {
    fn sync(&self) {
        let seen = self.1.get().map(JournalWatch::sync_stats);
        self.0.lock().unwrap().extend(seen);
    }
}

#[test]
fn an_fsync_is_seen_while_it_goes_on() {
    let onlooker = Arc::new(Onlooker::default());
    let disk = empty();
    disk.set_sync_time(Duration::from_secs(5));
    let hooked = Options {
        vfs: Arc::new(HookedDisk {
            disk: disk.clone(),
            hook: Arc::clone(&onlooker),
        }),
        ..options(&disk)
    };
    let mut journal = hooked.open(directory()).unwrap();
    assert_eq!(journal.watch().sync_stats(), SyncStats::default());
    onlooker.1.set(journal.watch()).unwrap();
    journal.append(*b"record").unwrap();
    let seen = onlooker.0.lock().unwrap().clone();
    let went_on = seen.first().and_then(|stats| stats.pending);
    let five = Duration::from_secs(5);
    assert!(went_on.is_some_and(|took| took >= five), "{seen:?}");
    let watch = journal.watch();
    journal.close().unwrap();
    // An operation takes a millisecond beside that. Zeros, the group, perhaps its cover, the seal.
    let each = five + Duration::from_millis(1);
    let syncs = watch.sync_stats();
    assert!((3..=5).contains(&syncs.count), "{syncs:?}");
    let all = SyncStats {
        count: syncs.count,
        total: each * u32::try_from(syncs.count).unwrap(),
        longest: each,
        last: each,
        pending: None,
    };
    assert_eq!(syncs, all);
}

#[test]
fn jumps_of_the_clock_change_times_of_arrival_and_nothing_else() {
    // Case 42.
    const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
    let disk = empty();
    disk.set_clock_ms(1_700_000_000_000);
    let open = || options(&disk).lock(directory()).unwrap().open(&[]).unwrap();
    let mut log = open();
    let mut expected = Vec::new();
    for by in [
        0,
        TEN_YEARS_MS,
        -TEN_YEARS_MS,
        -TEN_YEARS_MS,
        i64::MIN,
        i64::MAX,
        1,
    ] {
        disk.jump_clock_ms(by);
        let arrived_at_ms = write(&mut log, &[1; 900]);
        assert_eq!(arrived_at_ms, disk.now_ms());
        expected.push(arrived_at_ms);
        if by < 0 {
            drop(log);
            disk.crash(1);
            log = open();
        }
    }
    log.close().unwrap();
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).unwrap();
    let with_records = groups.iter().filter(|group| !group.records.is_empty());
    let found: Vec<(u64, u64)> = with_records
        .map(|group| (group.header.first_sequence, group.header.arrived_at_ms))
        .collect();
    assert_eq!(found, (1..).zip(expected).collect::<Vec<_>>());
}

#[test]
fn a_slow_reader_sees_no_hole_while_segments_are_sealed_and_replaced() {
    // Case 58: it has files open of which the names come to stand for others.
    let disk = empty();
    let open = || {
        let options = Options {
            recent_bytes_max: 0,
            ..options(&disk)
        };
        options.open(directory()).unwrap()
    };
    for read_first in 0..12_usize {
        disk.crash_into(&[]);
        for path in disk.files().keys() {
            disk.take_away(path);
        }
        let mut journal = open();
        let mut reader = journal.reader(Start::Beginning).unwrap();
        let mut found = Vec::new();
        let mut take = |reader: &mut stemedb_wal::JournalReader, most: usize| {
            while found.len() < most
                && let Some(group) = reader.next_group().unwrap()
            {
                found.extend(group.records().map(|record| record.sequence));
            }
            found.clone()
        };
        for n in 0..6 {
            journal.append([n; 900]).unwrap();
        }
        take(&mut reader, read_first.min(6));
        for n in 6..12 {
            journal.append([n; 900]).unwrap();
        }
        take(&mut reader, read_first);
        // Without a clean end the last segment is copied and replaced by the next opening.
        let last = *journal.state().segments.last().unwrap();
        drop(journal);
        let path = crate::story::segment_path(last.number);
        let mut bytes = disk.files()[&path].clone();
        bytes.extend([0; 512]);
        disk.put(&path, bytes);
        let journal = open();
        assert!(journal.report().rewritten);
        assert_eq!(take(&mut reader, 99), (1..=12).collect::<Vec<u64>>());
    }
}
