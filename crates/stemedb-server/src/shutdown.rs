//! The handle by which a server is told to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Tells a server to end: what is in flight is answered, what comes later is refused with `shutting_down`.
///
/// Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_begun: AtomicBool,
    begun: Notify,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Begins it; a second call changes nothing.
    pub fn begin(&self) {
        // Ordering: with the loads below. Whoever does not see it is waiting by now, and is woken.
        self.0.has_begun.store(true, Ordering::SeqCst);
        self.0.begun.notify_waiters();
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::SeqCst)
    }

    /// Returns once it has begun.
    pub async fn begun(&self) {
        // From its making on it is woken, polled or not.
        let begun = self.0.begun.notified();
        if !self.has_begun() {
            begun.await;
        }
    }
}
