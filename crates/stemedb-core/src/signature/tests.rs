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
    let stream = || Coefficients(blake3::Hasher::new().finalize_xof());
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
