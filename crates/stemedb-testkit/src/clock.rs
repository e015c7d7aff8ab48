//! Real time, which long runs are about. Nothing here decides whether the product is right, but for a process that does not answer.

use std::thread;
use std::time::{Duration, Instant};

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "a long run lasts as long as it was told to"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "processes are killed at moments, not at events"
)]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}
