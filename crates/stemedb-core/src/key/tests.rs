use super::*;

const DID: &str = "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd";

#[test]
fn every_key_reads_back_from_its_text() {
    for seed in 0..=255 {
        let key = PublicKey::from_bytes([seed; 32]);
        let did = format_did(key);
        assert!(did.starts_with("did:key:z6Mk"), "{did}");
        assert_eq!(did.len(), DID.len());
        assert_eq!(parse_did(&did), Ok(Some(key)));
    }
}

#[test]
fn other_names_are_no_keys() {
    for name in [
        "site:fda.gov",
        "did:web:example.org",
        "DID:KEY:z6Mk",
        "did:key",
        " did:key:z",
    ] {
        assert_eq!(parse_did(name), Ok(None), "{name}");
    }
}

#[test]
fn anything_else_that_claims_to_be_a_key_is_refused() {
    let encode = |bytes: &[u8]| format!("did:key:z{}", bs58::encode(bytes).into_string());
    let mut key = [0x42; 34];
    key[..2].copy_from_slice(&ED25519);
    assert!(parse_did(&encode(&key)).is_ok());
    let mut other_codec = key;
    other_codec[0] = 0xec;
    let mut led_by_zero = vec![0];
    led_by_zero.extend_from_slice(&key);
    let refused = [
        "did:key:".to_owned(),
        "did:key:z".to_owned(),
        DID.replace(":z6", ":6"),
        DID.replace(":z6", ":Z6"),
        format!("{DID}#{}", &DID[8..]),
        format!("{DID}1"),
        format!("{DID} "),
        DID.replace("z6Mk", "z16Mk"),
        DID.replace("vVd", "v0d"),
        DID[..DID.len() - 1].to_owned(),
        encode(&key[..33]),
        encode(&other_codec),
        encode(&led_by_zero),
        format!("did:key:z{}", "1".repeat(400)),
    ];
    for did in refused {
        assert_eq!(parse_did(&did), Err(Reason::DidKey), "{did}");
    }
}
