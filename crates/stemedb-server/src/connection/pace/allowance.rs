//! For how long the other side may let an answer wait.

use std::time::Duration;

use tokio::time::Instant;

/// Time for which writes may wait. It is used up while one waits, and grows again by what is taken, and while nothing waits.
///
/// So whoever takes at least so many bytes a second may be as slow as that for ever, and whoever takes one now and then may not.
#[derive(Debug)]
pub(super) struct Allowance {
    most: Duration,
    left: Duration,
    /// 0 where any byte makes up for all waiting.
    bytes_per_second_min: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waits { since: Instant },
    Free { since: Instant },
}

impl Allowance {
    pub(super) fn new(most: Duration, bytes_per_second_min: u64, now: Instant) -> Self {
        Self {
            most,
            left: most,
            bytes_per_second_min,
            state: State::Free { since: now },
        }
    }

    /// A write waits: until when it may. `None` where it waited before.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        let State::Free { since } = self.state else {
            return None;
        };
        self.earn(now - since);
        self.state = State::Waits { since: now };
        Some(now + self.left)
    }

    /// A write took so many bytes, and waits no longer.
    pub(super) fn take(&mut self, now: Instant, bytes: usize) {
        if let State::Waits { since } = self.state {
            self.left = self.left.saturating_sub(now - since);
            self.state = State::Free { since: now };
        }
        let micros = (bytes as u64).saturating_mul(1_000_000);
        let earned = micros.checked_div(self.bytes_per_second_min);
        self.earn(earned.map_or(self.most, Duration::from_micros));
    }

    fn earn(&mut self, time: Duration) {
        self.left = self.left.saturating_add(time).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Allowance;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waiting_uses_it_up_and_what_is_taken_earns_it_back() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 100, begun);
        assert_eq!(allowance.wait(at(0)), Some(at(30)));
        assert_eq!(allowance.wait(at(10)), None);
        // 20 s are left, and 5 are earned.
        allowance.take(at(10), 500);
        assert_eq!(allowance.wait(at(10)), Some(at(35)));
        // One byte earns nothing to speak of.
        allowance.take(at(34), 1);
        let end = allowance.wait(at(34)).unwrap();
        assert!((at(35)..at(36)).contains(&end));
        // No more than all of it is earned.
        allowance.take(at(35), 1_000_000);
        assert_eq!(allowance.wait(at(35)), Some(at(65)));
    }

    #[test]
    fn time_in_which_nothing_waits_is_no_waste() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 1_000_000, begun);
        allowance.wait(at(0));
        allowance.take(at(29), 1);
        let end = allowance.wait(at(39)).unwrap();
        assert!((at(50)..at(51)).contains(&end), "11 s");
    }

    #[test]
    fn without_a_least_rate_every_byte_makes_up_for_all() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 0, begun);
        for turn in 0..10 {
            assert_eq!(allowance.wait(at(turn * 29)), Some(at(turn * 29 + 30)));
            allowance.take(at(turn * 29 + 29), 1);
        }
    }
}
