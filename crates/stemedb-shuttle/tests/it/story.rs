//! A journal on a shared disk, and what must hold of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb_wal::{Appended, Item, Journal, JournalId, JournalReader, Link, Options, Wake, walk};

use crate::disk::Disk;

/// A wait that nothing ends but a notification.
pub(crate) const ENDLESS: Duration = Duration::from_secs(1000);

pub(crate) fn directory() -> &'static Path {
    Path::new("/wal")
}

/// The smallest segments there are; the log covers its last group at any moment.
pub(crate) fn options(disk: &Disk) -> Options {
    Options {
        segment_bytes_max: 4096,
        idle_after: Duration::from_millis(1),
        journal_id: Some(JournalId([7; 16])),
        vfs: Arc::new(disk.clone()),
        ..Options::default()
    }
}

pub(crate) fn open(disk: &Disk) -> Journal {
    options(disk).open(directory()).unwrap()
}

/// Record `number` of writer `name`, with so many bytes.
pub(crate) fn record(name: u8, number: u8, bytes: usize) -> Vec<u8> {
    let mut record = vec![name; bytes];
    record[0] = number;
    record
}

/// All records that would be there if the power went now.
pub(crate) fn durable_records(disk: &Disk) -> BTreeMap<u64, Vec<u8>> {
    records_in(&disk.crashed())
}

/// The records of the chain from the first group up to the first that is not sound.
pub(crate) fn records_in(disk: &Disk) -> BTreeMap<u64, Vec<u8>> {
    let mut records = BTreeMap::new();
    walk(disk, directory(), &mut |item| match item {
        Item::Group {
            group,
            link: Link::Chained,
        } => {
            records.extend(group.records().map(|r| (r.sequence, r.bytes.to_vec())));
            ControlFlow::Continue(())
        }
        Item::Segment {
            header: Some(_), ..
        }
        | Item::Zeros { .. } => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    })
    .unwrap();
    records
}

/// What was acknowledged just now is durable, under the sequences that were given.
pub(crate) fn expect_durable(disk: &Disk, appended: Appended, records: &[Vec<u8>]) {
    assert_eq!(appended.records as usize, records.len());
    let durable = durable_records(disk);
    for (sequence, record) in (appended.first_sequence..).zip(records) {
        assert!(
            durable.get(&sequence) == Some(record),
            "{sequence} was acknowledged and is not durable"
        );
    }
}

/// After a loss of power and recovery there is what is durable, and nothing else; the log says what that is.
pub(crate) fn recovered(disk: &Disk) -> BTreeMap<u64, Vec<u8>> {
    let durable = durable_records(disk);
    let crashed = disk.crashed();
    let log = options(&crashed)
        .lock(directory())
        .unwrap()
        .open(&[])
        .unwrap();
    let head = log.head().map_or(0, |head| head.sequence);
    assert_eq!(head, durable.len() as u64);
    assert!(durable.keys().copied().eq(1..=head), "sequences are dense");
    durable
}

/// Reads one group's records, waiting for it; `None` where the journal has ended.
pub(crate) fn next_records(reader: &mut JournalReader) -> Option<Vec<(u64, Vec<u8>)>> {
    loop {
        if let Some(group) = reader.next_group().unwrap() {
            let records = group.records();
            return Some(records.map(|r| (r.sequence, r.bytes.to_vec())).collect());
        }
        match reader.wait(ENDLESS) {
            Wake::Groups | Wake::TimedOut => {}
            Wake::Ended => match reader.next_group().unwrap() {
                None => return None,
                Some(_) => panic!("a reader was told of the end before it had read all"),
            },
            Wake::Interrupted => return None,
        }
    }
}
