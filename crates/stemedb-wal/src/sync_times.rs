//! How often the log waited for an fsync, and for how long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::histogram::{Distribution, Histogram, NANOSECONDS};
use crate::meters::nanoseconds;
use crate::vfs::Vfs;

/// The fsyncs of segments that the log waited for since the journal was opened, those that failed included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStats {
    /// How many have ended.
    pub count: u64,
    /// How long all of them took together.
    pub total: Duration,
    /// How long the longest took.
    pub longest: Duration,
    /// How long the last one took; zero where there was none.
    pub last: Duration,
    /// For how long one has been going on now.
    pub pending: Option<Duration>,
}

/// Where the log notes them. Its lock is held for no operation on a file, and nothing else is taken under it.
#[derive(Debug)]
pub(crate) struct SyncTimes {
    noted: Mutex<Noted>,
    took_ns: Histogram,
}

impl Default for SyncTimes {
    fn default() -> Self {
        Self {
            noted: Mutex::default(),
            took_ns: Histogram::new(NANOSECONDS),
        }
    }
}

#[derive(Debug, Default)]
struct Noted {
    ended: SyncStats,
    began: Option<Duration>,
}

impl SyncTimes {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an fsync, and notes how long it took.
    pub(crate) fn measure<T>(&self, vfs: &dyn Vfs, sync: impl FnOnce() -> T) -> T {
        let began = vfs.monotonic();
        self.noted().began = Some(began);
        let result = sync();
        let took = vfs.monotonic().saturating_sub(began);
        self.took_ns.add(nanoseconds(took));
        let mut noted = self.noted();
        noted.began = None;
        let ended = &mut noted.ended;
        ended.count += 1;
        ended.total = ended.total.saturating_add(took);
        ended.longest = ended.longest.max(took);
        ended.last = took;
        result
    }

    /// How long each took, in nanoseconds.
    pub(crate) fn took_ns(&self) -> Distribution {
        self.took_ns.read()
    }

    pub(crate) fn stats(&self, vfs: &dyn Vfs) -> SyncStats {
        let noted = self.noted();
        let (ended, began) = (noted.ended, noted.began);
        drop(noted);
        SyncStats {
            pending: began.map(|began| vfs.monotonic().saturating_sub(began)),
            ..ended
        }
    }
}
