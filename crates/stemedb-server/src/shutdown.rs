//! The handle by which a server is told to end.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a server to end: what is in flight is answered, what comes later is refused with `shutting_down`.
///
/// Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Begins it; a second call changes nothing.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it has begun.
    pub async fn begun(&self) {
        let mut begun = self.0.subscribe();
        // The sender is held by this handle, so that waiting cannot fail.
        drop(begun.wait_for(|begun| *begun).await);
    }
}
