//! Real time: measuring it is what this crate is for.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "benchmarks measure real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a slow disk is made by waiting, and a process is watched at moments"
)]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Today's date as year, month and day, by the calendar of UTC.
pub(crate) fn today() -> String {
    Timestamp::now().strftime("%Y-%m-%d").to_string()
}
