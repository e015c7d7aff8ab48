//! Canonical bytes: the one encoding of a record from which its id is made.
//!
//! The map of all present fields by their JSON names, `type` included and `signature` excluded.
//! Its keys stand in the order of their encoded bytes, shorter ones first: that order is fixed for each
//! type of record, so it is written down here and tested against sorting. They are short texts, and stand here as
//! they are encoded: a head, which is 0x60 and the length, and the name.

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
    text(out, b"\x64type", Some("assertion"));
    text(out, b"\x65agent", Some(it.agent.as_str()));
    bytes(out, b"\x65epoch", it.epoch.as_ref());
    text(out, b"\x65quote", it.quote.as_ref());
    out.extend_from_slice(b"\x66object");
    object(&it.object, out);
    bytes(out, b"\x66parent", it.parent.as_ref());
    text(out, b"\x66source", it.source.as_ref());
    text(out, b"\x67subject", Some(it.subject.as_str()));
    text(out, b"\x69lifecycle", lifecycle);
    text(out, b"\x69predicate", Some(it.predicate.as_str()));
    unsigned(out, b"\x69timestamp", it.timestamp.map(Timestamp::as_ms));
    out.extend_from_slice(b"\x6aconfidence");
    cbor::float(out, it.confidence.get());
    bytes(out, b"\x6bsource_hash", it.source_hash.as_ref());
}

fn vote(it: &Vote, out: &mut Vec<u8>) {
    cbor::map(out, 4 + count(&[it.timestamp.is_some()]));
    text(out, b"\x64type", Some("vote"));
    text(out, b"\x65agent", Some(it.agent.as_str()));
    out.extend_from_slice(b"\x66weight");
    cbor::float(out, it.weight.get());
    bytes(out, b"\x69assertion", Some(it.assertion));
    unsigned(out, b"\x69timestamp", it.timestamp.map(Timestamp::as_ms));
}

fn epoch(it: &Epoch, out: &mut Vec<u8>) {
    let given = [
        it.starts_at.is_some(),
        it.supersedes.is_some(),
        it.description.is_some(),
    ];
    cbor::map(out, 3 + count(&given));
    text(out, b"\x64name", Some(it.name.as_str()));
    text(out, b"\x64type", Some("epoch"));
    text(out, b"\x65agent", Some(it.agent.as_str()));
    unsigned(out, b"\x69starts_at", it.starts_at.map(Timestamp::as_ms));
    bytes(out, b"\x6asupersedes", it.supersedes.as_ref());
    text(out, b"\x6bdescription", it.description.as_ref());
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

fn text(out: &mut Vec<u8>, key: &[u8], value: Option<impl AsRef<str>>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        cbor::text(out, value.as_ref());
    }
}

fn bytes(out: &mut Vec<u8>, key: &[u8], value: Option<impl AsRef<[u8]>>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        cbor::bytes(out, value.as_ref());
    }
}

fn unsigned(out: &mut Vec<u8>, key: &[u8], value: Option<u64>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        cbor::unsigned(out, value);
    }
}
