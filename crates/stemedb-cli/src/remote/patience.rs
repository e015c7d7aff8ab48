//! For how long the same is asked again.

use std::time::Duration;

use stemedb::Sequence;

use super::{Client, Trouble, stats};
use crate::clock::Stopwatch;

/// Milliseconds without any success after which nothing is tried again.
const PATIENCE_MS: u64 = 60_000;

/// Milliseconds between two tries, at first and at most.
const PAUSE_MS: u64 = 100;
const PAUSE_MS_MAX: u64 = 5_000;

/// Milliseconds between two looks at how far a server is.
const LOOK_MS: u64 = 50;

/// What is left of it since the last success.
pub(crate) struct Patience {
    since: Stopwatch,
    pause_ms: u64,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self {
            since: Stopwatch::start(),
            pause_ms: PAUSE_MS,
        }
    }

    /// Whether nothing was tried again yet.
    pub(crate) const fn is_new(&self) -> bool {
        self.pause_ms == PAUSE_MS
    }

    /// How long to wait before the next try; none where it is over.
    pub(crate) fn next(&mut self, retry_after_seconds: Option<u64>) -> Option<Duration> {
        let elapsed_ms = self.since.elapsed_ms();
        self.next_after(elapsed_ms, retry_after_seconds)
    }

    fn next_after(&mut self, elapsed_ms: u64, seconds: Option<u64>) -> Option<Duration> {
        let wanted_ms = seconds.unwrap_or(0).saturating_mul(1000);
        let pause_ms = self.pause_ms.max(wanted_ms);
        self.pause_ms = self.pause_ms.saturating_mul(2).min(PAUSE_MS_MAX);
        let is_over = elapsed_ms.saturating_add(pause_ms) > PATIENCE_MS;
        (!is_over).then_some(Duration::from_millis(pause_ms))
    }
}

/// Asks until everything that is durable can be read, and `last` at least; as long as that goes on, it is waited for.
pub(crate) fn wait_applied(client: &Client, last: Option<Sequence>) -> Result<(), Trouble> {
    let mut patience = Patience::new();
    let mut wanted = None;
    let mut seen = 0;
    loop {
        let trouble = match stats(client) {
            Ok(stats) => {
                let durable = stats.durable_sequence.max(last.map_or(0, Sequence::get));
                let wanted = *wanted.get_or_insert(durable);
                if stats.applied_sequence >= wanted {
                    return Ok(());
                }
                if stats.applied_sequence > seen {
                    seen = stats.applied_sequence;
                    patience = Patience::new();
                    client.pause(Duration::from_millis(LOOK_MS));
                    continue;
                }
                Trouble::Lost(format!(
                    "sequence {wanted} is durable and cannot be read yet; the last that can is {seen}"
                ))
            }
            Err(trouble) if trouble.is_passing() => trouble,
            Err(trouble) => return Err(trouble),
        };
        match patience.next(trouble.retry_after()) {
            Some(pause) => client.pause(pause.min(Duration::from_secs(1))),
            None => return Err(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Patience;

    #[test]
    fn pauses_grow_and_end_after_a_minute() {
        let mut patience = Patience::new();
        assert!(patience.is_new());
        let mut elapsed_ms = 0;
        let mut pauses = Vec::new();
        while let Some(pause) = patience.next_after(elapsed_ms, None) {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap();
            elapsed_ms += pause_ms;
            pauses.push(pause_ms);
        }
        assert_eq!(pauses[..7], [100, 200, 400, 800, 1600, 3200, 5000]);
        assert!((50_000..=60_000).contains(&elapsed_ms), "{elapsed_ms}");
        assert!(!patience.is_new());
    }

    #[test]
    fn a_server_says_how_long_to_wait_up_to_a_minute() {
        let mut patience = Patience::new();
        assert_eq!(
            patience.next_after(0, Some(7)),
            Some(Duration::from_secs(7))
        );
        assert_eq!(patience.next_after(0, Some(u64::MAX)), None);
    }
}
