//! Ids of requests: the client's own, or one that no other request has.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::limits::REQUEST_ID_CHARS_MAX;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives out ids of requests.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// How each begins. Random, so that two runs of the server give out different ones.
    run: String,
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let run = format!("{:016x}-", getrandom::u64()?);
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
        let digits = count.checked_ilog10().unwrap_or(0) as usize + 1;
        // No more than it takes, so that the header has it without a copy.
        let mut id = String::with_capacity(self.run.len() + digits);
        id.push_str(&self.run);
        let written = write!(id, "{count}");
        let id = HeaderValue::try_from(id).ok().filter(|_| written.is_ok());
        id.unwrap_or(HeaderValue::from_static("none"))
    }
}

/// Whether an id of a client can be repeated in answers and logs.
fn is_sound(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}
