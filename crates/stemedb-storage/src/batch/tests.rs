use stemedb_core::{RecordId, Sequence};

use super::{Batch, Scope, Share};
use crate::{
    cursor::{Counts, Cursor},
    entry::{Entry, Origin},
    envelope,
    error::{BatchFault, Error},
    key::{self, Key, KeyKind, MetaKey},
};

const ID: RecordId = RecordId::from_bytes([1; 32]);

fn seq(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

fn cursor(number: u64) -> Cursor {
    Cursor {
        journal: [9; 16],
        sequence: seq(number),
        group: 1,
        group_hash: [8; 32],
    }
}

fn put(key: &Key, number: u64) -> Entry {
    let origin = Origin {
        sequence: seq(number),
        arrived_at_ms: 1,
    };
    Entry::new(key, origin, b"content").unwrap()
}

fn batch(first: u64, last: u64, entries: Vec<Entry>) -> Batch {
    Batch {
        first: seq(first),
        cursor: cursor(last),
        entries,
        duplicates: Vec::new(),
    }
}

fn keys(share: &Share) -> Vec<String> {
    share.writes.iter().map(|(key, _)| key::text(key)).collect()
}

fn share(batch: &Batch, scope: Scope, done: Option<u64>) -> Option<Share> {
    let mut batch = batch.clone();
    batch.take_share(scope, done.map(cursor).as_ref(), Counts::default())
}

#[test]
fn each_engine_gets_its_kinds_and_its_notes() {
    let batch = batch(
        1,
        3,
        vec![put(&Key::Quarantine(seq(1)), 1), put(&Key::Epoch(ID), 2)],
    );
    let stream = share(&batch, Scope::Stream, None).unwrap();
    assert_eq!(keys(&stream), ["B:1", "M:counts", "M:cursor", "Q:1"]);
    let small = share(&batch, Scope::Small, None).unwrap();
    assert_eq!(
        keys(&small),
        [&Key::Epoch(ID).to_string(), "M:counts", "M:cursor"]
    );
    assert_eq!(share(&batch, Scope::Whole, None).unwrap().writes.len(), 5);
}

#[test]
fn a_share_leaves_what_is_of_the_other_engine() {
    let (stream, small) = (put(&Key::Quarantine(seq(1)), 1), put(&Key::Epoch(ID), 2));
    let mut batch = batch(1, 3, vec![small.clone(), stream]);
    let taken = batch.take_share(Scope::Stream, None, Counts::default());
    assert_eq!(
        keys(&taken.unwrap()),
        ["B:1", "M:counts", "M:cursor", "Q:1"]
    );
    assert_eq!(batch.entries, [small]);
}

#[test]
fn every_written_envelope_verifies() {
    let batch = batch(
        1,
        3,
        vec![put(&Key::Quarantine(seq(1)), 1), put(&Key::Epoch(ID), 2)],
    );
    for (key, envelope) in share(&batch, Scope::Whole, None).unwrap().writes {
        envelope::verify("e", &key, &envelope).unwrap();
    }
}

#[test]
fn a_batch_wholly_applied_has_nothing_left() {
    let batch = batch(4, 6, vec![put(&Key::Quarantine(seq(5)), 5)]);
    assert!(share(&batch, Scope::Stream, Some(6)).is_none());
    assert!(share(&batch, Scope::Stream, Some(9)).is_none());
}

#[test]
fn of_an_overlapping_batch_only_what_is_new_is_left() {
    let puts = vec![
        put(&Key::Quarantine(seq(4)), 4),
        put(&Key::Quarantine(seq(6)), 6),
    ];
    let mut batch = batch(4, 6, puts);
    batch.duplicates = vec![seq(5), seq(6)];
    let share = share(&batch, Scope::Stream, Some(5)).unwrap();
    assert_eq!(keys(&share), ["B:6", "M:counts", "M:cursor", "Q:6"]);
    assert_eq!(
        share.counts,
        Counts {
            quarantined: 1,
            duplicates: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn a_batch_without_anything_for_it_leaves_the_small_engine_alone() {
    let batch = batch(1, 1, vec![put(&Key::Quarantine(seq(1)), 1)]);
    assert!(share(&batch, Scope::Small, None).is_none());
    let empty = self::batch(1, 1, Vec::new());
    assert_eq!(
        keys(&share(&empty, Scope::Stream, None).unwrap()),
        ["B:1", "M:counts", "M:cursor"]
    );
}

#[test]
fn a_vote_counts_once_though_it_has_two_entries() {
    let vote = Key::Vote {
        assertion: ID,
        vote: ID,
    };
    let subject = Key::Subject {
        subject: "s".into(),
        predicate: "p".into(),
        sequence: seq(2),
    };
    let puts = vec![
        put(&vote, 1),
        put(&Key::VoteIndex(ID), 1),
        put(&Key::Assertion(ID), 2),
        put(&subject, 2),
    ];
    let counts = share(&batch(1, 2, puts), Scope::Whole, None)
        .unwrap()
        .counts;
    assert_eq!(
        counts,
        Counts {
            assertions: 1,
            votes: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn contradictions_are_refused() {
    let fault = |batch: Batch| match batch.check().unwrap_err() {
        Error::InvalidBatch { fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(
        fault(batch(3, 2, Vec::new())),
        BatchFault::EndsBeforeItBegins
    );
    let low = vec![put(&Key::Quarantine(seq(1)), 1)];
    assert_eq!(fault(batch(2, 3, low)), BatchFault::Outside(seq(1)));
    let mut high = batch(2, 3, Vec::new());
    high.duplicates.push(seq(4));
    assert_eq!(fault(high), BatchFault::Outside(seq(4)));
    for key in [Key::Batch(seq(2)), Key::Meta(MetaKey::Cursor)] {
        assert!(matches!(key.kind(), KeyKind::Batch | KeyKind::Meta));
        assert_eq!(
            fault(batch(2, 3, vec![put(&key, 2)])),
            BatchFault::InternalKey
        );
    }
}

/// Keys that agree in more bytes than a number holds, one that is the beginning of another, and zero bytes behind where one ends.
#[test]
fn entries_come_in_the_order_of_their_keys() {
    let subject = |subject: &str, predicate: &str, sequence| Key::Subject {
        subject: subject.into(),
        predicate: predicate.into(),
        sequence: seq(sequence),
    };
    let keys = [
        subject("a long name that goes on", "b", 3),
        subject("a long name that goes on", "b", 2),
        subject("a long name that goes on", "a", 2),
        subject("a long name", "a", 1),
        subject("", "", 1),
        subject("", "", 2),
        Key::Quarantine(seq(3)),
        Key::VoteIndex(ID),
        Key::Assertion(RecordId::from_bytes([0; 32])),
        Key::Assertion(ID),
        Key::Quarantine(seq(1)),
    ];
    let entries = keys.iter().map(|key| put(key, 1)).collect();
    let share = share(&batch(1, 3, entries), Scope::Whole, None).unwrap();
    let notes = [
        Key::Batch(seq(1)),
        Key::Meta(MetaKey::Counts),
        Key::Meta(MetaKey::Cursor),
    ];
    let mut expected: Vec<_> = keys.iter().chain(&notes).map(Key::encode).collect();
    expected.sort();
    let written = share.writes.iter().map(|(key, _)| key.to_vec());
    assert_eq!(written.collect::<Vec<_>>(), expected);
}

#[test]
fn of_entries_with_one_key_the_last_is_written() {
    let origin = Origin {
        sequence: seq(1),
        arrived_at_ms: 1,
    };
    let entry = |number: u8| Entry::new(&Key::Quarantine(seq(1)), origin, &[number]).unwrap();
    let other = put(&Key::Quarantine(seq(2)), 1);
    let mut entries: Vec<_> = (0..50).map(entry).collect();
    entries.insert(20, other);
    let share = share(&batch(1, 1, entries), Scope::Stream, None).unwrap();
    assert_eq!(keys(&share), ["B:1", "M:counts", "M:cursor", "Q:1", "Q:2"]);
    let (_, envelope) = &share.writes[3];
    assert_eq!(envelope[..], *entry(49).envelope());
}
