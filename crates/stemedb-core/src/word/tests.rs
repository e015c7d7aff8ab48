use proptest::prelude::*;

use super::*;

#[test]
fn every_byte_is_found_at_every_place_and_no_other() {
    for byte in 0..=u8::MAX {
        for place in 0..20 {
            for length in place + 1..20 {
                let mut bytes = vec![b'z'; length];
                bytes[place] = byte;
                let expected = |is_found: bool| is_found.then_some(place);
                let quote = find(&bytes, |word| equal(word, b'"'));
                assert_eq!(
                    quote,
                    expected(byte == b'"'),
                    "{byte} at {place} of {length}"
                );
                let control = find(&bytes, |word| less(word, b' '));
                assert_eq!(
                    control,
                    expected(byte < b' '),
                    "{byte} at {place} of {length}"
                );
            }
        }
    }
    assert_eq!(find(b"", |word| less(word, b' ')), None);
}

proptest! {
    #[test]
    fn the_first_of_several_is_found(
        bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'!'), Just(b'#'), Just(0x1f), any::<u8>()], 0..40),
        limit in 0..=b' ',
    ) {
        let found = find(&bytes, |word| equal(word, b'"') | less(word, limit));
        let expected = bytes.iter().position(|byte| *byte == b'"' || *byte < limit);
        prop_assert_eq!(found, expected);
    }
}
