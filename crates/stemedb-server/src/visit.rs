//! What is known of a request once it is let in, for its handler and for whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::http::HeaderValue;

use crate::auth::Caller;
use crate::connection::Peer;
use crate::rate::Client;

/// A request that was let in. It is one part of the request for all of this: each takes an allocation.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) caller: Caller,
    pub(crate) peer: Option<Peer>,
    pub(crate) id: HeaderValue,
    pub(crate) body: BodyWatch,
}

impl Visit {
    /// Whose request it is.
    pub(crate) fn client(&self) -> Client {
        Client::of(&self.caller, self.peer)
    }

    /// The id of the request, for an answer that says it.
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }
}

/// What becomes of the body of a request. Clones are of the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyWatch(Arc<Watched>);

#[derive(Debug, Default)]
struct Watched {
    is_awaited: AtomicBool,
    bytes: AtomicU64,
}

// Ordering: nothing else is told by any of it.
impl BodyWatch {
    /// Whether more of it is waited for, which is the client's fault.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.is_awaited.load(Ordering::Relaxed)
    }

    pub(crate) fn set_awaited(&self, is_awaited: bool) {
        self.0.is_awaited.store(is_awaited, Ordering::Relaxed);
    }

    /// How many bytes of it came.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
