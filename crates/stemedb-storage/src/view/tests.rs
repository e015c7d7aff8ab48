use std::ops::Bound::{self, Excluded, Included, Unbounded};

use proptest::prelude::*;

use super::{range_of, successor};
use crate::key::KeyKind;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b'E'),
        Just(b'S'),
        Just(b':'),
        Just(0),
        Just(255),
        any::<u8>()
    ];
    prop::collection::vec(byte, 0..5)
}

fn bounds() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        Just(Unbounded),
        bytes().prop_map(Included),
        bytes().prop_map(Excluded)
    ]
}

fn is_from(key: &[u8], start: &Bound<Vec<u8>>) -> bool {
    match start {
        Unbounded => true,
        Included(start) => key >= &start[..],
        Excluded(start) => key > &start[..],
    }
}

proptest! {
    #[test]
    fn a_range_holds_what_was_asked_for(prefix in bytes(), start in bounds(), rest in bytes()) {
        let key = [&b"S:"[..], &rest].concat();
        let asked = key.starts_with(&prefix) && is_from(&key, &start);
        let range = range_of(KeyKind::Subject, &prefix, start.as_ref().map(Vec::as_slice));
        let held = range.is_some_and(|range| {
            let below = match &range.end {
                Excluded(end) => key < *end,
                Included(_) => unreachable!("ends are never included"),
                Unbounded => true,
            };
            is_from(&key, &range.start) && below
        });
        prop_assert_eq!(asked, held);
    }

    #[test]
    fn a_range_is_never_upside_down(prefix in bytes(), start in bounds()) {
        for kind in KeyKind::ALL {
            if let Some(range) = range_of(kind, &prefix, start.as_ref().map(Vec::as_slice))
                && let (Included(start) | Excluded(start), Excluded(end)) = (range.start, range.end)
            {
                prop_assert!(start < end);
            }
        }
    }
}

#[test]
fn successors_step_over_the_highest_bytes() {
    assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
    assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
    assert_eq!(successor(b"\xff"), None);
    assert_eq!(successor(b""), None);
}
