//! What a journal counts of its groups and fsyncs is what was done, by the simulated clock.

use std::time::Duration;

use crate::story::{directory, options};
use stemedb_testkit::disk::SimDisk;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Distribution, Durability, Journal, JournalMeters, Options, Start};

const SECOND_NS: u64 = 1_000_000_000;

/// A journal that does nothing by itself, on a disk whose fsyncs take five seconds.
fn slow(durability: Durability) -> (SimDisk, Journal) {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    disk.set_sync_time(Duration::from_secs(5));
    let options = Options {
        durability,
        idle_after: Duration::from_hours(1),
        ..options(&disk)
    };
    let journal = options.open(directory()).unwrap();
    (disk, journal)
}

fn meters(journal: &Journal) -> JournalMeters {
    journal.watch().meters()
}

/// How many values there were above a bound of the histogram.
fn above(read: &Distribution, bound: u64) -> u64 {
    let upto = read.buckets().find(|(upper, _)| *upper == Some(bound));
    read.count() - upto.unwrap().1
}

#[test]
fn three_groups_are_three_in_each_histogram() {
    let (_disk, mut journal) = slow(Durability::Sync);
    assert_eq!(meters(&journal).append_ns.count(), 0);
    journal.append([1; 100]).unwrap();
    journal.append([2; 100]).unwrap();
    let five = vec![vec![3; 100]; 5];
    journal.writer().append_all(five).wait().unwrap();
    let counted = meters(&journal);
    let of_groups = [
        &counted.append_ns,
        &counted.group_records,
        &counted.group_bytes,
    ];
    assert_eq!(of_groups.map(Distribution::count), [3; 3]);
    assert_eq!(counted.group_records.sum(), 7);
    assert_eq!(above(&counted.group_records, 1), 1);
    assert_eq!(above(&counted.group_records, 8), 0);
    // From the queue to the device: each waited for an fsync.
    assert_eq!(above(&counted.append_ns, 2_500_000_000), 3);
    assert!(counted.append_ns.sum() >= 15 * SECOND_NS);
    assert_eq!((counted.durable_sequence, counted.segments), (7, 1));
    // The empty group with which a journal begins is no append.
    assert!(counted.bytes > counted.group_bytes.sum());
    assert!(counted.group_bytes.sum() > 700);
    journal.close().unwrap();
}

#[test]
fn each_fsync_is_counted_with_its_time() {
    let (_disk, mut journal) = slow(Durability::Sync);
    for _ in 0..4 {
        journal.append([1; 100]).unwrap();
    }
    let watch = journal.watch();
    journal.close().unwrap();
    let (counted, syncs) = (watch.meters().sync_ns, watch.sync_stats());
    assert!(syncs.count >= 4, "{syncs:?}");
    assert_eq!(counted.count(), syncs.count);
    assert_eq!(u128::from(counted.sum()), syncs.total.as_nanos());
    assert_eq!(above(&counted, 2_500_000_000), syncs.count);
    // The group that covers the last one holds no records.
    assert_eq!(watch.meters().append_ns.count(), 4);
}

#[test]
fn under_intervals_a_group_counts_when_it_is_durable() {
    let (_disk, mut journal) = slow(Durability::Interval(Duration::from_hours(1)));
    journal.append([1; 100]).unwrap();
    journal.append([2; 100]).unwrap();
    assert_eq!(meters(&journal).append_ns.count(), 0);
    assert_eq!(meters(&journal).durable_sequence, 0);
    let watch = journal.watch();
    journal.close().unwrap();
    assert_eq!(watch.meters().append_ns.count(), 2);
    assert_eq!(watch.meters().durable_sequence, 2);
}

#[test]
fn the_bytes_that_the_consumer_lacks_are_told() {
    let (_disk, mut journal) = slow(Durability::Sync);
    assert_eq!(meters(&journal).behind_bytes, None);
    let mut reader = journal.reader(Start::Beginning).unwrap();
    let consumer = reader.consumer(1 << 20);
    journal.append([1; 2000]).unwrap();
    let counted = meters(&journal);
    assert_eq!(counted.behind_bytes, Some(counted.bytes));
    while reader.next_group().unwrap().is_some() {}
    consumer.consumed(reader.passed_bytes());
    assert_eq!(meters(&journal).behind_bytes, Some(0));
}
