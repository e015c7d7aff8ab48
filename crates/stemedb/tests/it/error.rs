//! Kind, text and advice of refusals that the other modules do not meet.

use std::error::Error as _;

use stemedb::{Database, ErrorKind, Record};

use crate::support::{Place, bytes_of, numbered, refused, store, write};

#[test]
fn a_line_that_is_no_record_is_invalid_with_its_reason() {
    let invalid = Record::from_json(b"{}").unwrap_err();
    let error = stemedb::Error::from(invalid.clone());
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), invalid.to_string());
    assert_eq!(error.invalid(), Some(&invalid));
    assert!(error.advice().is_none());
    assert!(error.source().is_none());
}

#[test]
fn a_journal_that_is_damaged_where_records_were_acknowledged_is_corruption_with_its_place() {
    let place = Place::new();
    let database = place.database();
    for number in 0..3 {
        store(&database, vec![numbered(number)]);
    }
    database.close().unwrap();
    let path = place.join("wal/0000000000000001.wal");
    let mut bytes = bytes_of(&path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&path, &bytes);
    let error = refused(Database::open(place.path()), ErrorKind::Corruption);
    assert!(error.advice().unwrap().contains("journal salvage"));
    let cause = error.source().expect("the place of the damage").to_string();
    assert!(cause.contains("0000000000000001.wal offset"), "{cause}");
    assert_eq!(
        bytes_of(&path),
        bytes,
        "a refusal leaves the file as it was"
    );
}

#[test]
fn a_store_that_is_damaged_is_corruption_and_names_the_rebuild() {
    let place = Place::new();
    let database = place.database();
    store(&database, (0..3).map(numbered).collect());
    database.close().unwrap();
    write(&place.join("db/redb"), b"this is no engine's file");
    let error = refused(Database::open(place.path()), ErrorKind::Corruption);
    assert_eq!(error.to_string(), "store must be rebuilt from the journal");
    assert!(error.advice().unwrap().contains("stemedb rebuild"));
    assert!(error.source().is_some());
}

/// It cannot be brought about through a database: the worker has met a record that is not what it was told.
#[test]
fn a_worker_that_was_told_wrong_says_to_open_the_database_again() {
    let error = stemedb::Error::from(stemedb_ingest::Error::Announced { sequence: 7 });
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.advice().unwrap().contains("open the database again"));
}

#[test]
fn errors_are_shared_between_threads_and_cloned() {
    fn check<T: Send + Sync + Clone + std::error::Error + 'static>(_: &T) {}
    let place = Place::new();
    let error = Database::open(place.path()).unwrap_err();
    check(&error);
    assert_eq!(error.clone().to_string(), error.to_string());
}

/// Operating systems say it in two ways, and the journal and the engines pass it on in theirs.
#[test]
fn a_full_disk_is_known_wherever_it_was_met() {
    use std::io::{self, ErrorKind as Io};
    use std::sync::Arc;
    use stemedb_wal::AppendError;

    let unknown = |kind: Io| AppendError::Unknown {
        operation: "sync",
        path: "wal".into(),
        source: Arc::new(io::Error::from(kind)),
    };
    let refused = AppendError::NoSpace { path: "wal".into() };
    let of_journal = stemedb_wal::Error::Append(refused.clone());
    let failed = |kind: Io| {
        stemedb::Error::from(stemedb_wal::Error::Io {
            operation: "write",
            path: "wal".into(),
            offset: None,
            source: kind.into(),
        })
    };
    for full in [
        refused.into(),
        of_journal.into(),
        unknown(Io::StorageFull).into(),
        unknown(Io::QuotaExceeded).into(),
        failed(Io::StorageFull),
        failed(Io::QuotaExceeded),
    ] {
        assert!(full.is_no_space(), "{full:?}");
        assert!(full.advice().unwrap().contains("make room"), "{full:?}");
    }
    for other in [
        unknown(Io::Other).into(),
        failed(Io::PermissionDenied),
        stemedb::Error::from(AppendError::Closed),
    ] {
        assert!(!other.is_no_space(), "{other:?}");
    }
}
