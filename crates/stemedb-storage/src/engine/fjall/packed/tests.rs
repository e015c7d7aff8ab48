use std::borrow::Cow;

use proptest::prelude::*;

use super::{LENGTH_BYTES, MARK, Packer, RATIO_MAX, VALUE_BYTES_MIN, packed_length, unpack};

/// A value that is worth packing, as an envelope begins.
fn envelope() -> Vec<u8> {
    let sequence = 7_u64.to_le_bytes();
    sequence.into_iter().chain([b'x'; 400]).collect()
}

fn packed(value: &[u8]) -> Vec<u8> {
    Packer::default().pack(value).to_vec()
}

#[test]
fn what_gets_smaller_is_packed_and_the_rest_is_lent() {
    let value = envelope();
    let kept = packed(&value);
    assert!(kept.len() < 40, "{}", kept.len());
    assert_eq!(*unpack(&kept).unwrap(), value);

    let short = &value[..VALUE_BYTES_MIN - 1];
    assert_eq!(packed(short), short);
    assert!(matches!(unpack(short), Ok(Cow::Borrowed(_))));
    assert!(matches!(unpack(b""), Ok(Cow::Borrowed(b""))));
}

#[test]
fn a_packer_forgets_the_value_before() {
    let mut packer = Packer::default();
    let long = envelope().repeat(300);
    for value in [&long, &envelope(), &long[8..90].to_vec(), &long] {
        assert_eq!(packer.pack(value), packed(value));
        assert_eq!(*unpack(packer.pack(value)).unwrap(), **value);
    }
}

#[test]
fn a_value_that_looks_like_a_packed_one_is_packed() {
    for length in [8, 9, VALUE_BYTES_MIN, 1000] {
        let value = vec![0xff; length];
        let kept = packed(&value);
        assert_ne!(kept, value);
        assert_eq!(*unpack(&kept).unwrap(), value);
    }
}

#[test]
fn a_length_beyond_what_the_bytes_can_stand_for_is_damage() {
    let mut kept = packed(&envelope());
    let most = (kept.len() - LENGTH_BYTES) * RATIO_MAX;
    for length in [0, 1, 407, 409, most, most + 1, 1 << 31, 1 << 62] {
        let head = u64::try_from(length).unwrap() | MARK;
        kept[..LENGTH_BYTES].copy_from_slice(&head.to_le_bytes());
        assert!(unpack(&kept).is_err(), "{length}");
    }
    assert!(unpack(&MARK.to_le_bytes()).is_err(), "nothing is packed");
}

#[test]
fn no_cut_of_a_packed_value_is_another_value() {
    let kept = packed(&envelope());
    for end in LENGTH_BYTES..kept.len() {
        assert!(unpack(&kept[..end]).is_err(), "{end}");
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(
        pieces in prop::collection::vec((any::<u8>(), 0_usize..80, any::<bool>()), 0..12),
        noise in prop::collection::vec(any::<u8>(), 80),
    ) {
        let piece = |(byte, length, is_noise): (u8, usize, bool)| {
            if is_noise { noise[..length].to_vec() } else { vec![byte; length] }
        };
        let value: Vec<u8> = pieces.into_iter().flat_map(piece).collect();
        let kept = packed(&value);
        prop_assert_eq!(&*unpack(&kept).unwrap(), &value[..]);
        prop_assert!(kept.len() <= value.len() || packed_length(&value).is_some());
    }

    #[test]
    fn no_bytes_make_it_panic_or_allocate_much(mut bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0_u64..90_000) {
        if let Some(head) = bytes.first_chunk_mut() {
            *head = (length | MARK).to_le_bytes();
        }
        if let Ok(value) = unpack(&bytes) {
            prop_assert!(value.len() <= bytes.len() * RATIO_MAX);
        }
    }
}
