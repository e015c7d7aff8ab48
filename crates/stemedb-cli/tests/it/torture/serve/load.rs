//! What the clients share: where the server is, what they post, and what they were told.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread::park_timeout,
    time::Duration,
};

use serde_json::{Value, json};
use stemedb::{Record, RecordId};

use super::wire::PATIENCE;

/// Between two attempts of one client.
const PAUSE: Duration = Duration::from_millis(5);

/// Clients that come one behind the other and post the same claim.
const COMMON: usize = 4;

/// What was told of one record to one client.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) id: RecordId,
    pub(super) sequence: u64,
    /// Whether it was told that this request has stored it.
    pub(super) is_new: bool,
    /// Times that it was sent; each but the last one broke off.
    pub(super) attempts: usize,
}

/// A load that goes on until it is told to end.
pub(super) struct Load {
    pub(super) address: SocketAddr,
    is_over: AtomicBool,
    /// Set where the test has failed: nobody waits for anything any more.
    is_abandoned: AtomicBool,
    acknowledged: AtomicUsize,
    common: AtomicUsize,
    /// The last sequence that the feed has given.
    pub(super) fed: AtomicU64,
}

impl Load {
    pub(super) fn on(address: SocketAddr) -> Self {
        Self {
            address,
            is_over: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            common: AtomicUsize::new(0),
            fed: AtomicU64::new(0),
        }
    }

    /// Lets every client end when what it has begun is acknowledged.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, acknowledged: usize) {
        self.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
    }

    /// How many acknowledgements came so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// A claim that the next few who ask post as well.
    pub(super) fn common(&self) -> usize {
        self.common.fetch_add(1, Ordering::Relaxed) / COMMON
    }

    /// Tries again and again; gives what came of it, and at which attempt.
    ///
    /// # Panics
    ///
    /// Where the server stays away, or the test has failed elsewhere.
    pub(super) fn insist<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> (T, usize) {
        let mut waited = Duration::ZERO;
        for attempts in 1.. {
            match attempt() {
                Ok(done) => return (done, attempts),
                Err(error) => assert!(waited < PATIENCE, "nobody answers: {error}"),
            }
            assert!(!self.is_abandoned.load(Ordering::Relaxed), "abandoned");
            park_timeout(PAUSE);
            waited += PAUSE;
        }
        unreachable!("there is no last attempt");
    }

    /// Waits for something that the clients bring about.
    pub(super) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let mut waited = Duration::ZERO;
        while !is_so(self) {
            assert!(waited < PATIENCE, "{what} does not come");
            park_timeout(PAUSE);
            waited += PAUSE;
        }
    }
}

/// Lets the clients go where the test fails before its end.
pub(super) struct Abandon<'a>(pub(super) &'a Load);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        self.0.is_abandoned.store(true, Ordering::Relaxed);
    }
}

/// A record as it is posted, and the id that it must be given.
pub(super) struct Posted {
    pub(super) path: &'static str,
    pub(super) body: String,
    pub(super) id: RecordId,
}

impl Posted {
    /// The claim with a number, by an agent whose name nobody else has.
    pub(super) fn claim(agent: &str, number: usize) -> Self {
        let subject = format!("subject {}", number % 97);
        Self::of(
            "/v1/assertions",
            &json!({"type": "assertion", "subject": subject, "predicate": "size", "object": number, "agent": agent}),
        )
    }

    /// A vote; the number tells it from others of this agent on the same claim.
    pub(super) fn vote(agent: &str, number: usize, assertion: RecordId) -> Self {
        Self::of(
            "/v1/votes",
            &json!({"type": "vote", "assertion": assertion.to_string(), "agent": agent, "weight": 0.5, "timestamp": number}),
        )
    }

    fn of(path: &'static str, record: &Value) -> Self {
        let body = record.to_string();
        let id = Record::from_json(body.as_bytes()).unwrap().id().unwrap();
        Self { path, body, id }
    }
}
