//! Keys: each is the only one of its bytes, and they sort as what they name.

use stemedb_core::{RecordId, Sequence};
use stemedb_storage::key::{Key, KeyKind, MetaKey, subject, subject_predicate, text};

pub(crate) fn run(bytes: &[u8]) {
    let printed = text(bytes);
    if let Ok(key) = Key::decode(bytes) {
        assert!(key.encode() == bytes, "a key has two encodings");
        assert!(KeyKind::of(bytes) == Some(key.kind()));
        assert!(printed == key.to_string(), "a key is printed in two ways");
        compare(&key);
    }
    if let Some(key) = made_from(bytes) {
        let encoded = key.encode();
        assert!(Key::decode(&encoded).unwrap() == key, "a key is lost");
        compare(&key);
    }
}

/// Entries of a subject lie behind its prefix, in the order of their sequences, and those of no other subject do.
fn compare(key: &Key) {
    let Key::Subject {
        subject: name,
        predicate,
        sequence,
    } = key
    else {
        return;
    };
    let encoded = key.encode();
    assert!(encoded.starts_with(&subject(name)));
    assert!(encoded.starts_with(&subject_predicate(name, predicate)));
    let longer = format!("{name}!");
    assert!(!encoded.starts_with(&subject(&longer)));
    if let Some(next) = sequence.get().checked_add(1).and_then(Sequence::new) {
        let later = Key::Subject {
            subject: name.clone(),
            predicate: predicate.clone(),
            sequence: next,
        };
        assert!(encoded < later.encode(), "a later entry sorts first");
    }
}

/// Any subject key that can be made from bytes: eight of them are the sequence.
fn made_from(bytes: &[u8]) -> Option<Key> {
    let (sequence, names) = bytes.split_first_chunk::<8>()?;
    let (name, predicate) = names.split_at(names.len() / 2);
    let clean = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "?");
    Some(Key::Subject {
        subject: clean(name),
        predicate: clean(predicate),
        sequence: Sequence::new(u64::from_le_bytes(*sequence))?,
    })
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let id = RecordId::from_bytes([0xa7; 32]);
    let keys = [
        Key::Assertion(id),
        Key::Vote {
            assertion: id,
            vote: RecordId::from_bytes([1; 32]),
        },
        Key::VoteIndex(id),
        Key::Epoch(id),
        Key::Subject {
            subject: "Eiffel Tower".to_owned(),
            predicate: "height".to_owned(),
            sequence: Sequence::FIRST,
        },
        Key::Quarantine(Sequence::FIRST),
        Key::Batch(Sequence::FIRST),
        Key::Meta(MetaKey::Cursor),
    ];
    keys.map(|key| key.encode()).to_vec()
}
