//! Ids of requests: the client's own, or one that no other request has.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::limits::REQUEST_ID_CHARS_MAX;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, for those of its handlers that write it into a body.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Gives out ids of requests.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Random, so that two runs of the server give out different ones.
    run: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let run = getrandom::u64()?;
        let count = AtomicU64::new(0);
        Ok(Self { run, count })
    }

    /// The id of a request with these headers.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get(HEADER).filter(|id| is_sound(id));
        given.cloned().unwrap_or_else(|| self.next())
    }

    fn next(&self) -> HeaderValue {
        // Ordering: nothing else is told by this number.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:016x}-{count}", self.run);
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// Whether an id of a client can be repeated in answers and logs.
fn is_sound(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}
