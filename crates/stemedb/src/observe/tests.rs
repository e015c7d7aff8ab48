use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, OsVfs, Vfs, VfsFile};

use crate::database::tests::prepared;
use crate::{Create, Database, KnownIds, Observations, Page, Sequence, Status};

/// The disk of this machine with a clock that stands still until it is moved.
#[derive(Clone, Debug, Default)]
struct Stopped {
    files: OsVfs,
    now_ms: Arc<AtomicU64>,
}

impl Vfs for Stopped {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn VfsFile>> {
        self.files.open(path, mode)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.files.list(directory)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.files.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.files.sync_directory(directory)
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        self.files.lock(directory)
    }

    fn now_ms(&self) -> u64 {
        self.files.now_ms()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms.load(Ordering::Relaxed))
    }
}

fn submit(database: &Database, numbers: std::ops::Range<u64>) -> usize {
    let receipts = database.submit(prepared(numbers)).wait();
    let receipts = receipts.into_iter().map(Result::unwrap);
    receipts.filter(|it| it.status == Status::Stored).count()
}

/// Waits until so many records can be read.
fn settle(database: &Database, upto: u64) -> Observations {
    let upto = Sequence::new(upto).unwrap();
    database.wait_applied(upto).wait().unwrap();
    database.observe().unwrap()
}

fn creating() -> crate::Builder {
    Database::builder().create(Create::IfMissing)
}

#[test]
fn what_was_done_is_what_is_counted() {
    let place = tempfile::tempdir().unwrap();
    let database = creating().open(place.path().join("data")).unwrap();
    let fresh = database.observe().unwrap();
    assert_eq!(fresh.submitted, crate::SubmittedObservations::default());
    assert_eq!(fresh.journal.append_ns.count(), 0);
    // Each waits for its fsync, so that each is a group.
    assert_eq!(submit(&database, 0..10), 10);
    assert_eq!(submit(&database, 10..11), 1);
    assert_eq!(submit(&database, 11..21), 10);
    // Seven of these were stored before, and are counted once.
    assert_eq!(submit(&database, 14..23), 2);
    let seen = settle(&database, 23);
    let submitted = seen.submitted;
    assert_eq!(
        (submitted.stored, submitted.duplicates, submitted.failed),
        (23, 7, 0)
    );
    let journal = &seen.journal;
    assert_eq!(journal.group_records.count(), 4);
    assert_eq!(journal.group_records.sum(), 23);
    assert_eq!(journal.append_ns.count(), 4);
    assert!(journal.sync_ns.count() >= 4);
    assert_eq!((journal.durable_sequence, journal.segments), (23, 1));
    assert!(journal.bytes > journal.group_bytes.sum());
    let ingest = seen.ingest;
    assert_eq!((ingest.applied_sequence, ingest.lag_records), (23, 0));
    assert_eq!(ingest.records, 23);
    assert!((1..=4).contains(&ingest.batches));
    let counts = seen.counts;
    assert_eq!(counts.assertions + counts.votes + counts.epochs, 23);
    // They never got into the journal.
    assert_eq!(counts.duplicates, 0);
    database.close().unwrap();
}

#[test]
fn known_ids_are_counted_by_who_answered() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().join("data");
    let database = creating().open(&place).unwrap();
    assert_eq!(submit(&database, 0..100), 100);
    settle(&database, 100);
    assert_eq!(submit(&database, 50..150), 50);
    let known = settle(&database, 150).known_ids;
    assert_eq!(known.extent, KnownIds::Complete);
    assert_eq!(known.bytes, 256 << 10);
    // The fifty that were there, and whatever seemed to be.
    assert_eq!(known.answered + known.passed_on, 200);
    assert!((50..60).contains(&known.passed_on), "{known:?}");
    database.close().unwrap();

    let database = Database::open(&place).unwrap();
    assert_eq!(submit(&database, 0..200), 50);
    let known = database.observe().unwrap().known_ids;
    assert_eq!((known.answered, known.passed_on), (0, 200));
    assert_eq!(known.extent, KnownIds::Partial);
    database.close().unwrap();

    let off = Database::builder().known_ids_bytes_max(0);
    let database = off.open(&place).unwrap();
    let known = database.observe().unwrap().known_ids;
    assert_eq!((known.bytes, known.extent), (0, KnownIds::Full));
}

#[test]
fn each_cache_of_the_engines_is_told() {
    let place = tempfile::tempdir().unwrap();
    let database = creating().open(place.path().join("data")).unwrap();
    submit(&database, 0..100);
    let seen = settle(&database, 100).caches;
    let names: Vec<_> = seen.iter().map(|it| (it.engine, it.content)).collect();
    let fjall = ["data", "filter", "index"].map(|content| ("fjall", content));
    assert_eq!(names[..3], fjall);
    assert_eq!(names[3..], [("redb", "page")]);
    assert!(seen[3].hits > Some(0), "{seen:?}");
}

#[test]
fn a_view_that_is_held_grows_old_once_it_is_out_of_date() {
    let place = tempfile::tempdir().unwrap();
    let clock = Stopped::default();
    let mut builder = creating();
    builder.journal.vfs = Arc::new(clock.clone());
    let database = builder.open(place.path().join("data")).unwrap();
    let outdated = || {
        let views = database.observe().unwrap().views;
        (views.outdated, views.oldest_outdated_ms)
    };
    submit(&database, 0..10);
    settle(&database, 10);
    let view = database.view().unwrap();
    clock.now_ms.fetch_add(5000, Ordering::Relaxed);
    assert_eq!(outdated(), (0, 0), "it is the newest");
    submit(&database, 10..20);
    settle(&database, 20);
    assert_eq!(outdated(), (1, 0));
    clock.now_ms.fetch_add(70_000, Ordering::Relaxed);
    assert_eq!(outdated(), (1, 70_000));
    // What is left of it is a listing that goes on.
    let mut subjects = view.subjects("", &Page::default()).unwrap();
    drop(view);
    assert!(subjects.next().unwrap().is_ok());
    clock.now_ms.fetch_add(1000, Ordering::Relaxed);
    assert_eq!(outdated(), (1, 71_000));
    drop(subjects);
    assert_eq!(outdated(), (0, 0));
    database.close().unwrap();
}
