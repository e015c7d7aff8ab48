use std::sync::atomic::AtomicU64;

use stemedb_storage::{Batch, Cursor, EngineCursor, RawScan, Snapshot, StoreKind};

use super::*;
use crate::known::{Filling, Known, Options};

const UPTO: u64 = 1000;

/// An index of made-up entries, which all come after each other. It stands for a store and for each of its views.
#[derive(Clone, Debug)]
struct Index {
    entries: u64,
    /// Entries that were read.
    read: Arc<AtomicU64>,
    /// The number of the entry that is damaged.
    damaged: u64,
    /// The number of the entry which arrived after the database was opened.
    later: u64,
    /// The number of the entry that is not given out before it is open.
    gate: u64,
    is_open: Arc<AtomicBool>,
}

fn id(number: u64) -> RecordId {
    RecordId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn index(entries: u64) -> Index {
    Index {
        entries,
        read: Arc::default(),
        damaged: u64::MAX,
        later: u64::MAX,
        gate: u64::MAX,
        is_open: Arc::default(),
    }
}

impl Index {
    fn entry(&self, number: u64) -> stemedb_storage::Result<(Vec<u8>, Value)> {
        self.read.fetch_add(1, Ordering::Relaxed);
        while number == self.gate && !self.is_open.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        if number == self.damaged {
            return Err(stemedb_storage::Error::EmptyKey);
        }
        let sequence = Sequence::new(UPTO + u64::from(number == self.later)).unwrap();
        let value = Value {
            sequence,
            arrived_at_ms: 0,
            content: id(number).as_bytes().to_vec(),
        };
        Ok((number.to_be_bytes().to_vec(), value))
    }
}

impl Snapshot for Index {
    fn get(&self, _: &[u8]) -> stemedb_storage::Result<Option<Value>> {
        Ok(None)
    }

    fn scan(
        &self,
        prefix: &[u8],
        start: Bound<&[u8]>,
    ) -> stemedb_storage::Result<stemedb_storage::Scan> {
        if prefix != KeyKind::Subject.tag() {
            return Ok(Box::new(std::iter::empty()));
        }
        let first = match start {
            Bound::Excluded(key) => 1 + u64::from_be_bytes(key.try_into().unwrap()),
            _ => 0,
        };
        let index = self.clone();
        Ok(Box::new(
            (first..self.entries).map(move |number| index.entry(number)),
        ))
    }

    fn scan_raw(&self) -> stemedb_storage::Result<RawScan> {
        Ok(Box::new(std::iter::empty()))
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn cursor(&self) -> Option<Cursor> {
        None
    }
}

impl KVStore for Index {
    fn snapshot(&self) -> stemedb_storage::Result<Arc<dyn Snapshot>> {
        Ok(Arc::new(self.clone()))
    }

    fn working_snapshot(&self) -> stemedb_storage::Result<Arc<dyn Snapshot>> {
        self.snapshot()
    }

    fn apply(&self, _: Batch) -> stemedb_storage::Result<()> {
        Ok(())
    }

    fn publish(&self) -> stemedb_storage::Result<()> {
        Ok(())
    }

    fn cursor(&self) -> stemedb_storage::Result<Option<Cursor>> {
        Ok(None)
    }

    fn cursors(&self) -> stemedb_storage::Result<Vec<EngineCursor>> {
        Ok(Vec::new())
    }

    fn persist(&self) -> stemedb_storage::Result<()> {
        Ok(())
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn disk_bytes(&self) -> stemedb_storage::Result<u64> {
        Ok(0)
    }
}

/// A scan of an index of which the store counts so many entries, and what it fills.
fn scan_of(index: &Index, counted: u64, options: Options) -> (Scan, Arc<Known>) {
    let filling = Filling::new(options, counted);
    let known = filling.known();
    let in_flight = Arc::new(InFlight::new(filling));
    let base = Base {
        upto: Sequence::new(UPTO).unwrap(),
        counts: Counts {
            assertions: counted,
            ..Counts::default()
        },
    };
    (Scan::new(Arc::new(index.clone()), in_flight, base), known)
}

fn is_complete(known: &Known) -> bool {
    !known.may_hold(id(1 << 40))
}

#[test]
fn a_scan_inserts_what_was_there_at_first_view_by_view() {
    for entries in [0, 1, 5000, VIEW_ENTRIES as u64, 40_000] {
        let (scan, known) = scan_of(&index(entries), entries, Options::default());
        scan.job.run();
        assert!(is_complete(&known));
        assert!((0..entries).all(|number| known.may_hold(id(number))));
    }
    // What arrived later is neither counted nor inserted: whoever submitted it did that.
    let index = Index {
        later: 77,
        ..index(20_000)
    };
    let (scan, known) = scan_of(&index, 19_999, Options::default());
    scan.job.run();
    assert!(is_complete(&known) && known.may_hold(id(78)) && !known.may_hold(id(77)));
}

#[test]
fn a_scan_that_does_not_find_what_is_counted_or_fails_completes_nothing() {
    let damaged = Index {
        damaged: 19_999,
        ..index(20_000)
    };
    for (index, counted) in [
        (index(20_000), 20_001),
        (index(20_000), 19_999),
        (damaged, 20_000),
    ] {
        let (scan, known) = scan_of(&index, counted, Options::default());
        scan.job.run();
        assert!(!is_complete(&known), "{index:?}");
    }
}

#[test]
fn a_scan_for_which_there_is_no_room_ends_early_and_completes_nothing() {
    let index = index(100_000);
    let options = Options {
        bytes_max: 1 << 10,
        link_bytes_min: 1 << 10,
        ..Options::default()
    };
    let (scan, known) = scan_of(&index, index.entries, options);
    scan.job.run();
    assert!(!is_complete(&known));
    assert_eq!(index.read.load(Ordering::Relaxed), VIEW_ENTRIES as u64);
}

#[test]
fn dropping_a_scan_ends_it_where_it_is() {
    const GATE: u64 = 20_000;
    let index = Index {
        gate: GATE,
        ..index(100_000)
    };
    let (mut scan, known) = scan_of(&index, index.entries, Options::default());
    scan.job.is_stopped = Arc::clone(&index.is_open);
    let in_flight = Arc::clone(&scan.job.in_flight);
    scan.start();
    while index.read.load(Ordering::Relaxed) <= GATE {
        thread::yield_now();
    }
    drop(scan);
    assert_eq!(index.read.load(Ordering::Relaxed), GATE + 1);
    assert!(!is_complete(&known));
    assert_eq!(Arc::strong_count(&in_flight), 1, "it holds nothing");
}
