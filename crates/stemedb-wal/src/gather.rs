//! Waiting a little for those who were just answered, where an fsync takes long.
//!
//! Whoever is answered comes back with the next record at once. If the log thread went on with the first that does, all others would
//! wait for its fsync and then for their own: two where one is enough. So it waits until as many requests are there as were in flight
//! before the answer, but no longer than a small part of an fsync; and where they do not come, it leaves that be for a while.

use std::time::Duration;

/// Below that an fsync is over before a thread that sleeps would be woken by its timer.
const SYNC_TIME_MIN: Duration = Duration::from_micros(300);
/// What part of an fsync is waited for at most.
const PART_OF_SYNC: u32 = 4;
/// After so many failures in a row no more groups are left out than before.
const FAILURES_MAX: u32 = 6;

/// How many requests to wait for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gather {
    pub(crate) requests: usize,
    pub(crate) limit: Duration,
}

/// What is known of those who may come back.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    sync_time: Duration,
    expected: usize,
    failures: u32,
    groups_to_leave_out: u32,
}

impl Gathering {
    /// A group was synced, and `answered` requests are about to be answered while others are queued.
    pub(crate) fn begin(&mut self, sync_time: Duration, answered: usize, queued: usize) {
        self.sync_time = sync_time;
        // One who comes back is alone, and those who wait need not wait for it.
        self.expected = if answered > 1 { answered + queued } else { 0 };
    }

    /// Nobody came for a while: whoever comes then was not answered just now.
    pub(crate) fn forget(&mut self) {
        self.expected = 0;
    }

    /// What to wait for before the next group; `None` where it goes at once.
    pub(crate) fn next(&mut self) -> Option<Gather> {
        if self.expected < 2 || self.sync_time < SYNC_TIME_MIN {
            return None;
        }
        if self.groups_to_leave_out > 0 {
            self.groups_to_leave_out -= 1;
            return None;
        }
        Some(Gather {
            requests: self.expected,
            limit: self.sync_time / PART_OF_SYNC,
        })
    }

    /// So many were there in the end.
    pub(crate) fn end(&mut self, gather: Gather, requests: usize) {
        if requests >= gather.requests - gather.requests / 4 {
            self.failures = 0;
        } else {
            self.failures = (self.failures + 1).min(FAILURES_MAX);
            self.groups_to_leave_out = 1 << self.failures;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_millis(8);

    #[test]
    fn all_who_were_in_flight_are_waited_for_but_not_for_long() {
        let mut gathering = Gathering::default();
        assert_eq!(gathering.next(), None);
        gathering.begin(LONG, 60, 4);
        let gather = gathering.next().unwrap();
        assert_eq!(gather.requests, 64);
        assert_eq!(gather.limit, Duration::from_millis(2));
    }

    #[test]
    fn nobody_waits_for_one_or_where_an_fsync_is_short() {
        let mut gathering = Gathering::default();
        gathering.begin(LONG, 1, 7);
        assert_eq!(gathering.next(), None);
        gathering.begin(SYNC_TIME_MIN / 2, 60, 4);
        assert_eq!(gathering.next(), None);
        gathering.begin(LONG, 60, 4);
        gathering.forget();
        assert_eq!(gathering.next(), None);
    }

    #[test]
    fn where_they_do_not_come_it_is_tried_ever_more_rarely() {
        let mut gathering = Gathering::default();
        let mut tries = Vec::new();
        for group in 0..500 {
            gathering.begin(LONG, 8, 0);
            if let Some(gather) = gathering.next() {
                tries.push(group);
                gathering.end(gather, 5);
            }
        }
        assert_eq!(tries, [0, 3, 8, 17, 34, 67, 132, 197, 262, 327, 392, 457]);
        let mut tries = 0;
        for _ in 0..200 {
            gathering.begin(LONG, 8, 0);
            if let Some(gather) = gathering.next() {
                tries += 1;
                gathering.end(gather, 6);
            }
        }
        assert!(tries > 100, "a success makes up for all failures");
    }
}
