//! What every implementation of `KVStore` promises, run against each of them.

use std::{ops::Bound, path::Path};

use stemedb_storage::{
    BatchFault, Counts, Error, HybridStore, KVStore, Key, MemoryStore, MetaKey, Snapshot, key,
};

use crate::support::{
    Put, batch, catch_up, content, cursor, expect_exactly, id, kind, put, puts, replay, seq,
};

/// Opens a store in a directory.
type Open<'a> = &'a dyn Fn(&Path) -> Box<dyn KVStore>;
/// One promise.
type Part = (&'static str, fn(&dyn KVStore));

/// What holds for every store, in memory or on disk.
const PARTS: [Part; 16] = [
    ("what_is_applied_is_read_back", what_is_applied_is_read_back),
    (
        "nothing_is_read_before_the_first_publication",
        nothing_is_read_before_the_first_publication,
    ),
    (
        "an_empty_store_can_be_published",
        an_empty_store_can_be_published,
    ),
    ("a_view_stays_as_it_is", a_view_stays_as_it_is),
    (
        "only_publication_moves_the_view",
        only_publication_moves_the_view,
    ),
    (
        "a_scan_outlives_its_store_handle_and_later_batches",
        a_scan_goes_on_under_later_batches,
    ),
    (
        "a_batch_applied_again_changes_nothing",
        a_batch_applied_again_changes_nothing,
    ),
    (
        "overlapping_batches_apply_each_record_once",
        overlapping_batches_apply_each_record_once,
    ),
    ("a_gap_is_refused", a_gap_is_refused),
    ("another_journal_is_refused", another_journal_is_refused),
    (
        "a_batch_that_contradicts_itself_is_refused",
        a_batch_that_contradicts_itself_is_refused,
    ),
    ("keys_have_a_length", keys_have_a_length),
    (
        "contents_may_be_empty_or_large",
        contents_may_be_empty_or_large,
    ),
    ("prefixes_are_not_confused", prefixes_are_not_confused),
    ("scans_resume", scans_resume),
    (
        "the_stores_own_entries_are_hidden",
        the_stores_own_entries_are_hidden,
    ),
];

/// Runs every part in a directory of its own.
fn conformance(open: Open<'_>) {
    for (name, part) in PARTS {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        println!("{} {name}", store.kind());
        part(&*store);
    }
}

/// What holds in addition for a store on disk.
fn durable_conformance(open: Open<'_>) {
    conformance(open);
    a_closed_store_opens_where_it_was(open);
    opening_and_replaying_again_changes_nothing(open);
    a_checkpoint_can_be_made_at_any_time(open);
}

#[test]
fn memory_store_conforms() {
    conformance(&|_| Box::new(MemoryStore::new()));
}

#[test]
fn hybrid_store_conforms() {
    durable_conformance(&|path| Box::new(HybridStore::open(path).unwrap()));
}

#[cfg(feature = "sled")]
#[test]
fn sled_store_conforms() {
    durable_conformance(&|path| Box::new(stemedb_storage::SledStore::open(path).unwrap()));
}

fn keys_of(view: &dyn Snapshot, prefix: &[u8], start: Bound<&[u8]>) -> Vec<String> {
    let entries = view.scan(prefix, start).unwrap();
    entries.map(|entry| key::text(&entry.unwrap().0)).collect()
}

fn what_is_applied_is_read_back(store: &dyn KVStore) {
    catch_up(store, 40);
    expect_exactly(store, 40);
    // More than any engine reads at once.
    catch_up(store, 2_000);
    expect_exactly(store, 2_000);
    assert_eq!(
        store.get(&Key::Assertion(id(3_001)).encode()).unwrap(),
        None
    );
    assert!(store.disk_bytes().unwrap() > 0);
}

fn nothing_is_read_before_the_first_publication(store: &dyn KVStore) {
    replay(store, 12, 5);
    let key = Key::Assertion(id(1)).encode();
    assert!(matches!(store.get(&key), Err(Error::NotReconciled)));
    assert!(matches!(
        store.scan_prefix(b"H:"),
        Err(Error::NotReconciled)
    ));
    assert!(matches!(store.snapshot(), Err(Error::NotReconciled)));
    let working = store.working_snapshot().unwrap();
    assert_eq!(working.get(&key).unwrap().unwrap().content, content(1));
    store.publish().unwrap();
    expect_exactly(store, 12);
}

fn an_empty_store_can_be_published(store: &dyn KVStore) {
    store.publish().unwrap();
    store.persist().unwrap();
    let view = store.snapshot().unwrap();
    assert_eq!((view.counts(), view.cursor()), (Counts::default(), None));
    assert_eq!(store.cursor().unwrap(), None);
    assert!(keys_of(&*view, b"", Bound::Unbounded).is_empty());
    assert_eq!(view.get(b"H:").unwrap(), None);
}

fn a_view_stays_as_it_is(store: &dyn KVStore) {
    catch_up(store, 20);
    let view = store.snapshot().unwrap();
    let (before, counts) = (keys_of(&*view, b"", Bound::Unbounded), view.counts());
    catch_up(store, 60);
    store.persist().unwrap();
    assert_eq!(keys_of(&*view, b"", Bound::Unbounded), before);
    assert_eq!((view.counts(), view.cursor()), (counts, Some(cursor(20))));
    for number in 21..=60 {
        for put in puts(number) {
            assert_eq!(view.get(&put.key.encode()).unwrap(), None, "{}", put.key);
        }
    }
    expect_exactly(store, 60);
}

fn only_publication_moves_the_view(store: &dyn KVStore) {
    catch_up(store, 20);
    store.apply(batch(21, 23)).unwrap();
    expect_exactly(store, 20);
    let working = store.working_snapshot().unwrap();
    assert_eq!(working.cursor(), Some(cursor(23)));
    assert!(working.get(&Key::Epoch(id(23)).encode()).unwrap().is_some());
    store.publish().unwrap();
    expect_exactly(store, 23);
}

fn a_scan_goes_on_under_later_batches(store: &dyn KVStore) {
    catch_up(store, 1_000);
    let expected: Vec<_> = keys_of(&*store.snapshot().unwrap(), b"H:", Bound::Unbounded);
    let mut scan = store.scan_prefix(b"H:").unwrap();
    let mut found: Vec<_> = scan
        .by_ref()
        .take(10)
        .map(|entry| entry.unwrap().0)
        .collect();
    catch_up(store, 2_000);
    found.extend(scan.map(|entry| entry.unwrap().0));
    assert_eq!(
        found
            .iter()
            .map(|bytes| key::text(bytes))
            .collect::<Vec<_>>(),
        expected
    );
}

fn a_batch_applied_again_changes_nothing(store: &dyn KVStore) {
    catch_up(store, 30);
    for (first, last) in [(1, 30), (1, 1), (8, 14), (30, 30)] {
        store.apply(batch(first, last)).unwrap();
    }
    store.publish().unwrap();
    assert_eq!(store.cursor().unwrap(), Some(cursor(30)));
    expect_exactly(store, 30);
}

fn overlapping_batches_apply_each_record_once(store: &dyn KVStore) {
    for (first, last) in [(1, 9), (1, 12), (5, 17), (17, 18), (2, 40)] {
        store.apply(batch(first, last)).unwrap();
    }
    store.publish().unwrap();
    expect_exactly(store, 40);
}

fn a_gap_is_refused(store: &dyn KVStore) {
    assert!(matches!(
        store.apply(batch(2, 3)),
        Err(Error::Gap { expected: 1, .. })
    ));
    catch_up(store, 10);
    assert!(matches!(
        store.apply(batch(12, 14)),
        Err(Error::Gap { expected: 11, .. })
    ));
    assert_eq!(store.cursor().unwrap(), Some(cursor(10)));
    catch_up(store, 14);
    expect_exactly(store, 14);
}

fn another_journal_is_refused(store: &dyn KVStore) {
    catch_up(store, 10);
    let mut foreign = batch(11, 13);
    foreign.cursor.journal = [0; 16];
    assert!(matches!(
        store.apply(foreign),
        Err(Error::ForeignJournal { .. })
    ));
    expect_exactly(store, 10);
}

fn a_batch_that_contradicts_itself_is_refused(store: &dyn KVStore) {
    let fault = |batch| match store.apply(batch).unwrap_err() {
        Error::InvalidBatch { fault, .. } => fault,
        other => panic!("{other}"),
    };
    let mut outside = batch(1, 4);
    outside.entries.extend(puts(6).iter().map(Put::seal));
    assert_eq!(fault(outside), BatchFault::Outside(seq(6)));
    for key in [Key::Batch(seq(1)), Key::Meta(MetaKey::Counts)] {
        let mut own = batch(1, 4);
        own.entries.push(put(key, 2, Vec::new()).seal());
        assert_eq!(fault(own), BatchFault::InternalKey);
    }
    let mut backwards = batch(1, 4);
    backwards.first = seq(5);
    assert_eq!(fault(backwards), BatchFault::EndsBeforeItBegins);
    assert_eq!(store.cursor().unwrap(), None);
    catch_up(store, 4);
    expect_exactly(store, 4);
}

fn keys_have_a_length(store: &dyn KVStore) {
    let key_of = |length: usize| {
        let around = key::subject_predicate("", "p").len() + 8;
        let subject = "s".repeat(length - around);
        Key::Subject {
            subject,
            predicate: "p".into(),
            sequence: seq(1),
        }
    };
    let longest = key_of(key::KEY_BYTES_MAX);
    let too_long = key_of(key::KEY_BYTES_MAX + 1);
    let with = |key: &Key| put(key.clone(), 1, b"long".to_vec()).try_seal();
    assert!(matches!(
        with(&too_long),
        Err(Error::KeyTooLong { len: 65_536 })
    ));
    let mut batch = batch(1, 1);
    batch.entries.extend(with(&longest));
    store.apply(batch).unwrap();
    store.publish().unwrap();
    assert_eq!(
        store.get(&longest.encode()).unwrap().unwrap().content,
        b"long"
    );
    assert!(matches!(
        store.get(&too_long.encode()),
        Err(Error::KeyTooLong { .. })
    ));
    assert!(matches!(store.get(b""), Err(Error::EmptyKey)));
    let view = store.snapshot().unwrap();
    let bytes = too_long.encode();
    assert!(matches!(
        view.scan(&bytes, Bound::Unbounded),
        Err(Error::KeyTooLong { .. })
    ));
    assert!(matches!(
        view.scan(b"S:", Bound::Excluded(&bytes)),
        Err(Error::KeyTooLong { .. })
    ));
}

fn contents_may_be_empty_or_large(store: &dyn KVStore) {
    let large: Vec<u8> = (0..1_300_000_u32)
        .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
        .collect();
    let contents = [Vec::new(), vec![0], large];
    let mut batch = batch(1, 1);
    batch.cursor = cursor(3);
    batch.entries = contents
        .iter()
        .zip(1..)
        .map(|(content, number)| put(Key::Quarantine(seq(number)), number, content.clone()).seal())
        .collect();
    store.apply(batch).unwrap();
    store.publish().unwrap();
    for (content, number) in contents.iter().zip(1..) {
        let value = store
            .get(&Key::Quarantine(seq(number)).encode())
            .unwrap()
            .unwrap();
        assert!(value.content == *content, "content {number}");
    }
}

fn prefixes_are_not_confused(store: &dyn KVStore) {
    catch_up(store, 60);
    let view = store.snapshot().unwrap();
    for name in ["Tesla", "Tesla_Inc", "Tes"] {
        let found = keys_of(&*view, &key::subject(name), Bound::Unbounded);
        let start = format!(r"S:{name}\0is\0");
        assert!(
            !found.is_empty() && found.iter().all(|key| key.starts_with(&start)),
            "{found:?}"
        );
        assert_eq!(
            keys_of(
                &*view,
                &key::subject_predicate(name, "is"),
                Bound::Unbounded
            ),
            found
        );
        assert!(keys_of(&*view, &key::subject_predicate(name, "i"), Bound::Unbounded).is_empty());
        let numbers: Vec<u64> = found
            .iter()
            .map(|key| key[start.len()..].parse().unwrap())
            .collect();
        assert!(numbers.is_sorted(), "order of arrival");
    }
    let all = keys_of(&*view, &key::subjects("Tes"), Bound::Unbounded);
    assert_eq!(all, keys_of(&*view, b"S:", Bound::Unbounded));
    let votes = keys_of(&*view, &key::votes_of(id(31)), Bound::Unbounded);
    assert_eq!(votes.len(), 2, "{votes:?}");
    assert!(keys_of(&*view, &[0xff; 3], Bound::Unbounded).is_empty());
}

fn scans_resume(store: &dyn KVStore) {
    catch_up(store, 700);
    let view = store.snapshot().unwrap();
    let keys: Vec<_> = store
        .scan_prefix(b"")
        .unwrap()
        .map(|entry| entry.unwrap().0)
        .collect();
    for at in (0..keys.len()).step_by(37) {
        let next = |start| {
            view.scan(b"", start)
                .unwrap()
                .next()
                .map(|entry| entry.unwrap().0)
        };
        assert_eq!(next(Bound::Included(&keys[at])).as_ref(), keys.get(at));
        assert_eq!(next(Bound::Excluded(&keys[at])).as_ref(), keys.get(at + 1));
    }
    // A start outside the prefix: below it everything, above it nothing.
    let epochs = keys_of(&*view, b"E:", Bound::Unbounded);
    assert_eq!(keys_of(&*view, b"E:", Bound::Excluded(b"A")), epochs);
    assert!(keys_of(&*view, b"E:", Bound::Included(b"H:")).is_empty());
    // A skip-scan: from one subject to the next without reading what is between.
    let mut subjects = Vec::new();
    let mut start = key::subjects("");
    while let Some(entry) = view.scan(b"S:", Bound::Included(&start)).unwrap().next() {
        let Key::Subject { subject, .. } = Key::decode(&entry.unwrap().0).unwrap() else {
            panic!()
        };
        start = key::after_subject(&subject);
        subjects.push(subject);
    }
    assert_eq!(subjects, ["Tes", "Tesla", "Tesla_Inc"]);
}

fn the_stores_own_entries_are_hidden(store: &dyn KVStore) {
    catch_up(store, 30);
    store.persist().unwrap();
    let view = store.snapshot().unwrap();
    let raw: Vec<_> = view.scan_raw().unwrap().map(Result::unwrap).collect();
    let own = |entry: &&stemedb_storage::RawEntry| {
        entry.key.starts_with(b"M:") || entry.key.starts_with(b"B:")
    };
    assert!(raw.iter().any(|entry| entry.key_text() == "M:cursor"));
    assert!(raw.iter().any(|entry| entry.key_text() == "B:1"));
    for entry in &raw {
        entry.verify().unwrap();
    }
    for entry in raw.iter().filter(own) {
        assert_eq!(view.get(&entry.key).unwrap(), None, "{}", entry.key_text());
    }
    let shown = raw.iter().filter(|entry| !own(entry)).count();
    assert_eq!(shown, store.scan_prefix(b"").unwrap().count());
    for prefix in [b"B:", b"M:"] {
        assert!(keys_of(&*view, prefix, Bound::Unbounded).is_empty());
    }
}

fn a_closed_store_opens_where_it_was(open: Open<'_>) {
    let directory = tempfile::tempdir().unwrap();
    for last in [13, 14, 300] {
        let store = open(directory.path());
        catch_up(&*store, last);
        store.persist().unwrap();
        drop(store);
        let store = open(directory.path());
        assert_eq!(store.cursor().unwrap(), Some(cursor(last)));
        assert!(matches!(store.snapshot(), Err(Error::NotReconciled)));
        store.publish().unwrap();
        expect_exactly(&*store, last);
    }
}

fn opening_and_replaying_again_changes_nothing(open: Open<'_>) {
    let directory = tempfile::tempdir().unwrap();
    for last in [8, 8, 21, 21] {
        let store = open(directory.path());
        // A replay from the very beginning, whatever is there.
        let whole: Vec<u64> = (1..=last).collect();
        for chunk in whole.chunks(6) {
            store
                .apply(batch(chunk[0], *chunk.last().unwrap()))
                .unwrap();
        }
        store.publish().unwrap();
        expect_exactly(&*store, last);
    }
}

fn a_checkpoint_can_be_made_at_any_time(open: Open<'_>) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.persist().unwrap();
    for last in 1..=12 {
        catch_up(&*store, last);
        store.persist().unwrap();
        store.persist().unwrap();
    }
    for engine in store.cursors().unwrap() {
        assert_eq!(engine.cursor, Some(cursor(12)), "{}", engine.engine);
    }
    drop(store);
    let store = open(directory.path());
    store.publish().unwrap();
    expect_exactly(&*store, 12);
    assert!((1..=12).any(|number| kind(number) == crate::support::Kind::Epoch));
}
