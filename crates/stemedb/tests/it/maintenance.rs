//! The tools: verify finds what is broken, rebuild and salvage bring back what can be brought back.

use std::fs;
use std::path::{Path, PathBuf};

use stemedb::maintenance::{
    Progress, VerifyOptions, VerifyReport, dump_journal, dump_store, rebuild, salvage, verify,
};
use stemedb::{Create, Database, ErrorKind, Record, Sequence, StoreKind};
use stemedb_storage::engine::FjallEngine;
use stemedb_storage::{Batch, Entry, HybridStore, KVStore, Key, Origin};

struct Fixture {
    _parent: tempfile::TempDir,
    directory: PathBuf,
    exported: Vec<String>,
}

/// A closed database of the monuments of Paris, with a few votes on them.
fn fixture(store: StoreKind) -> Fixture {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("database");
    let database = Database::builder()
        .create(Create::IfMissing)
        .store(store)
        .open(&directory)
        .unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data");
    let text = fs::read_to_string(examples.join("paris_monuments.ndjson")).unwrap();
    let parse = |line: &str| Record::from_json(line.as_bytes()).unwrap();
    let receipts = database.ingest(text.lines().map(parse));
    for receipt in receipts.iter().take(20) {
        let id = receipt.as_ref().unwrap().id;
        let vote = format!(r#"{{"type":"vote","assertion":"{id}","agent":"rater:1","weight":1}}"#);
        database.add(parse(&vote)).unwrap();
    }
    database
        .add(parse(r#"{"type":"epoch","name":"2026","agent":"a"}"#))
        .unwrap();
    let sequence = database.stats().unwrap().durable_sequence;
    database
        .wait_applied(Sequence::new(sequence).unwrap())
        .wait()
        .unwrap();
    let exported = export(&database);
    database.close().unwrap();
    Fixture {
        _parent: parent,
        directory,
        exported,
    }
}

fn export(database: &Database) -> Vec<String> {
    database
        .export()
        .unwrap()
        .map(|stored| stored.unwrap().record.to_json())
        .collect()
}

fn check(directory: &Path, quick: bool) -> VerifyReport {
    verify(directory, &VerifyOptions { quick }, &mut |_: Progress| {}).unwrap()
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn overwrite(directory: &Path) {
    for (path, _) in files(directory) {
        fs::write(path, b"garbage").unwrap();
    }
}

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                files.push((path, bytes));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_sound_database_verifies_and_is_left_as_it_was() {
    for store in [StoreKind::Hybrid, StoreKind::Sled] {
        let fixture = fixture(store);
        let before = files(&fixture.directory);
        let report = check(&fixture.directory, false);
        assert_eq!(report.problems, []);
        let counts = report.counts;
        assert_eq!(
            (counts.assertions, counts.votes, counts.epochs),
            (941, 20, 1)
        );
        assert_eq!(
            (
                report.records,
                report.index_entries,
                report.applied_sequence
            ),
            (962, 941, 962)
        );
        assert!(check(&fixture.directory, true).is_ok());
        assert!(files(&fixture.directory) == before, "verify changed a file");
    }
}

#[test]
fn a_flipped_bit_in_the_journal_is_named_and_salvage_keeps_the_rest() {
    let fixture = fixture(StoreKind::Hybrid);
    let segment = fixture.directory.join("wal/0000000000000001.wal");
    flip(&segment, 20_000);
    let report = check(&fixture.directory, false);
    let problem = &report.problems[0];
    assert!(
        problem
            .file
            .as_ref()
            .unwrap()
            .ends_with("0000000000000001.wal"),
        "{problem:?}"
    );
    assert!(problem.offset.unwrap() <= 20_000, "{problem:?}");
    let error = Database::open(&fixture.directory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption);
    assert!(error.advice().unwrap().contains("salvage"), "{error}");

    let destination = fixture.directory.with_extension("saved");
    let saved = salvage(&fixture.directory, &destination).unwrap();
    assert!(saved.records < 962 && saved.records > 0, "{saved:?}");
    let missing: u64 = saved
        .missing
        .iter()
        .map(|(first, last)| last - first + 1)
        .sum();
    assert_eq!(saved.records + missing, 962);
    let database = Database::open(&destination).unwrap();
    let kept = export(&database);
    assert_eq!(kept.len() as u64, saved.records);
    assert!(kept.iter().all(|record| fixture.exported.contains(record)));
    database.close().unwrap();
    assert_eq!(check(&destination, false).problems, []);
}

#[test]
fn rebuild_works_whatever_is_missing_of_the_store() {
    for store in [StoreKind::Hybrid, StoreKind::Sled] {
        let fixture = fixture(store);
        let db = fixture.directory.join("db");
        let breaks: [&dyn Fn(); 4] = [
            &|| {},
            &|| fs::remove_dir_all(&db).unwrap(),
            &|| overwrite(&db),
            &|| {
                let (path, _) = files(&db)
                    .into_iter()
                    .max_by_key(|(_, bytes)| bytes.len())
                    .unwrap();
                fs::remove_file(path).unwrap();
            },
        ];
        for broken in breaks {
            broken();
            let report = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap();
            assert_eq!(
                (report.applied_sequence, report.counts.assertions),
                (962, 941)
            );
            assert_eq!(check(&fixture.directory, false).problems, []);
            let database = Database::open(&fixture.directory).unwrap();
            assert_eq!(export(&database), fixture.exported);
            database.close().unwrap();
        }
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_refused_and_nothing_is_deleted() {
    let fixture = fixture(StoreKind::Hybrid);
    let db = fixture.directory.join("db");
    overwrite(&db);
    let error = Database::open(&fixture.directory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
    assert!(error.advice().unwrap().contains("rebuild"));
    let report = check(&fixture.directory, false);
    assert!(!report.is_ok() && report.records == 962, "{report:?}");
    assert!(files(&db).iter().all(|(_, bytes)| bytes == b"garbage"));
}

#[test]
fn an_older_copy_of_the_journal_is_refused_by_its_cursor() {
    let fixture = fixture(StoreKind::Hybrid);
    let wal = fixture.directory.join("wal");
    let old = files(&wal);
    let database = Database::open(&fixture.directory).unwrap();
    database
        .add(Record::from_json(br#"{"type":"epoch","name":"2027","agent":"a"}"#).unwrap())
        .unwrap();
    database.close().unwrap();
    for (path, bytes) in old {
        fs::write(path, bytes).unwrap();
    }
    let error = Database::open(&fixture.directory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
    let report = check(&fixture.directory, false);
    assert!(
        report
            .problems
            .iter()
            .any(|problem| problem.problem.contains("not in the journal")),
        "{report:?}"
    );
    // The old store is ahead of this journal: it is kept.
    let rebuilt = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap();
    assert!(rebuilt.kept.unwrap().ends_with("db.old-1"));
    assert_eq!(rebuilt.lost_up_to, Some(963));
    assert!(check(&fixture.directory, false).is_ok());
}

#[test]
fn another_journal_is_refused_by_the_marker() {
    let (fixture, other) = (fixture(StoreKind::Hybrid), fixture(StoreKind::Hybrid));
    fs::remove_dir_all(fixture.directory.join("wal")).unwrap();
    fs::rename(other.directory.join("wal"), fixture.directory.join("wal")).unwrap();
    assert_eq!(
        Database::open(&fixture.directory).unwrap_err().kind(),
        ErrorKind::Corruption
    );
    let refused = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corruption, "{refused}");
    assert!(!check(&fixture.directory, true).is_ok());
}

#[test]
fn a_value_that_was_changed_in_the_store_is_found() {
    let fixture = fixture(StoreKind::Hybrid);
    let redb = files(&fixture.directory.join("db"))
        .into_iter()
        .find(|(path, _)| path.to_string_lossy().contains("redb"));
    let (path, bytes) = redb.expect("the hybrid store has a redb file");
    let epoch = bytes
        .windows(4)
        .rposition(|window| window == b"2026")
        .unwrap();
    flip(&path, epoch);
    let report = check(&fixture.directory, false);
    assert!(!report.is_ok(), "{report:?}");
}

#[test]
fn an_entry_that_a_flipped_bit_hides_is_missed_at_open() {
    // A flipped bit in a key of redb, which verifies nothing, made an epoch vanish: export left it out and said nothing, and the
    // next ingest stored it again under another sequence.
    let fixture = fixture(StoreKind::Hybrid);
    let path = fixture.directory.join("db/redb");
    let mut bytes = fs::read(&path).unwrap();
    let keys: Vec<usize> = (0..bytes.len() - 66)
        .filter(|at| bytes[*at..].starts_with(b"E:") && bytes[at + 2..at + 66].is_ascii())
        .filter(|at| bytes[at + 2..at + 66].iter().all(u8::is_ascii_hexdigit))
        .collect();
    assert!(!keys.is_empty());
    for at in keys {
        bytes[at + 2] ^= 1;
    }
    fs::write(&path, bytes).unwrap();
    let error = Database::open(&fixture.directory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
    assert!(error.advice().unwrap().contains("rebuild"), "{error}");
    assert!(!check(&fixture.directory, false).is_ok());
    rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap();
    let database = Database::open(&fixture.directory).unwrap();
    assert_eq!(export(&database), fixture.exported);
}

#[test]
fn a_marker_that_is_gone_or_damaged_is_written_anew() {
    for damage in [None, Some("hello")] {
        let fixture = fixture(StoreKind::Sled);
        let marker = fixture.directory.join("stemedb.marker");
        match damage {
            None => fs::remove_file(&marker).unwrap(),
            Some(text) => fs::write(&marker, text).unwrap(),
        }
        let report = check(&fixture.directory, false);
        assert_eq!(
            (report.problems_count, report.records),
            (1, 962),
            "{report:?}"
        );
        assert!(report.problems[0].problem.contains("marker"));
        let rebuilt = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap();
        assert!(rebuilt.marker_written);
        assert_eq!(check(&fixture.directory, false).problems, []);
    }
}

#[test]
fn a_missing_journal_is_a_finding_and_the_store_is_looked_at_all_the_same() {
    let fixture = fixture(StoreKind::Hybrid);
    fs::remove_dir_all(fixture.directory.join("wal")).unwrap();
    let report = check(&fixture.directory, false);
    assert_eq!(report.counts.assertions, 941);
    let problems: Vec<_> = report.problems.iter().map(|found| &found.problem).collect();
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("journal is missing")),
        "{problems:?}"
    );
    let refused = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corruption);
}

#[test]
fn dumps_show_every_group_and_every_entry() {
    let fixture = fixture(StoreKind::Hybrid);
    let mut records = 0;
    dump_journal(&fixture.directory, &mut |item| {
        if let stemedb::maintenance::JournalItem::Group(group) = item {
            records += group.records.len();
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(records, 962);
    let mut keys = Vec::new();
    dump_store(&fixture.directory, &mut |entry| {
        assert_eq!(entry.fault, None);
        keys.push(entry.key);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(keys.iter().filter(|key| key.starts_with("S:")).count(), 941);
    assert_eq!(keys.iter().filter(|key| key.starts_with("E:")).count(), 1);
}

/// An engine that hangs is left to itself: the journal is free then, and the files of the engine are not. A rebuild gave these files'
/// names to a new store, into which the old engine would have written.
#[test]
fn rebuild_leaves_a_store_alone_of_which_an_engine_is_still_open() {
    let fixture = fixture(StoreKind::Hybrid);
    let left_behind = FjallEngine::open(&fixture.directory.join("db/fjall")).unwrap();
    let refused = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(!fixture.directory.join("db.old-1").exists());
    drop(left_behind);
    let rebuilt = rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap();
    assert_eq!(rebuilt.kept, None, "it was sound");
}

/// An entry before it is sealed.
struct Put {
    key: Key,
    origin: Origin,
    content: Vec<u8>,
}

/// Builds the store anew from what it holds, with something changed: sound in itself, and not what the journal says.
fn forge(fixture: &Fixture, change: &dyn Fn(&mut Vec<Put>)) {
    let path = fixture.directory.join("db");
    let store = HybridStore::open(&path).unwrap();
    let cursor = store.cursor().unwrap().unwrap();
    let view = store.working_snapshot().unwrap();
    let entries = view.scan(b"", std::ops::Bound::Unbounded).unwrap();
    let put = |entry: stemedb_storage::Result<(Vec<u8>, stemedb_storage::Value)>| {
        let (key, value) = entry.unwrap();
        Put {
            key: Key::decode(&key).unwrap(),
            origin: Origin {
                sequence: value.sequence,
                arrived_at_ms: value.arrived_at_ms,
            },
            content: value.content,
        }
    };
    let mut puts: Vec<_> = entries.map(put).collect();
    drop((view, store));
    change(&mut puts);
    let seal = |put: &Put| Entry::new(&put.key, put.origin, &put.content).unwrap();
    let entries = puts.iter().map(seal).collect();
    fs::remove_dir_all(&path).unwrap();
    let store = HybridStore::open(&path).unwrap();
    let batch = Batch {
        first: Sequence::FIRST,
        cursor,
        entries,
        duplicates: Vec::new(),
    };
    store.apply(batch).unwrap();
    store.persist().unwrap();
}

/// Takes a record out with all that leads to it.
fn take_out(puts: &mut Vec<Put>, is_it: impl Fn(&Key) -> bool) {
    let sequence = puts
        .iter()
        .find(|put| is_it(&put.key))
        .unwrap()
        .origin
        .sequence;
    puts.retain(|put| put.origin.sequence != sequence);
}

fn swap_two_assertions(puts: &mut [Put]) {
    let mut assertions = puts
        .iter_mut()
        .filter(|put| matches!(put.key, Key::Assertion(_)));
    let (one, other) = (assertions.next().unwrap(), assertions.next().unwrap());
    std::mem::swap(&mut one.content, &mut other.content);
}

type Change = &'static dyn Fn(&mut Vec<Put>);

#[test]
fn a_store_that_is_sound_and_lacks_what_the_journal_has_is_found_quickly_too() {
    // Its own counts fit what is in it: nothing but the way from the journal to the store shows these.
    let changes: [(Change, &str); 4] = [
        (
            &|puts| take_out(puts, |key| matches!(key, Key::Assertion(_))),
            "is neither stored nor in quarantine",
        ),
        (
            &|puts| take_out(puts, |key| matches!(key, Key::Vote { .. })),
            "is neither stored nor in quarantine",
        ),
        (
            &|puts| take_out(puts, |key| matches!(key, Key::Epoch(_))),
            "is neither stored nor in quarantine",
        ),
        (
            &|puts| swap_two_assertions(puts),
            "is stored with other bytes than the journal has",
        ),
    ];
    let fixture = fixture(StoreKind::Hybrid);
    forge(&fixture, &|_| {});
    assert_eq!(check(&fixture.directory, true).problems, []);
    for (change, text) in changes {
        forge(&fixture, change);
        for quick in [true, false] {
            let report = check(&fixture.directory, quick);
            let is_named = |found: &stemedb::maintenance::Problem| {
                found.sequence.is_some() && found.problem.contains(text)
            };
            assert!(report.problems.iter().any(is_named), "{quick}: {report:?}");
        }
        rebuild(&fixture.directory, &mut |_: Progress| {}).unwrap();
        assert_eq!(check(&fixture.directory, true).problems, []);
    }
}
