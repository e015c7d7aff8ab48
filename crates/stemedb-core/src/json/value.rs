//! One JSON value, as it stands in the line, into one value of a record.
//!
//! The parser has checked the syntax; what is left is its type, its range, and escapes.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::scan;
use crate::{
    invalid::{Invalid, Reason, excerpt},
    limits::TIMESTAMP_MS_MAX,
    name::Reference,
    number::Number,
    object::Object,
    time::{self, Timestamp},
    word,
};

#[cfg(test)]
mod tests;

/// Every integer of so many digits is a double.
const EXACT_DIGITS: usize = 15;

const _: () = assert!(10_u64.pow(15) <= 1 << f64::MANTISSA_DIGITS);

/// The text of a JSON string, borrowed from the line unless it has escapes.
pub(super) fn text(raw: &str) -> Result<Cow<'_, str>, Invalid> {
    let inner = match raw.as_bytes() {
        [b'"', .., b'"'] => raw.get(1..raw.len() - 1),
        _ => None,
    };
    match inner {
        Some(plain) if !has_escape(plain) => Ok(Cow::Borrowed(plain)),
        // The syntax is checked, except that surrogates come in pairs.
        Some(_) => match serde_json::from_str(raw) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => Err(Invalid::record(Reason::LoneSurrogate)),
        },
        None => Err(wrong_type("a string", raw)),
    }
}

fn has_escape(inner: &str) -> bool {
    word::find(inner.as_bytes(), |word| word::equal(word, b'\\')).is_some()
}

/// A hash or signature.
pub(super) fn hex<T: std::str::FromStr<Err = Invalid>>(raw: &str) -> Result<T, Invalid> {
    text(raw)?.parse()
}

/// A double, correctly rounded; an integer literal has to be exact.
pub(super) fn double(raw: &str) -> Result<f64, Invalid> {
    // What JSON calls a number Rust does, too; the names that Rust adds (`inf`, `nan`) are not JSON.
    let Ok(value) = raw.parse::<f64>() else {
        return Err(wrong_type("a number", raw));
    };
    let refuse = |reason: fn(Box<str>) -> Reason| Err(Invalid::record(reason(excerpt(raw))));
    if !value.is_finite() {
        return refuse(|value| Reason::NotFinite { value });
    }
    if is_integer(raw) && !is_exact(raw, value) {
        return refuse(|literal| Reason::InexactInteger { literal });
    }
    Ok(value)
}

/// A time: an integer literal in its range.
pub(super) fn timestamp(raw: &str) -> Result<Timestamp, Invalid> {
    if !is_number(raw) {
        return Err(wrong_type("a number", raw));
    }
    if !is_integer(raw) {
        return Err(Invalid::record(Reason::NotAnInteger {
            literal: excerpt(raw),
        }));
    }
    // The integer -0 is 0; every other negative one is outside.
    let unsigned = if raw == "-0" { "0" } else { raw };
    match unsigned.parse() {
        Ok(ms @ 0..=TIMESTAMP_MS_MAX) => Timestamp::from_ms(ms),
        _ => Err(Invalid::record(time::outside_range(raw))),
    }
}

/// The object of an assertion: a bare scalar, or a map with exactly one of the four kinds.
pub(super) fn object(raw: &str) -> Result<Object, Invalid> {
    match raw.as_bytes().first() {
        Some(b'{') => tagged_object(raw),
        Some(b'"') => text(raw).map(Object::text),
        Some(b't' | b'f') => boolean(raw).map(Object::Boolean),
        Some(b'[') => Err(wrong_kind(raw)),
        _ => double(raw).and_then(Number::new).map(Object::Number),
    }
}

fn tagged_object(raw: &str) -> Result<Object, Invalid> {
    let entry = match scan::only_entry(raw) {
        Some((kind, value)) => Some((Kind::of(kind), value)),
        None => parse_only_entry(raw)?,
    };
    match entry {
        Some((Kind::Text, value)) => text(value).map(Object::text),
        Some((Kind::Number, value)) => double(value).and_then(Number::new).map(Object::Number),
        Some((Kind::Boolean, value)) => boolean(value).map(Object::Boolean),
        Some((Kind::Reference, value)) => {
            text(value).and_then(Reference::new).map(Object::Reference)
        }
        Some((Kind::Unknown, _)) | None => Err(wrong_kind(raw)),
    }
}

fn parse_only_entry(raw: &str) -> Result<Option<(Kind, &str)>, Invalid> {
    let mut parser = serde_json::Deserializer::from_str(raw);
    // The syntax is checked, except that surrogates in a key come in pairs.
    match parser.deserialize_map(OnlyEntry) {
        Ok(entry) => Ok(entry),
        Err(_) => Err(Invalid::record(Reason::LoneSurrogate)),
    }
}

/// The key of an object's only entry.
enum Kind {
    Text,
    Number,
    Boolean,
    Reference,
    Unknown,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "text" => Self::Text,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "reference" => Self::Reference,
            _ => Self::Unknown,
        }
    }
}

impl<'a> Deserialize<'a> for Kind {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Ok(Self::of(&name))
    }
}

/// Takes the key and the raw value of a map with exactly one entry; none of any other.
struct OnlyEntry;

impl<'a> Visitor<'a> for OnlyEntry {
    type Value = Option<(Kind, &'a str)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let first = map.next_entry::<Kind, &'a RawValue>()?;
        let mut only = first.map(|(kind, value)| (kind, value.get()));
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            only = None;
        }
        Ok(only)
    }
}

fn boolean(raw: &str) -> Result<bool, Invalid> {
    match raw {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong_type("true or false", raw)),
    }
}

fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Whether a number has neither fraction nor exponent.
fn is_integer(number: &str) -> bool {
    !number
        .bytes()
        .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// Whether `value`, which an integer literal was rounded to, is that very integer.
fn is_exact(integer: &str, value: f64) -> bool {
    // Formatting writes every digit of a large double, and JSON has no leading zeros.
    integer.len() <= EXACT_DIGITS || format!("{value:.0}") == integer
}

fn wrong_kind(raw: &str) -> Invalid {
    Invalid::record(Reason::ObjectKind {
        found: excerpt(raw),
    })
}

fn wrong_type(expected: &'static str, raw: &str) -> Invalid {
    let found = match raw.as_bytes().first() {
        Some(b'"') => format!("the string {}", excerpt_of_string(raw)).into(),
        Some(b'{') => "a map".into(),
        Some(b'[') => "a list".into(),
        _ => excerpt(raw),
    };
    Invalid::record(Reason::WrongType { expected, found })
}

/// A JSON string in its own quotes, shortened.
fn excerpt_of_string(raw: &str) -> String {
    let inner = raw.trim_matches('"');
    format!("\"{}\"", excerpt(inner))
}
