//! What the raw journal held, and trying it again.

use stemedb::{Database, ErrorKind, Page, Sequence, Status};
use stemedb_ingest::{Quarantined, cursor, serialize};
use stemedb_storage::{Batch, Entry, HybridStore, KVStore, Key, Origin};

use crate::support::{Place, answer, exported, id, numbered, refused, settle, values};

fn seq(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

/// A database to whose journal somebody wrote past the library.
fn written(payloads: Vec<Vec<u8>>) -> Place {
    let place = Place::new();
    place.database().close().unwrap();
    let mut journal = stemedb_wal::Journal::open(place.join("wal")).unwrap();
    for payload in payloads {
        journal.append(payload).unwrap();
    }
    journal.close().unwrap();
    place
}

fn payload(number: u64) -> Vec<u8> {
    serialize(&numbered(number)).unwrap()
}

#[test]
fn rubbish_is_listed_shown_and_still_refused() {
    let mut newer = payload(1);
    newer[0] = 9;
    let place = written(vec![payload(0), newer.clone(), payload(1), vec![]]);
    let database = Database::open(place.path()).unwrap();
    let view = database.view().unwrap();
    let listed = values(view.quarantine(&Page::default()));
    let sequences: Vec<_> = listed.iter().map(|it| it.sequence.get()).collect();
    assert_eq!(sequences, vec![2, 4]);
    assert_eq!(view.quarantined(seq(2)).unwrap().as_ref(), Some(&listed[0]));
    assert_eq!(listed[0].payload, newer);
    assert!(listed[0].reason.contains("record type 9 is unknown"));
    assert_eq!(view.quarantined(seq(1)).unwrap(), None);
    assert_eq!(view.counts().quarantined, 2);
    assert_eq!(exported(&database).len(), 2);

    let error = refused(database.retry_quarantined(seq(2)), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(
        text.starts_with("the record of sequence 2 still cannot be applied: record type 9"),
        "{text}"
    );
    refused(database.retry_quarantined(seq(1)), ErrorKind::NotFound);
    refused(database.retry_quarantined(seq(99)), ErrorKind::NotFound);
    assert_eq!(database.stats().unwrap().durable_sequence, 4);
}

/// An older program may have quarantined what this one can apply.
#[test]
fn what_can_be_applied_now_is_appended_once_and_the_entry_stays() {
    let place = written(vec![payload(1), payload(2)]);
    let journal = stemedb_wal::Journal::open(place.join("wal")).unwrap();
    let head = journal.state().head.unwrap();
    journal.close().unwrap();
    let older = HybridStore::open(place.join("db")).unwrap();
    let entry = |number: u64| {
        let origin = Origin {
            sequence: seq(number),
            arrived_at_ms: 1,
        };
        let quarantined = Quarantined {
            reason: "an older program did not know it".to_owned(),
            payload: payload(number),
        };
        Entry::new(&Key::Quarantine(seq(number)), origin, &quarantined.encode()).unwrap()
    };
    let batch = Batch {
        first: seq(1),
        cursor: cursor(&head),
        entries: vec![entry(1), entry(2)],
        duplicates: vec![],
    };
    older.apply(batch).unwrap();
    older.persist().unwrap();
    drop(older);

    let database = Database::open(place.path()).unwrap();
    assert_eq!(
        database.view().unwrap().get(id(&numbered(1))).unwrap(),
        None
    );
    let (new, old) = (Status::Stored, Status::AlreadyStored);
    assert_eq!(answer(&database.retry_quarantined(seq(1))), (3, new));
    assert_eq!(answer(&database.retry_quarantined(seq(1))), (3, old));
    assert_eq!(answer(&database.add(numbered(2))), (4, new));
    assert_eq!(answer(&database.retry_quarantined(seq(2))), (4, old));
    settle(&database);
    let view = database.view().unwrap();
    let stored = view.get(id(&numbered(1))).unwrap().unwrap();
    assert_eq!((stored.sequence.get(), stored.record), (3, numbered(1)));
    assert!(view.quarantined(seq(1)).unwrap().is_some());
    assert_eq!(exported(&database).len(), 2);
}
