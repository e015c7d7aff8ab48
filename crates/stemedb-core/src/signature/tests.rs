use super::*;

#[test]
fn the_debug_form_of_a_key_hides_the_secret() {
    let key = SigningKey::from_bytes([0xab; 32]);
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("SigningKey({})", key.did()));
    assert!(!shown.contains("171") && !shown.contains("abab"));
}

#[test]
fn the_message_is_the_domain_and_the_id() {
    let message = message(RecordId::from_bytes([7; 32]));
    assert_eq!(&message[..21], b"stemedb-signature-v1\0");
    assert_eq!(&message[21..], [7; 32]);
}

#[test]
fn coefficients_are_one_stream() {
    let stream = || Coefficients::of(&[]);
    let mut whole = [0; 28];
    let Ok(()) = stream().try_fill_bytes(&mut whole);
    let mut parts = stream();
    let Ok(first) = parts.try_next_u32();
    let Ok(second) = parts.try_next_u64();
    let mut rest = [0; 16];
    let Ok(()) = parts.try_fill_bytes(&mut rest);
    assert_eq!(first.to_le_bytes(), whole[..4]);
    assert_eq!(second.to_le_bytes(), whole[4..12]);
    assert_eq!(rest, whole[12..]);
}

#[test]
fn coefficients_depend_on_every_byte_of_a_batch() {
    let item = |seed: u8| PendingSignature {
        key: PublicKey::from_bytes([seed; 32]),
        signature: Signature::from_bytes([seed; 64]),
        id: RecordId::from_bytes([seed; 32]),
    };
    let first = |batch: &[PendingSignature]| {
        let Ok(word) = Coefficients::of(batch).try_next_u64();
        word
    };
    let batch = [item(1), item(2)];
    let mut seen = std::collections::HashSet::from([
        first(&batch),
        first(&batch[..1]),
        first(&[batch[1], batch[0]]),
    ]);
    assert_eq!(seen.len(), 3);
    for (at, byte) in (0..2).flat_map(|at| (0..128).map(move |byte| (at, byte))) {
        let mut other = batch;
        let (mut key, mut id) = (*other[at].key.as_bytes(), *other[at].id.as_bytes());
        let mut signature = *other[at].signature.as_bytes();
        match byte {
            0..32 => key[byte] ^= 1,
            32..64 => id[byte - 32] ^= 1,
            _ => signature[byte - 64] ^= 1,
        }
        other[at] = PendingSignature {
            key: PublicKey::from_bytes(key),
            signature: Signature::from_bytes(signature),
            id: RecordId::from_bytes(id),
        };
        assert!(seen.insert(first(&other)), "byte {byte} of item {at}");
    }
}
