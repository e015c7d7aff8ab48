use proptest::prelude::*;

use super::{
    Key, KeyKind, MetaKey, Role, after_subject, all, assertion, engine, subject, subject_predicate,
    subjects, text, votes_of,
};
use stemedb_core::{RecordId, Sequence};

const ID: RecordId = RecordId::from_bytes([0xab; 32]);

fn ids() -> impl Strategy<Value = RecordId> {
    any::<[u8; 32]>().prop_map(RecordId::from_bytes)
}

fn sequences() -> impl Strategy<Value = Sequence> {
    (1..=u64::MAX).prop_filter_map("not 0", Sequence::new)
}

/// Names that begin with each other, and names with anything in them but a zero byte.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,4}",
        "[^\0]{1,12}",
        Just("Tesla".into()),
        Just("Tesla_Inc".into())
    ]
}

fn metas() -> impl Strategy<Value = MetaKey> {
    prop::sample::select(&MetaKey::ALL[..])
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        ids().prop_map(Key::Assertion),
        (ids(), ids()).prop_map(|(assertion, vote)| Key::Vote { assertion, vote }),
        ids().prop_map(Key::VoteIndex),
        ids().prop_map(Key::Epoch),
        (names(), names(), sequences()).prop_map(|(subject, predicate, sequence)| Key::Subject {
            subject,
            predicate,
            sequence
        }),
        sequences().prop_map(Key::Quarantine),
        sequences().prop_map(Key::Batch),
        metas().prop_map(Key::Meta),
    ]
}

proptest! {
    #[test]
    fn every_key_round_trips(key in keys()) {
        let bytes = key.encode();
        prop_assert_eq!(KeyKind::of(&bytes), Some(key.kind()));
        prop_assert_eq!(Key::decode(&bytes).unwrap(), key);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..90), kind in 0..8_usize) {
        let bytes = [&KeyKind::ALL[kind].tag()[..], &bytes].concat();
        if let Ok(key) = Key::decode(&bytes) {
            prop_assert_eq!(key.encode(), bytes);
        }
    }

    #[test]
    fn different_keys_have_different_bytes(one in keys(), other in keys()) {
        prop_assert_eq!(one == other, one.encode() == other.encode());
    }

    #[test]
    fn entries_of_a_subject_and_predicate_sort_by_arrival(name in names(), one in sequences(), other in sequences()) {
        let key = |sequence| Key::Subject { subject: name.clone(), predicate: name.clone(), sequence }.encode();
        prop_assert_eq!(one.cmp(&other), key(one).cmp(&key(other)));
        let quarantine = |sequence| Key::Quarantine(sequence).encode();
        prop_assert_eq!(one.cmp(&other), quarantine(one).cmp(&quarantine(other)));
    }

    #[test]
    fn a_subject_prefix_matches_that_subject_only(one in names(), other in names(), predicate in names(), sequence in sequences()) {
        let key = Key::Subject { subject: one.clone(), predicate: predicate.clone(), sequence }.encode();
        prop_assert_eq!(key.starts_with(&subject(&other)), one == other);
        prop_assert_eq!(key.starts_with(&subject_predicate(&one, &other)), predicate == other);
        prop_assert_eq!(key.starts_with(&subjects(&other)), one.starts_with(&other));
        prop_assert!(key < after_subject(&one));
    }

    #[test]
    fn a_skip_scan_misses_no_subject(one in names(), other in names(), sequence in sequences()) {
        let key = |subject: &str| Key::Subject { subject: subject.into(), predicate: "p".into(), sequence }.encode();
        let later = key(&other) > key(&one) && other != one;
        prop_assert_eq!(later, key(&other) >= after_subject(&one));
    }

    #[test]
    fn votes_are_found_under_their_assertion(one in ids(), other in ids(), vote in ids()) {
        let key = Key::Vote { assertion: one, vote }.encode();
        prop_assert_eq!(key.starts_with(&votes_of(other)), one == other);
    }
}

#[test]
fn bytes_are_those_of_the_format() {
    let sequence = Sequence::new(0x0102_0304_0506_0708).unwrap();
    let number = [1, 2, 3, 4, 5, 6, 7, 8];
    let id = [0xab; 32];
    let hex = "ab".repeat(32);
    let cases: [(Key, Vec<u8>); 8] = [
        (Key::Assertion(ID), [b"H:", &id[..]].concat()),
        (
            Key::Vote {
                assertion: ID,
                vote: ID,
            },
            [b"V:", &id[..], b":", &id[..]].concat(),
        ),
        (Key::VoteIndex(ID), [b"I:", &id[..]].concat()),
        (Key::Epoch(ID), [b"E:", hex.as_bytes()].concat()),
        (
            Key::Subject {
                subject: "Tesla".into(),
                predicate: "is".into(),
                sequence,
            },
            [b"S:Tesla\0is\0", &number[..]].concat(),
        ),
        (Key::Quarantine(sequence), [b"Q:", &number[..]].concat()),
        (Key::Batch(sequence), [b"B:", &number[..]].concat()),
        (Key::Meta(MetaKey::Cursor), b"M:cursor".to_vec()),
    ];
    for (key, bytes) in cases {
        assert_eq!(key.encode(), bytes, "{key}");
    }
}

#[test]
fn text_form_is_readable() {
    let sequence = Sequence::new(7).unwrap();
    let hex = "ab".repeat(32);
    let subject = Key::Subject {
        subject: "Eiffel Tower".into(),
        predicate: "height".into(),
        sequence,
    };
    assert_eq!(subject.to_string(), r"S:Eiffel Tower\0height\07");
    assert_eq!(Key::Epoch(ID).to_string(), format!("E:{hex}"));
    assert_eq!(
        Key::Vote {
            assertion: ID,
            vote: ID
        }
        .to_string(),
        format!("V:{hex}:{hex}")
    );
    assert_eq!(Key::Quarantine(sequence).to_string(), "Q:7");
    assert_eq!(text(b"M:counts"), "M:counts");
    assert_eq!(text(b"X\xff"), "0x58ff");
    assert_eq!(text(b""), "0x");
}

#[test]
fn foreign_bytes_are_no_keys() {
    let id = [0xab; 32];
    let upper = "AB".repeat(32);
    let cases: [Vec<u8>; 14] = [
        b"".to_vec(),
        b"H".to_vec(),
        b"H:".to_vec(),
        [b"H:", &id[..31]].concat(),
        [b"H:", &id[..], b"x"].concat(),
        [b"V:", &id[..], b";", &id[..]].concat(),
        [b"V:", &id[..], b":", &id[..31]].concat(),
        [b"E:", upper.as_bytes()].concat(),
        b"S:Tesla\0is\0\0\0\0\0\0\0\0\0".to_vec(),
        b"S:Tesla\0is\0an\0\0\0\0\0\0\0\0\x01".to_vec(),
        b"S:Tesla\0\0\0\0\0\0\0\0\x01".to_vec(),
        b"S:\xff\0is\0\0\0\0\0\0\0\0\x01".to_vec(),
        b"Q:\0\0\0\0\0\0\0\0".to_vec(),
        b"M:nothing".to_vec(),
    ];
    for bytes in cases {
        assert!(Key::decode(&bytes).is_err(), "{}", text(&bytes));
    }
}

#[test]
fn kinds_are_listed_in_key_order() {
    let tags: Vec<_> = KeyKind::ALL.iter().map(|kind| kind.tag()).collect();
    assert!(tags.is_sorted());
    assert!(KeyKind::ALL.is_sorted());
    assert_eq!(all(KeyKind::Vote), *b"V:");
}

#[test]
fn only_epochs_are_small() {
    for kind in KeyKind::ALL {
        assert_eq!(
            engine(kind) == Role::Small,
            kind == KeyKind::Epoch,
            "{kind:?}"
        );
    }
}

proptest! {
    #[test]
    fn the_key_of_an_assertion_needs_no_allocation(id in ids()) {
        prop_assert_eq!(&assertion(id)[..], Key::Assertion(id).encode());
    }
}
