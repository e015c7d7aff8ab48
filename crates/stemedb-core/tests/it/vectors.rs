//! `data/vectors.json` comes from an implementation in another language; every byte has to agree.

use serde_json::Value;
use stemedb_core::{Record, SigningKey};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::HEXLOWER.encode(bytes.as_ref())
}

fn key(vectors: &Value) -> SigningKey {
    let secret = vectors["secret_key"].as_str().unwrap();
    let secret = data_encoding::HEXLOWER.decode(secret.as_bytes()).unwrap();
    SigningKey::from_bytes(secret.try_into().unwrap())
}

#[test]
fn the_key_has_its_public_half_and_its_did() {
    let vectors = vectors();
    let key = key(&vectors);
    assert_eq!(hex(key.public().as_bytes()), vectors["public_key"]);
    assert_eq!(key.did().as_str(), vectors["did"]);
}

#[test]
fn canonical_bytes_ids_and_signatures_are_those_of_the_reference() {
    let vectors = vectors();
    let key = key(&vectors);
    let rows = vectors["vectors"].as_array().unwrap();
    assert_eq!(rows.len(), 24);
    let mut signed = 0;
    for row in rows {
        let record = Record::from_json(row["record"].to_string().as_bytes()).unwrap();
        assert_eq!(
            hex(record.canonical_bytes().unwrap()),
            row["canonical"],
            "{}",
            row["record"]
        );
        assert_eq!(record.id().unwrap().to_string(), row["id"]);
        if let Some(signature) = row.get("signature") {
            signed += 1;
            let record = key.sign(&record).unwrap();
            assert_eq!(record.signature().unwrap().to_string(), *signature);
            assert_eq!(record.verify().unwrap().to_string(), row["id"]);
        } else {
            assert_eq!(record.verify(), record.id());
        }
    }
    assert_eq!(signed, 3);
}
