//! A store that is ahead of its journal, or was built from another.

use stemedb_ingest::{Error, Health};

use crate::support::{Kind, Pipeline, Place, claim, copy, for_each_store};

for_each_store! { the_right_journal_is_taken }

type Journal = stemedb_wal::Error;

/// The worker refuses, and everybody who asks hears why.
fn expect_refused(place: &Place, is_expected: fn(&Journal) -> bool) {
    let before = place.store();
    let cursors = before.cursors().unwrap();
    drop(before);
    let Pipeline {
        ingestor,
        store,
        writer,
        journal,
    } = place.open();
    let is_refusal = |error: &Error| matches!(error, Error::Journal(error) if is_expected(error));
    let waited = ingestor.wait_applied(0).wait().unwrap_err();
    assert!(is_refusal(&waited), "{waited}");
    assert!(matches!(ingestor.health(), Health::Failed(error) if is_refusal(&error)));
    assert!(
        store.snapshot().is_err(),
        "nobody reads a store that does not fit"
    );
    assert_eq!(store.cursors().unwrap(), cursors, "nothing was applied");
    assert!(ingestor.stop().is_err_and(|error| is_refusal(&error)));
    drop((writer, journal, store));
}

fn disk_kinds() -> Vec<Kind> {
    let mut kinds = vec![Kind::Hybrid];
    #[cfg(feature = "sled")]
    kinds.push(Kind::Sled);
    kinds
}

fn grown(kind: Kind, records: std::ops::Range<u64>) -> Place {
    let place = Place::new(kind);
    grow(&place, records);
    place
}

fn grow(place: &Place, records: std::ops::Range<u64>) {
    let pipeline = place.open();
    for number in records {
        pipeline.ingest(&[claim(number)]);
    }
    pipeline.stop();
}

fn replace_journal(place: &Place, by: &Place) {
    std::fs::remove_dir_all(place.wal()).unwrap();
    copy(&by.wal(), &place.wal());
}

fn is_foreign(error: &Journal) -> bool {
    matches!(error, Journal::ForeignStore { .. })
}

fn is_ahead(error: &Journal) -> bool {
    matches!(
        error,
        Journal::StoreAheadOfJournal {
            store: 6,
            journal: 3,
            ..
        }
    )
}

#[test]
fn a_store_of_another_journal_is_refused() {
    for kind in disk_kinds() {
        let place = grown(kind, 0..3);
        replace_journal(&place, &grown(Kind::Memory, 0..3));
        expect_refused(&place, is_foreign);
    }
}

#[test]
fn a_store_with_an_empty_journal_is_refused() {
    for kind in disk_kinds() {
        let place = grown(kind, 0..3);
        std::fs::remove_dir_all(place.wal()).unwrap();
        expect_refused(&place, is_foreign);
    }
}

#[test]
fn an_old_copy_of_the_journal_is_refused() {
    for kind in disk_kinds() {
        let place = grown(kind, 0..3);
        let old = place.image();
        grow(&place, 3..6);
        replace_journal(&place, &old);
        expect_refused(&place, is_ahead);
    }
}

/// The length alone hides it: the old copy has grown past the store's cursor, with other records.
#[test]
fn an_old_copy_that_has_grown_past_the_store_is_refused() {
    for kind in disk_kinds() {
        let place = grown(kind, 0..3);
        let old = place.image();
        grow(&place, 3..6);
        replace_journal(&place, &old);
        let other = Place::new(Kind::Memory);
        copy(&place.wal(), &other.wal());
        grow(&other, 10..30);
        replace_journal(&place, &other);
        expect_refused(&place, is_foreign);
    }
}

fn the_right_journal_is_taken(kind: Kind) {
    let place = grown(kind, 0..3);
    let copied = place.image();
    let pipeline = copied.open();
    pipeline.settle();
    assert_eq!(pipeline.counts().assertions, 3);
    pipeline.stop();
}
