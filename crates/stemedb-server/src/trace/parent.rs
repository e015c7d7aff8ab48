//! The header `traceparent` of the W3C: which trace a request is part of.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

#[cfg(test)]
mod tests;

pub(super) const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// Characters of the header in its version 00: version, trace id, span id and flags, with dashes between them.
const CHARS: usize = 55;
/// That the caller records its part of the trace.
const SAMPLED: u8 = 1;

/// Gives out the ids of traces and spans.
#[derive(Debug)]
pub(crate) struct TraceIds {
    /// Random, so that two runs of the server give out different ones.
    seeds: [u64; 3],
    count: AtomicU64,
}

/// The part of a trace that a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceParent {
    trace_id: String,
    span_id: String,
    flags: u8,
}

impl TraceIds {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let seeds = [getrandom::u64()?, getrandom::u64()?, getrandom::u64()?];
        let count = AtomicU64::new(0);
        Ok(Self { seeds, count })
    }

    /// A new span in the trace that the headers tell of, or in a new one where they tell of none in the one right way.
    pub(super) fn of(&self, headers: &HeaderMap) -> TraceParent {
        // Ordering: nothing else is told by this number.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [span, high, low] = self.seeds.map(|seed| scatter(seed, count));
        let span_id = format!("{span:016x}");
        let mut given = headers.get_all(HEADER).iter();
        let caller = match (given.next(), given.next()) {
            (Some(one), None) => one.to_str().ok().and_then(parse),
            _ => None,
        };
        let (trace_id, flags) = caller.unwrap_or_else(|| (format!("{high:016x}{low:016x}"), 0));
        TraceParent {
            trace_id,
            span_id,
            flags,
        }
    }
}

impl TraceParent {
    pub(super) fn trace_id(&self) -> &str {
        &self.trace_id
    }

    pub(super) fn span_id(&self) -> &str {
        &self.span_id
    }

    pub(super) fn to_header(&self) -> HeaderValue {
        let Self {
            trace_id,
            span_id,
            flags,
        } = self;
        let text = format!("00-{trace_id}-{span_id}-{flags:02x}");
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// The trace that a caller is in, and what of its flags is passed on.
fn parse(text: &str) -> Option<(String, u8)> {
    let (known, rest) = text.split_at_checked(CHARS)?;
    let parts: Vec<_> = known.split('-').collect();
    let [version, trace_id, span_id, flags] = parts.as_slice() else {
        return None;
    };
    let sound = is_hex(version, 2)
        && is_hex(trace_id, 32)
        && is_hex(span_id, 16)
        && is_hex(flags, 2)
        && *version != "ff"
        && !is_zero(trace_id)
        && !is_zero(span_id);
    // A later version may say more behind another dash.
    let ends = rest.is_empty() || (*version != "00" && rest.starts_with('-'));
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (sound && ends).then(|| ((*trace_id).to_owned(), flags & SAMPLED))
}

fn is_hex(text: &str, chars: usize) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == chars && text.bytes().all(digit)
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

/// A number that looks random; for one seed no two of the first 2^64 are the same. It is never 0, which would be no id.
fn scatter(seed: u64, count: u64) -> u64 {
    let mut mixed = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}
