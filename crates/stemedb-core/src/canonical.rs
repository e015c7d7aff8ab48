//! Canonical bytes: the one encoding of a record from which its id is made.
//!
//! The map of all present fields by their JSON names, `type` included and `signature` excluded.
//! Its keys stand in the order of their encoded bytes, shorter ones first: that order is fixed for each
//! type of record, so it is written down here and tested against sorting.

use crate::{
    cbor,
    object::Object,
    record::{Assertion, Epoch, Record, Vote},
    time::Timestamp,
};

/// Appends the canonical bytes of `record` to `out`, whatever their length.
pub(crate) fn encode(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Assertion(it) => assertion(it, out),
        Record::Vote(it) => vote(it, out),
        Record::Epoch(it) => epoch(it, out),
    }
}

fn assertion(it: &Assertion, out: &mut Vec<u8>) {
    let lifecycle = (!it.lifecycle.is_proposed()).then(|| it.lifecycle.as_str());
    let given = [
        it.epoch.is_some(),
        it.quote.is_some(),
        it.parent.is_some(),
        it.source.is_some(),
        lifecycle.is_some(),
        it.timestamp.is_some(),
        it.source_hash.is_some(),
    ];
    cbor::map(out, 6 + count(&given));
    text(out, "type", Some("assertion"));
    text(out, "agent", Some(it.agent.as_str()));
    bytes(out, "epoch", it.epoch.as_ref());
    text(out, "quote", it.quote.as_ref());
    cbor::text(out, "object");
    object(&it.object, out);
    bytes(out, "parent", it.parent.as_ref());
    text(out, "source", it.source.as_ref());
    text(out, "subject", Some(it.subject.as_str()));
    text(out, "lifecycle", lifecycle);
    text(out, "predicate", Some(it.predicate.as_str()));
    unsigned(out, "timestamp", it.timestamp.map(Timestamp::as_ms));
    cbor::text(out, "confidence");
    cbor::float(out, it.confidence.get());
    bytes(out, "source_hash", it.source_hash.as_ref());
}

fn vote(it: &Vote, out: &mut Vec<u8>) {
    cbor::map(out, 4 + count(&[it.timestamp.is_some()]));
    text(out, "type", Some("vote"));
    text(out, "agent", Some(it.agent.as_str()));
    cbor::text(out, "weight");
    cbor::float(out, it.weight.get());
    bytes(out, "assertion", Some(it.assertion));
    unsigned(out, "timestamp", it.timestamp.map(Timestamp::as_ms));
}

fn epoch(it: &Epoch, out: &mut Vec<u8>) {
    let given = [
        it.starts_at.is_some(),
        it.supersedes.is_some(),
        it.description.is_some(),
    ];
    cbor::map(out, 3 + count(&given));
    text(out, "name", Some(it.name.as_str()));
    text(out, "type", Some("epoch"));
    text(out, "agent", Some(it.agent.as_str()));
    unsigned(out, "starts_at", it.starts_at.map(Timestamp::as_ms));
    bytes(out, "supersedes", it.supersedes.as_ref());
    text(out, "description", it.description.as_ref());
}

fn object(it: &Object, out: &mut Vec<u8>) {
    cbor::map(out, 1);
    cbor::text(out, it.kind());
    match it {
        Object::Text(text) => cbor::text(out, text),
        Object::Number(number) => cbor::float(out, number.get()),
        Object::Boolean(boolean) => cbor::boolean(out, *boolean),
        Object::Reference(reference) => cbor::text(out, reference.as_str()),
    }
}

/// How many of the optional fields are given.
fn count(given: &[bool]) -> u64 {
    given.iter().map(|&given| u64::from(given)).sum()
}

fn text(out: &mut Vec<u8>, key: &str, value: Option<impl AsRef<str>>) {
    if let Some(value) = value {
        cbor::text(out, key);
        cbor::text(out, value.as_ref());
    }
}

fn bytes(out: &mut Vec<u8>, key: &str, value: Option<impl AsRef<[u8]>>) {
    if let Some(value) = value {
        cbor::text(out, key);
        cbor::bytes(out, value.as_ref());
    }
}

fn unsigned(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        cbor::text(out, key);
        cbor::unsigned(out, value);
    }
}
