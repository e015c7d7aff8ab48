//! The header `traceparent` of the W3C: which trace a request is part of.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::hex::hex;

#[cfg(test)]
mod tests;

pub(super) const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// Characters of the header in its version 00: version, trace id, span id and flags, with dashes between them.
const CHARS: usize = 55;
/// Where in it the ids stand.
const TRACE_ID: Range<usize> = 3..35;
const SPAN_ID: Range<usize> = 36..52;
/// That the caller records its part of the trace.
const SAMPLED: u8 = 1;

/// Gives out the ids of traces and spans.
#[derive(Debug)]
pub(crate) struct TraceIds {
    /// Random, so that two runs of the server give out different ones.
    seeds: [u64; 3],
    count: AtomicU64,
}

/// The part of a trace that a request is, as a header says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceParent(HeaderValue);

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
        let [span, high, low] = self.seeds.map(|seed| hex(scatter(seed, count)));
        let mut given = headers.get_all(HEADER).iter();
        let caller = match (given.next(), given.next()) {
            (Some(one), None) => one.to_str().ok().and_then(parse),
            _ => None,
        };
        let mut text = Vec::with_capacity(CHARS);
        text.extend(b"00-");
        match caller {
            Some((trace, _)) => text.extend(trace.as_bytes()),
            None => text.extend([high, low].as_flattened()),
        }
        text.push(b'-');
        text.extend(span);
        let is_sampled = caller.is_some_and(|(_, flags)| flags == SAMPLED);
        text.extend(if is_sampled { b"-01" } else { b"-00" });
        TraceParent(HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("")))
    }
}

impl TraceParent {
    pub(super) fn trace_id(&self) -> &str {
        self.part(TRACE_ID)
    }

    pub(super) fn span_id(&self) -> &str {
        self.part(SPAN_ID)
    }

    fn part(&self, place: Range<usize>) -> &str {
        let text = self.0.to_str().ok();
        text.and_then(|text| text.get(place)).unwrap_or_default()
    }

    pub(super) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// The trace that a caller is in, and what of its flags is passed on.
fn parse(text: &str) -> Option<(&str, u8)> {
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
    (sound && ends).then_some((*trace_id, flags & SAMPLED))
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
