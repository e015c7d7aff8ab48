//! Ed25519 signatures of records: who has to sign, what verifies, alone and in batches.

use stemedb_core::{
    Invalid, PendingSignature, PublicKey, Reason, Record, RecordId, Signature, SigningKey,
    signature::verify_batch,
};
use stemedb_testkit::record::{keys, with_agent, with_signature};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes([seed; 32])
}

fn vote_of(agent: &str, weight: f64) -> Record {
    let line = format!(
        r#"{{"type":"vote","assertion":"{}","agent":"{agent}","weight":{weight}}}"#,
        "00".repeat(32)
    );
    Record::from_json(line.as_bytes()).unwrap()
}

fn pending(record: &Record) -> PendingSignature {
    record.check(&mut Vec::new()).unwrap().1.unwrap()
}

fn reason(result: Result<RecordId, Invalid>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_key_has_to_sign_and_nobody_else_may() {
    let key = key(1);
    let bare = vote_of(key.did().as_str(), 1.0);
    let missing = "signature: missing; an agent that is a did:key has to sign its records";
    assert_eq!(reason(bare.verify()), missing);
    let signed = key.sign(&bare).unwrap();
    assert_eq!(signed.verify(), bare.id());

    let named = with_agent(bare, "rater:7".parse().unwrap());
    assert_eq!(named.verify(), named.id());
    let unexpected =
        "signature: the agent is no did:key, so nobody can check a signature; leave it out";
    assert_eq!(
        reason(with_signature(named, signed.signature()).verify()),
        unexpected
    );
}

#[test]
fn a_signature_holds_for_its_record_and_its_key_alone() {
    let wrong = "signature: does not verify: the agent's key has not signed this record";
    let signed = key(1).sign(&vote_of(key(1).did().as_str(), 1.0)).unwrap();

    let other_record = vote_of(key(1).did().as_str(), 0.5);
    assert_eq!(
        reason(with_signature(other_record, signed.signature()).verify()),
        wrong
    );

    let other_agent = with_agent(signed.clone(), key(2).did());
    assert_eq!(
        reason(with_signature(other_agent, signed.signature()).verify()),
        wrong
    );

    for bit in 0..512 {
        let mut bytes = *signed.signature().unwrap().as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = with_signature(signed.clone(), Some(Signature::from_bytes(bytes)));
        assert_eq!(reason(flipped.verify()), wrong, "bit {bit}");
        assert!(!verify_batch(&[pending(&flipped)]), "bit {bit}");
    }
}

#[test]
fn a_key_signs_for_nobody_else() {
    let refused = key(1)
        .sign(&vote_of(key(2).did().as_str(), 1.0))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("agent: is not the signing key, which is {}", key(1).did())
    );
    assert!(key(1).sign(&vote_of("rater:7", 1.0)).is_err());
}

#[test]
fn signing_again_gives_the_same_signature() {
    let record = vote_of(key(1).did().as_str(), 1.0);
    let signed = key(1).sign(&record).unwrap();
    assert_eq!(key(1).sign(&signed), Ok(signed));
    assert_eq!(
        SigningKey::from_bytes(key(1).to_bytes()).did(),
        key(1).did()
    );
}

#[test]
fn a_batch_verifies_iff_each_does() {
    let sign = |n: u32| {
        let key = keys()[usize::try_from(n % 3).unwrap()].clone();
        pending(
            &key.sign(&vote_of(key.did().as_str(), f64::from(n) / 64.0))
                .unwrap(),
        )
    };
    let good: Vec<_> = (0..64).map(sign).collect();
    assert!(verify_batch(&good));
    assert!(verify_batch(&[]));
    assert!(verify_batch(&[good[0], good[0], good[0]]));
    for culprit in [0, 31, 63] {
        let mut batch = good.clone();
        batch[culprit].id = batch[(culprit + 1) % 64].id;
        assert!(!verify_batch(&batch), "{culprit}");
        let found: Vec<_> = (0..64).filter(|&at| batch[at].verify().is_err()).collect();
        assert_eq!(found, [culprit]);
    }
    // Two errors that cancel out under equal coefficients do not under these.
    let mut swapped = good.clone();
    (swapped[0].signature, swapped[3].signature) = (good[3].signature, good[0].signature);
    assert!(!verify_batch(&swapped[..4]));
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    data_encoding::HEXLOWER
        .decode(hex.as_bytes())
        .unwrap()
        .try_into()
        .unwrap()
}

#[test]
fn public_keys_are_those_of_rfc_8032() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        ),
    ];
    for (secret, public) in vectors {
        let key = SigningKey::from_bytes(array(secret));
        assert_eq!(key.public(), PublicKey::from_bytes(array(public)));
    }
}

/// Every encoding of a point of small order: the eight canonical ones, then the six others.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The order of the group, which is the smallest `s` that is not canonical.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn small_order(key: &str, nonce: &str, s: [u8; 32]) -> PendingSignature {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&array::<32>(nonce));
    signature[32..].copy_from_slice(&s);
    PendingSignature {
        key: PublicKey::from_bytes(array(key)),
        signature: Signature::from_bytes(signature),
        id: RecordId::from_bytes([9; 32]),
    }
}

#[test]
fn zip_215_admits_small_order_and_non_canonical_points_alone_and_in_batches() {
    let mut all = Vec::new();
    for key in SMALL_ORDER {
        for nonce in SMALL_ORDER {
            let item = small_order(key, nonce, [0; 32]);
            assert_eq!(item.verify(), Ok(()), "{key} {nonce}");
            assert!(verify_batch(&[item]), "{key} {nonce}");
            all.push(item);
        }
    }
    assert_eq!(all.len(), 196);
    assert!(verify_batch(&all));
}

#[test]
fn zip_215_refuses_the_same_alone_and_in_batches() {
    let [mut one, no_point] = [[0; 32]; 2];
    one[0] = 1;
    let no_point = {
        let mut bytes: [u8; 32] = no_point;
        bytes[0] = 2;
        data_encoding::HEXLOWER.encode(&bytes)
    };
    let refused = [
        // s is not reduced: the same signature would have many forms.
        small_order(SMALL_ORDER[0], SMALL_ORDER[0], array(ORDER)),
        // s does not fit.
        small_order(SMALL_ORDER[0], SMALL_ORDER[0], one),
        // y = 2 is on no point of the curve.
        small_order(&no_point, SMALL_ORDER[0], [0; 32]),
        small_order(SMALL_ORDER[0], &no_point, [0; 32]),
    ];
    let good = small_order(SMALL_ORDER[1], SMALL_ORDER[2], [0; 32]);
    for item in refused {
        let single = item.verify().unwrap_err();
        assert_eq!(single.reason(), &Reason::SignatureWrong, "{item:?}");
        assert!(!verify_batch(&[item]), "{item:?}");
        assert!(!verify_batch(&[good, item, good]), "{item:?}");
    }
}

#[test]
fn an_unreduced_s_is_refused_for_an_ordinary_key() {
    let signed = key(1).sign(&vote_of(key(1).did().as_str(), 1.0)).unwrap();
    let mut bytes = *signed.signature().unwrap().as_bytes();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(array::<32>(ORDER)) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    let malleated = with_signature(signed, Some(Signature::from_bytes(bytes)));
    assert!(malleated.verify().is_err());
    assert!(!verify_batch(&[pending(&malleated)]));
}
