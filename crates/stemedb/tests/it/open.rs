//! Which directories are opened, created, completed, refused; and that a refusal changes nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use stemedb::{Create, Database, Error, ErrorKind, StoreKind};

use crate::support::{
    Place, bytes_of, copy, creating, exported, kinds, numbered, refused, store, tree, write,
};

/// Opening is refused, whether it may create or not, and leaves every file as it was.
#[track_caller]
fn expect_refused(path: &Path, kind: ErrorKind) -> Error {
    let before = tree(path);
    for create in [Create::Never, Create::IfMissing] {
        refused(Database::builder().create(create).open(path), kind);
        assert_eq!(tree(path), before, "{create:?} changed something");
    }
    Database::open(path).unwrap_err()
}

/// A closed database with three records.
fn grown() -> Place {
    let place = Place::new();
    let database = place.database();
    store(&database, (0..3).map(numbered).collect());
    database.close().unwrap();
    place
}

#[track_caller]
fn expect_three_records(path: &Path) {
    let database = Database::open(path).unwrap();
    let records: Vec<_> = exported(&database)
        .into_iter()
        .map(|stored| stored.record)
        .collect();
    assert_eq!(records, (0..3).map(numbered).collect::<Vec<_>>());
    database.close().unwrap();
}

#[test]
fn a_missing_directory_is_created_only_where_that_is_allowed() {
    let place = Place::new();
    let error = refused(Database::open(place.path()), ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        format!("no database in {}", place.path().display())
    );
    assert!(error.advice().unwrap().contains("stemedb init"));
    assert!(!place.path().exists());

    let database = place.database();
    assert!(database.was_created());
    assert_eq!(database.directory(), place.path());
    database.close().unwrap();
    let database = place.database();
    assert!(!database.was_created());
    database.close().unwrap();
    Database::open(place.path()).unwrap().close().unwrap();
}

#[test]
fn an_empty_directory_becomes_a_database_only_where_that_is_allowed() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    refused(Database::open(place.path()), ErrorKind::NotFound);
    assert_eq!(tree(&place.path()).len(), 1);
    assert!(place.database().was_created());
}

#[test]
fn a_directory_above_that_is_missing_is_created_too() {
    let place = Place::new();
    let below = place.join("a/b");
    creating().open(&below).unwrap().close().unwrap();
    Database::open(&below).unwrap().close().unwrap();
}

#[test]
fn a_directory_with_other_files_is_refused() {
    for name in ["notes.txt", "db/0.data", "wal/photo.jpg", "stemedb.conf"] {
        let place = Place::new();
        write(&place.join(name), b"not ours");
        let error = expect_refused(&place.path(), ErrorKind::NotFound);
        assert!(
            error
                .to_string()
                .ends_with("holds other files and no database"),
            "{name}: {error}"
        );
    }
    let place = grown();
    fs::remove_file(place.join("stemedb.marker")).unwrap();
    write(&place.join("notes.txt"), b"not ours");
    expect_refused(&place.path(), ErrorKind::NotFound);
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let place = Place::new();
    write(&place.path(), b"a file");
    expect_refused(&place.path(), ErrorKind::Unavailable);
    assert_eq!(bytes_of(&place.path()), b"a file");
}

/// Creating goes journal, store, marker; it may be interrupted after each step.
#[test]
fn an_interrupted_creation_is_completed_by_the_next_creating_call() {
    let whole = Place::new();
    whole.database().close().unwrap();
    let steps: [&[&str]; 5] = [
        &["stemedb.marker", "db", "wal/"],
        &["stemedb.marker", "db"],
        &["stemedb.marker", "db/"],
        &["stemedb.marker", "wal/"],
        &["stemedb.marker"],
    ];
    for removed in steps {
        for begun in [false, true] {
            let place = Place::new();
            copy(&whole.path(), &place.path());
            for name in removed {
                let path = place.join(name.trim_end_matches('/'));
                if path.is_dir() {
                    fs::remove_dir_all(&path).unwrap();
                } else {
                    fs::remove_file(&path).unwrap();
                }
                if name.ends_with('/') {
                    fs::create_dir(path).unwrap();
                }
            }
            if begun {
                write(&place.join("stemedb.tmp"), b"stemedb data");
            }
            let error = refused(Database::open(place.path()), ErrorKind::NotFound);
            let text = error.to_string();
            assert!(text.contains("interrupted"), "{text}");
            assert!(error.advice().unwrap().contains("stemedb init"));
            let database = place.database();
            assert!(database.was_created());
            store(&database, vec![numbered(0)]);
            database.close().unwrap();
            let database = Database::open(place.path()).unwrap();
            assert_eq!(exported(&database).len(), 1, "{removed:?}");
        }
    }
}

#[test]
fn a_creation_that_was_interrupted_before_its_marker_keeps_what_the_journal_has() {
    let place = grown();
    fs::remove_file(place.join("stemedb.marker")).unwrap();
    refused(Database::open(place.path()), ErrorKind::NotFound);
    let database = place.database();
    assert!(!database.was_created());
    database.close().unwrap();
    expect_three_records(&place.path());
}

#[test]
fn a_creation_that_was_interrupted_inside_an_engine_is_completed() {
    // A kill inside an engine's own creation left files that the engine refused for ever, and `rebuild` knew of no database there.
    for file in ["redb", "fjall/version"] {
        let place = Place::new();
        write(&place.join("db.new").join(file), b"");
        fs::create_dir(place.join("wal")).unwrap();
        refused(Database::open(place.path()), ErrorKind::NotFound);
        let database = place.database();
        assert!(database.was_created());
        store(&database, vec![numbered(0)]);
        database.close().unwrap();
        assert!(!place.join("db.new").exists());
    }
}

#[test]
fn what_a_killed_tool_left_behind_is_removed() {
    let place = grown();
    for name in ["db.rebuild", "verify.tmp", "dump.tmp"] {
        write(&place.join(name).join("file"), b"left behind");
    }
    expect_three_records(&place.path());
    for name in ["db.rebuild", "verify.tmp", "dump.tmp"] {
        assert!(!place.join(name).exists(), "{name}");
    }
}

#[test]
fn a_marker_without_a_journal_is_refused() {
    for leaves_directory in [false, true] {
        let place = grown();
        fs::remove_dir_all(place.join("wal")).unwrap();
        if leaves_directory {
            fs::create_dir(place.join("wal")).unwrap();
        }
        let error = expect_refused(&place.path(), ErrorKind::Corruption);
        assert!(
            error
                .to_string()
                .ends_with("the journal of this database is missing")
        );
        assert!(error.advice().unwrap().contains("journal back"));
    }
}

#[test]
fn a_marker_of_a_newer_version_is_refused_and_one_that_is_none_is_damage() {
    let place = grown();
    let path = place.join("stemedb.marker");
    let marker = String::from_utf8(bytes_of(&path)).unwrap();
    write(&path, marker.replace("format 1", "format 2").as_bytes());
    let error = expect_refused(&place.path(), ErrorKind::Unsupported);
    assert!(
        error
            .to_string()
            .contains("format 2 is newer than this program")
    );
    for damaged in [
        "",
        "hello\n",
        &marker.replace("hybrid", "hydra"),
        &marker[..40],
    ] {
        write(&path, damaged.as_bytes());
        expect_refused(&place.path(), ErrorKind::Corruption);
    }
    write(&path, marker.as_bytes());
    expect_three_records(&place.path());
}

#[test]
fn a_journal_of_a_newer_version_is_refused_before_the_store_is_touched() {
    let place = grown();
    let segment = place.join("wal/0000000000000001.wal");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let hash = blake3::hash(&bytes[..96]);
    bytes[96..128].copy_from_slice(hash.as_bytes());
    fs::write(&segment, bytes).unwrap();
    expect_refused(&place.path(), ErrorKind::Unsupported);
}

#[test]
fn the_journal_of_another_database_is_refused() {
    let place = grown();
    let other = grown();
    for keeps_store in [true, false] {
        let mixed = Place::new();
        copy(&place.path(), &mixed.path());
        fs::remove_dir_all(mixed.join("wal")).unwrap();
        copy(&other.join("wal"), &mixed.join("wal"));
        if !keeps_store {
            fs::remove_dir_all(mixed.join("db")).unwrap();
        }
        let error = refused(Database::open(mixed.path()), ErrorKind::Corruption);
        let text = error.to_string();
        let expected = if keeps_store {
            "built from another history"
        } else {
            "the database was created with"
        };
        assert!(text.contains(expected), "{text}");
        assert!(error.advice().is_some());
        // Put right, it opens again.
        fs::remove_dir_all(mixed.join("wal")).unwrap();
        copy(&place.join("wal"), &mixed.join("wal"));
        expect_three_records(&mixed.path());
    }
}

#[test]
fn an_old_copy_of_the_journal_is_refused() {
    let place = grown();
    let old = Place::new();
    copy(&place.path(), &old.path());
    let database = place.database();
    store(&database, (3..9).map(numbered).collect());
    database.close().unwrap();
    fs::remove_dir_all(place.join("wal")).unwrap();
    copy(&old.join("wal"), &place.join("wal"));
    let error = refused(Database::open(place.path()), ErrorKind::Corruption);
    assert!(
        error
            .to_string()
            .contains("records are missing from the journal")
    );
    assert!(error.advice().unwrap().contains("stemedb rebuild"));
}

#[test]
fn a_store_that_was_deleted_is_built_again() {
    let place = grown();
    fs::remove_dir_all(place.join("db")).unwrap();
    expect_three_records(&place.path());
    expect_three_records(&place.path());
}

#[test]
fn a_store_of_which_an_engine_is_missing_names_the_rebuild() {
    for name in ["redb", "fjall"] {
        let place = grown();
        let path = place.join("db").join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        match Database::open(place.path()) {
            Ok(database) => {
                // An engine that is empty is brought up from the journal like any that is behind.
                database.close().unwrap();
                expect_three_records(&place.path());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corruption, "{name}: {error}");
                assert!(error.advice().unwrap().contains("stemedb rebuild"));
            }
        }
    }
}

#[test]
fn a_second_open_in_the_process_is_refused_at_once_and_harms_nobody() {
    for kind in kinds() {
        let place = Place::new();
        let database = creating().store(kind).open(place.path()).unwrap();
        store(&database, vec![numbered(0)]);
        let error = refused(place.database_again(), ErrorKind::Unavailable);
        let pid = std::process::id();
        assert!(
            error
                .to_string()
                .ends_with(&format!("is in use by process {pid}")),
            "{error}"
        );
        assert!(error.advice().is_some());
        store(&database, vec![numbered(1)]);
        assert_eq!(exported(&database).len(), 2);
        database.close().unwrap();
    }
}

impl Place {
    fn database_again(&self) -> stemedb::Result<Database> {
        creating().open(self.path())
    }
}

#[test]
fn a_database_keeps_the_store_it_was_created_with() {
    for kind in kinds() {
        let place = Place::new();
        let builder = creating().store(kind);
        builder.open(place.path()).unwrap().close().unwrap();
        let other = creating().store(StoreKind::Hybrid).open(place.path());
        assert_eq!(other.unwrap().stats().unwrap().store.kind, kind.name());
    }
}

#[test]
fn a_setting_out_of_its_limits_is_refused() {
    for bytes in [0, 100, 65 << 20] {
        let place = Place::new();
        let builder = creating().segment_bytes_max(bytes);
        let error = refused(builder.open(place.path()), ErrorKind::Invalid);
        assert!(error.to_string().contains("segment_bytes_max"), "{error}");
    }
    for bytes in [1, (256 << 10) - 1, (1 << 40) + 1] {
        let place = Place::new();
        let builder = creating().known_ids_bytes_max(bytes);
        let error = refused(builder.open(place.path()), ErrorKind::Invalid);
        let words = format!("known_ids_bytes_max: {bytes} is outside 0, or 256 KiB to 1 TiB");
        assert!(error.to_string().contains(&words), "{error}");
        assert!(!place.path().exists(), "nothing is touched");
    }
    let place = Place::new();
    let builder = creating().stall_failure_after(Duration::ZERO);
    let error = refused(builder.open(place.path()), ErrorKind::Invalid);
    assert!(error.to_string().contains("stall_failure_after"), "{error}");
}
