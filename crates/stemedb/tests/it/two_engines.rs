//! Two engines, one truth: what was deleted, restored from an older copy or taken from elsewhere ends in the right state, or in a
//! refusal that says what to do; and doing exactly that works.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use stemedb::maintenance::{Progress, RebuildReport, VerifyOptions, rebuild, salvage, verify};
use stemedb::{Builder, Database, Error, ErrorKind, Record, error_chain};

use crate::support::{
    Place, bytes_of, copy, creating, epoch, exported, numbered, refused, store, tree, write,
};

/// Records of the older copy, and of the whole.
const EARLY: u64 = 30;
const LATE: u64 = 60;

/// Every fifth record is an epoch, so that both engines have something of each part.
fn record(number: u64) -> Record {
    if number.is_multiple_of(5) {
        epoch(&format!("epoch {number}"), None)
    } else {
        numbered(number)
    }
}

fn records(first: u64, last: u64) -> Vec<Record> {
    (first..last).map(record).collect()
}

/// Small segments, so that there are many.
fn builder() -> Builder {
    creating().segment_bytes_max(4096)
}

/// A database that was copied when it was younger.
struct Story {
    early: Place,
    late: Place,
    /// What is operated on: a copy of the late one.
    patient: Place,
}

impl Story {
    fn new() -> Self {
        let place = Place::new();
        grow(&place, 0, EARLY);
        let (early, patient) = (Place::new(), Place::new());
        copy(&place.path(), &early.path());
        grow(&place, EARLY, LATE);
        copy(&place.path(), &patient.path());
        Self {
            early,
            late: place,
            patient,
        }
    }

    fn path(&self) -> PathBuf {
        self.patient.path()
    }

    fn delete(&self, name: &str) -> &Self {
        remove(&self.patient.join(name));
        self
    }

    /// Puts a part of another database in the place of the patient's.
    fn restore(&self, name: &str, from: &Place) -> &Self {
        self.delete(name);
        let (from, to) = (from.join(name), self.patient.join(name));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
        self
    }

    /// What a refusal leaves as it was. Engines may write their own files when they are opened.
    fn ledger(&self) -> Vec<(PathBuf, Option<blake3::Hash>)> {
        let wal = tree(&self.patient.join("wal")).into_iter();
        wal.chain(tree(&self.patient.join("stemedb.marker")))
            .collect()
    }

    /// `verify` finds it, and opening is refused and changes nothing.
    #[track_caller]
    fn expect_refusal(&self, text: &str) -> Error {
        let found = problems(&self.path());
        assert!(!found.is_empty(), "verify finds nothing");
        let before = self.ledger();
        let error = refused(Database::open(self.path()), ErrorKind::Corruption);
        assert_eq!(self.ledger(), before, "the refusal changed something");
        let whole = error_chain(&error);
        assert!(whole.contains(text), "{whole}");
        error
    }

    /// The advice names a rebuild, which brings back the records up to `last`.
    #[track_caller]
    fn expect_rebuild_mends(&self, error: &Error, last: u64) -> RebuildReport {
        let advice = error.advice().expect("advice");
        assert!(advice.contains("`stemedb rebuild`"), "{advice}");
        let report = rebuild(self.path(), &mut |_: Progress| {}).unwrap();
        assert_eq!(report.applied_sequence, last);
        expect_whole(&self.path(), last);
        report
    }

    #[track_caller]
    fn expect_opens(&self, last: u64) {
        expect_whole(&self.path(), last);
    }
}

fn grow(place: &Place, first: u64, last: u64) {
    let database = builder().open(place.path()).unwrap();
    // One by one, so that there are many groups.
    for number in first..last {
        database.add(record(number)).unwrap();
    }
    store(&database, Vec::new());
    database.close().unwrap();
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

fn problems(path: &Path) -> Vec<String> {
    let report = verify(path, &VerifyOptions::default(), &mut |_: Progress| {}).unwrap();
    assert_eq!(report.problems_count, report.problems.len() as u64);
    let text = |problem: stemedb::maintenance::Problem| problem.problem;
    report.problems.into_iter().map(text).collect()
}

/// The database holds the first records, once, in order, and is sound.
#[track_caller]
fn expect_whole(path: &Path, last: u64) {
    for _ in 0..2 {
        let database = Database::open(path).unwrap();
        let found: Vec<_> = exported(&database)
            .into_iter()
            .map(|stored| stored.record)
            .collect();
        assert_eq!(found, records(0, last));
        database.close().unwrap();
    }
    assert_eq!(problems(path), [""; 0]);
}

/// The segments of a journal, in order.
fn segments(path: &Path) -> Vec<PathBuf> {
    let mut segments: Vec<_> = fs::read_dir(path.join("wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wal"))
        .collect();
    segments.sort();
    assert!(segments.len() > 3, "{segments:?}");
    segments
}

#[test]
fn an_engine_that_was_deleted_is_missed_and_rebuilt() {
    for (engine, text) in [
        ("db/redb", "engine redb has lost its content"),
        ("db/fjall", "engine fjall has applied up to sequence 0"),
    ] {
        let story = Story::new();
        let error = story.delete(engine).expect_refusal(text);
        story.expect_rebuild_mends(&error, LATE);
    }
}

#[test]
fn an_older_copy_of_fjall_is_behind_the_checkpoint_and_rebuilt() {
    let story = Story::new();
    let error = story
        .restore("db/fjall", &story.early)
        .expect_refusal("applied up to sequence 30, but had 60 at the last checkpoint");
    story.expect_rebuild_mends(&error, LATE);
}

#[test]
fn an_older_copy_of_redb_is_brought_up_to_date() {
    let story = Story::new();
    story.restore("db/redb", &story.early).expect_opens(LATE);
}

#[test]
fn an_older_copy_of_both_engines_is_brought_up_to_date() {
    let story = Story::new();
    story.restore("db", &story.early).expect_opens(LATE);
}

#[test]
fn a_store_that_was_deleted_is_built_again() {
    let story = Story::new();
    story.delete("db").expect_opens(LATE);
}

#[test]
fn a_journal_older_than_the_store_is_refused_and_either_advice_works() {
    let story = Story::new();
    let error = story
        .restore("wal", &story.early)
        .expect_refusal("records are missing from the journal");
    let advice = error.advice().unwrap();
    assert!(
        advice.starts_with("put the right journal back, or"),
        "{advice}"
    );
    story.restore("wal", &story.late).expect_opens(LATE);

    let error = story
        .restore("wal", &story.early)
        .expect_refusal("records are missing from the journal");
    let report = story.expect_rebuild_mends(&error, EARLY);
    assert_eq!(report.lost_up_to, Some(LATE));
    assert!(
        report.kept.unwrap().ends_with("db.old-1"),
        "the newer store is kept"
    );
}

#[test]
fn a_journal_that_was_restored_and_has_grown_past_the_store_is_foreign() {
    let story = Story::new();
    let other = Place::new();
    copy(&story.early.path(), &other.path());
    let database = builder().open(other.path()).unwrap();
    for number in 1000..1000 + LATE {
        database.add(record(number)).unwrap();
    }
    database.close().unwrap();
    let error = story
        .restore("wal", &other)
        .expect_refusal("built from another history");
    let advice = error.advice().unwrap();
    assert!(
        advice.starts_with("put the right journal back, or"),
        "{advice}"
    );
    story.restore("wal", &story.late).expect_opens(LATE);

    let error = story
        .restore("wal", &other)
        .expect_refusal("another history");
    assert!(error.advice().unwrap().contains("`stemedb rebuild`"));
    let report = rebuild(story.path(), &mut |_: Progress| {}).unwrap();
    assert!(report.kept.is_some(), "the other history is kept");
    assert_eq!(report.applied_sequence, EARLY + LATE);
    assert_eq!(problems(&story.path()), [""; 0]);
    Database::open(story.path()).unwrap().close().unwrap();
}

#[test]
fn a_newest_segment_that_was_deleted_after_it_was_applied_is_missed() {
    let story = Story::new();
    let newest = segments(&story.path()).pop().unwrap();
    remove(&newest);
    let error = story.expect_refusal("records are missing from the journal");
    fs::copy(
        story.late.join("wal").join(newest.file_name().unwrap()),
        &newest,
    )
    .unwrap();
    story.expect_opens(LATE);

    remove(&newest);
    assert!(error.advice().unwrap().contains("`stemedb rebuild`"));
    let report = rebuild(story.path(), &mut |_: Progress| {}).unwrap();
    assert_eq!(report.lost_up_to, Some(LATE));
    assert!(report.kept.is_some());
    expect_whole(&story.path(), report.applied_sequence);
}

#[test]
fn a_segment_that_was_deleted_is_a_gap_and_the_rest_is_salvaged() {
    for at in [0, 1] {
        let story = Story::new();
        remove(&segments(&story.path())[at]);
        let error = story.expect_refusal("missing");
        let advice = error.advice().unwrap();
        assert!(
            advice.contains("`stemedb journal salvage DEST`"),
            "{advice}"
        );
        let before = story.ledger();
        let refusal = rebuild(story.path(), &mut |_: Progress| {}).unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::Corruption, "{refusal}");
        assert_eq!(
            story.ledger(),
            before,
            "the refused rebuild changed something"
        );

        let destination = Place::new();
        let saved = salvage(story.path(), destination.path()).unwrap();
        let missing: u64 = saved.missing.iter().map(|(from, to)| to - from + 1).sum();
        assert!(
            saved.records > 0 && saved.records + missing == LATE,
            "{saved:?}"
        );
        assert_eq!(story.ledger(), before, "salvage touched the original");
        let database = Database::open(destination.path()).unwrap();
        let kept = exported(&database).into_iter().map(|stored| stored.record);
        let lost = |number: u64| {
            let sequence = number + 1;
            saved
                .missing
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&sequence))
        };
        let expected: Vec<_> = (0..LATE)
            .filter(|number| !lost(*number))
            .map(record)
            .collect();
        assert_eq!(kept.collect::<Vec<_>>(), expected);
        database.close().unwrap();
        assert_eq!(problems(&destination.path()), [""; 0]);
    }
}

#[test]
fn the_store_of_another_database_is_refused_and_rebuilt() {
    let (story, other) = (Story::new(), Story::new());
    let error = story
        .restore("db", &other.late)
        .expect_refusal("built from another history");
    let report = story.expect_rebuild_mends(&error, LATE);
    assert!(report.kept.is_some(), "the other database's store is kept");
}

#[test]
fn an_engine_of_another_database_is_refused_and_rebuilt() {
    for engine in ["db/redb", "db/fjall"] {
        let (story, other) = (Story::new(), Story::new());
        let error = story
            .restore(engine, &other.late)
            .expect_refusal("come from different journals");
        story.expect_rebuild_mends(&error, LATE);
    }
}

/// Copies that are made while somebody writes are no snapshots: files are copied one after the other.
#[test]
fn a_copy_of_a_live_directory_is_a_prefix_or_is_refused_and_mended() {
    let place = Place::new();
    let database = builder().open(place.path()).unwrap();
    let copies: Vec<_> = (0..8).map(|_| Place::new()).collect();
    let (done, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut owed = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                database.add(record(number)).unwrap();
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        });
        for to in &copies {
            // What was durable before the copy began is in it.
            owed.push(acknowledged.load(Ordering::Relaxed));
            // A file that is gone by the time it is copied is what such copies meet.
            while !copy_live(&place.path(), &to.path()) {
                remove(&to.path());
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let all: Vec<_> = exported_after_close(database, &place);
    for (copied, owed) in copies.iter().zip(owed) {
        let opened = match Database::open(copied.path()) {
            Ok(database) => database,
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::Corruption,
                    "{}",
                    error_chain(&error)
                );
                let advice = error.advice().expect("advice");
                assert!(advice.contains("`stemedb rebuild`"), "{advice}");
                rebuild(copied.path(), &mut |_: Progress| {}).unwrap();
                Database::open(copied.path()).unwrap()
            }
        };
        let found: Vec<_> = exported(&opened)
            .into_iter()
            .map(|stored| stored.record)
            .collect();
        assert_eq!(found, all[..found.len()]);
        assert!(found.len() >= owed, "{} of {owed}", found.len());
        opened.close().unwrap();
        assert_eq!(problems(&copied.path()), [""; 0]);
    }
}

fn exported_after_close(database: Database, place: &Place) -> Vec<Record> {
    database.close().unwrap();
    let database = Database::open(place.path()).unwrap();
    exported(&database)
        .into_iter()
        .map(|stored| stored.record)
        .collect()
}

/// Copies files in the order of their names; false where one vanished meanwhile.
fn copy_live(from: &Path, to: &Path) -> bool {
    fs::create_dir_all(to).unwrap();
    let mut pending = vec![from.to_owned()];
    while let Some(path) = pending.pop() {
        let target = to.join(path.strip_prefix(from).unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            let Ok(entries) = fs::read_dir(&path) else {
                return false;
            };
            pending.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
        } else if fs::copy(&path, &target).is_err() {
            return false;
        }
    }
    true
}

#[cfg(unix)]
#[test]
fn names_that_are_not_ours_lose_nothing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let strange = OsStr::from_bytes(b"\xff\xfe");
    let directories = [
        "",
        "wal",
        "db",
        "db/fjall",
        "db/fjall/keyspaces",
        "db/fjall/keyspaces/1",
        "db/fjall/keyspaces/1/tables",
    ];
    for directory in directories {
        for name in [strange, OsStr::new("notes.txt"), OsStr::new("99.jnl.bak")] {
            for is_directory in [false, true] {
                let story = Story::new();
                let path = story.patient.join(directory).join(name);
                if is_directory {
                    fs::create_dir(&path).unwrap();
                } else {
                    fs::write(&path, b"not ours").unwrap();
                }
                match Database::open(story.path()) {
                    Ok(database) => database.close().unwrap(),
                    Err(error) => {
                        assert!(directory.starts_with("db"), "{directory}: {error}");
                        assert_eq!(
                            error.kind(),
                            ErrorKind::Corruption,
                            "{}",
                            error_chain(&error)
                        );
                        assert!(path.exists(), "nothing is deleted to make an open succeed");
                        println!("{}: {}", path.display(), error_chain(&error));
                        assert!(error.advice().unwrap().contains("`stemedb rebuild`"));
                        rebuild(story.path(), &mut |_: Progress| {}).unwrap();
                    }
                }
                let database = Database::open(story.path()).unwrap();
                assert_eq!(
                    exported(&database).len() as u64,
                    LATE,
                    "{directory} {}",
                    name.display()
                );
                database.close().unwrap();
            }
        }
    }
}

/// Length of a page of redb, and the first byte of one that is a leaf.
const PAGE_BYTES: usize = 4096;
const LEAF: u8 = 1;
/// The second byte of where the first key in a leaf ends, and a bit that leads out of the page.
const FIRST_END: usize = 5;
const OUT: u8 = 0x20;

/// redb believes the lengths in its pages, and panics at one that leads out of them.
#[test]
fn a_redb_that_panics_is_refused_and_rebuilt() {
    let story = Story::new();
    let whole = bytes_of(&story.patient.join("db/redb"));
    let pages = whole.chunks_exact(PAGE_BYTES).enumerate();
    let leaves: Vec<_> = pages
        .filter(|(_, page)| page[0] == LEAF && page[FIRST_END] == 0)
        .map(|(number, _)| number)
        .collect();
    let mut panics = 0;
    for page in leaves {
        let mut damaged = whole.clone();
        damaged[page * PAGE_BYTES + FIRST_END] ^= OUT;
        write(&story.patient.join("db/redb"), &damaged);
        let error = match Database::open(story.path()) {
            // A page of an older state.
            Ok(database) => {
                database.close().unwrap();
                continue;
            }
            Err(error) => error,
        };
        assert_eq!(
            error.kind(),
            ErrorKind::Corruption,
            "{}",
            error_chain(&error)
        );
        panics += usize::from(error_chain(&error).contains("panicked: "));
        story.expect_rebuild_mends(&error, LATE);
        story.restore("db", &story.late);
    }
    assert!(panics > 0, "redb panics at none of these any more");
}
