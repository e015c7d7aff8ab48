//! For how long the other side may be waited for: until it takes an answer, or sends a body.

use std::time::Duration;

use tokio::time::Instant;

/// Time for which the other side may be waited for. It is used up while that goes on, and grows again by what is passed on, and while
/// nothing waits.
///
/// So whoever takes or sends at least so many bytes a second may be as slow as that for ever, and whoever does it with one now and then
/// may not.
#[derive(Debug)]
pub(crate) struct Allowance {
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
    pub(crate) fn new(most: Duration, bytes_per_second_min: u64, now: Instant) -> Self {
        Self {
            most,
            left: most,
            bytes_per_second_min,
            state: State::Free { since: now },
        }
    }

    /// The other side is waited for, since now unless that had begun: until when that may go on.
    pub(crate) fn wait(&mut self, now: Instant) -> Instant {
        match self.state {
            State::Waits { since } => since + self.left,
            State::Free { since } => {
                self.grow(now - since);
                self.state = State::Waits { since: now };
                now + self.left
            }
        }
    }

    /// Nothing waits any longer.
    pub(crate) fn stop(&mut self, now: Instant) {
        if let State::Waits { since } = self.state {
            self.left = self.left.saturating_sub(now - since);
            self.state = State::Free { since: now };
        }
    }

    /// So many bytes were passed on.
    pub(crate) fn earn(&mut self, bytes: usize) {
        if self.left == self.most {
            return;
        }
        let micros = (bytes as u64).saturating_mul(1_000_000);
        let earned = micros.checked_div(self.bytes_per_second_min);
        self.grow(earned.map_or(self.most, Duration::from_micros));
    }

    /// All of it is there again, and nothing waits.
    pub(crate) fn renew(&mut self, now: Instant) {
        self.left = self.most;
        self.state = State::Free { since: now };
    }

    fn grow(&mut self, time: Duration) {
        self.left = self.left.saturating_add(time).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Allowance;

    /// So many bytes were taken at this moment.
    fn take(allowance: &mut Allowance, now: Instant, bytes: usize) {
        allowance.stop(now);
        allowance.earn(bytes);
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waiting_uses_it_up_and_what_is_taken_earns_it_back() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 100, begun);
        assert_eq!(allowance.wait(at(0)), at(30));
        assert_eq!(allowance.wait(at(10)), at(30), "it waits since then");
        // 20 s are left, and 5 are earned.
        take(&mut allowance, at(10), 500);
        assert_eq!(allowance.wait(at(10)), at(35));
        // One byte earns nothing to speak of.
        take(&mut allowance, at(34), 1);
        let end = allowance.wait(at(34));
        assert!((at(35)..at(36)).contains(&end));
        // No more than all of it is earned.
        take(&mut allowance, at(35), 1_000_000);
        assert_eq!(allowance.wait(at(35)), at(65));
    }

    #[test]
    fn time_in_which_nothing_waits_is_no_waste() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 1_000_000, begun);
        allowance.wait(at(0));
        take(&mut allowance, at(29), 1);
        let end = allowance.wait(at(39));
        assert!((at(50)..at(51)).contains(&end), "11 s");
    }

    #[test]
    fn what_begins_anew_has_all_of_it() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 1_000_000, begun);
        allowance.wait(at(0));
        allowance.renew(at(29));
        assert_eq!(allowance.wait(at(29)), at(59));
    }

    #[test]
    fn without_a_least_rate_every_byte_makes_up_for_all() {
        let begun = Instant::now();
        let at = |after| begun + seconds(after);
        let mut allowance = Allowance::new(seconds(30), 0, begun);
        for turn in 0..10 {
            assert_eq!(allowance.wait(at(turn * 29)), at(turn * 29 + 30));
            take(&mut allowance, at(turn * 29 + 29), 1);
        }
    }
}
