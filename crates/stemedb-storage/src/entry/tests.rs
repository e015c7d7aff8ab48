use stemedb_core::{RecordId, Sequence};

use super::{Entry, Origin, Sealer};
use crate::{
    engine::Bytes,
    envelope,
    error::Error,
    key::{self, Key, KeyKind, MetaKey},
};

const ID: RecordId = RecordId::from_bytes([1; 32]);

const ORIGIN: Origin = Origin {
    sequence: Sequence::FIRST,
    arrived_at_ms: 17,
};

fn subject(subject: &str, predicate: &str) -> Key {
    Key::Subject {
        subject: subject.into(),
        predicate: predicate.into(),
        sequence: ORIGIN.sequence,
    }
}

/// Keys of every kind.
fn keys() -> Vec<Key> {
    vec![
        Key::Assertion(ID),
        Key::Vote {
            assertion: ID,
            vote: ID,
        },
        Key::VoteIndex(ID),
        Key::Epoch(ID),
        subject("Tesla", "is"),
        Key::Quarantine(ORIGIN.sequence),
        Key::Batch(ORIGIN.sequence),
        Key::Meta(MetaKey::Cursor),
    ]
}

#[test]
fn an_entry_is_what_its_key_and_its_envelope_say() {
    for key in keys() {
        for length in [0, 1, 7, 8, 9, 300, 5000] {
            let content = vec![7; length];
            let entry = Entry::new(&key, ORIGIN, &content).unwrap();
            assert_eq!(entry.key(), key.encode());
            assert_eq!(
                (entry.kind(), entry.sequence()),
                (key.kind(), ORIGIN.sequence)
            );
            let value = envelope::open("e", entry.key(), entry.envelope()).unwrap();
            assert_eq!((value.sequence, value.arrived_at_ms), (ORIGIN.sequence, 17));
            assert_eq!(value.content, content);
        }
    }
}

#[test]
fn entries_that_share_their_memory_are_those_that_stand_alone() {
    let mut sealer = Sealer::with_room_for(1, 10);
    assert!(sealer.is_empty());
    let mut alone = Vec::new();
    for (key, number) in keys().into_iter().zip(0_u8..) {
        let content = vec![number; usize::from(number) * 100];
        sealer.put(&key, ORIGIN, &content).unwrap();
        alone.push(Entry::new(&key, ORIGIN, &content).unwrap());
    }
    assert_eq!(sealer.len(), alone.len());
    let together = sealer.finish();
    assert_eq!(together, alone);
    let pairs: Vec<_> = together.into_iter().map(Entry::into_pair).collect();
    for ((key, envelope), entry) in pairs.iter().zip(&alone) {
        assert_eq!((&key[..], &envelope[..]), (entry.key(), entry.envelope()));
        assert_eq!(key.clone().into_vec(), entry.key());
        assert_eq!(*envelope, Bytes::from(entry.envelope().to_vec()));
    }
}

#[test]
fn a_subject_needs_no_key_of_its_own() {
    let mut sealer = Sealer::default();
    sealer.put_subject(("Tesla", "is"), ORIGIN, b"x").unwrap();
    let entry = Entry::new(&subject("Tesla", "is"), ORIGIN, b"x").unwrap();
    assert_eq!(entry.kind(), KeyKind::Subject);
    assert_eq!(sealer.finish(), [entry]);
}

#[test]
fn a_name_with_a_zero_byte_is_refused() {
    for (name, predicate) in [("a\0b", "p"), ("a", "p\0")] {
        let mut sealer = Sealer::default();
        let errors = [
            sealer.put(&subject(name, predicate), ORIGIN, b"x"),
            sealer.put_subject((name, predicate), ORIGIN, b"x"),
        ];
        for error in errors.map(Result::unwrap_err) {
            assert!(matches!(error, Error::MalformedKey { .. }), "{error}");
        }
        assert!(sealer.finish().is_empty());
    }
}

#[test]
fn a_key_that_is_too_long_leaves_nothing_behind() {
    let longest = key::KEY_BYTES_MAX - key::subject_predicate("", "p").len() - 8;
    let name = |length| "s".repeat(length);
    let mut sealer = Sealer::default();
    let error = sealer.put_subject((&name(longest + 1), "p"), ORIGIN, b"x");
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::KeyTooLong { len: 65_536 }),
        "{error}"
    );
    sealer
        .put_subject((&name(longest), "p"), ORIGIN, b"x")
        .unwrap();
    let entries = sealer.finish();
    let alone = Entry::new(&subject(&name(longest), "p"), ORIGIN, b"x").unwrap();
    assert_eq!(entries, [alone]);
}

#[test]
fn entries_are_equal_where_key_and_envelope_are() {
    let entry = |key: &Key, content: &[u8]| Entry::new(key, ORIGIN, content).unwrap();
    let one = entry(&Key::Assertion(ID), b"one");
    assert_eq!(one, one.clone());
    assert_ne!(one, entry(&Key::Assertion(ID), b"other"));
    assert_ne!(one, entry(&Key::VoteIndex(ID), b"one"));
    assert!(format!("{one:?}").contains(&Key::Assertion(ID).to_string()));
}
