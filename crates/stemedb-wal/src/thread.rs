//! The log thread: drains the queue, writes a group, syncs it, publishes it, answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::gather::Gathering;
use crate::queue::{Answers, Part};
use crate::shared::{Shared, Work};
use crate::sync::thread::{self, JoinHandle};
use crate::{AppendError, Durability, Group, Log, Spare};

/// Runs until the queue is closed and empty; gives the outcome of closing the log.
pub(crate) fn run(log: Log, shared: &Arc<Shared>) -> Result<(), AppendError> {
    // Whoever waits is told also if this thread panics.
    let _ended = EndGuard(shared);
    let mut driver = Driver {
        log,
        shared,
        spare: None,
        spare_failed: None,
        unsynced: Vec::new(),
        sync_due: None,
        sync_time: Duration::ZERO,
        gathering: Gathering::default(),
    };
    loop {
        let timeout = driver.timeout();
        match shared.next_work(timeout, &mut driver.gathering) {
            Work::Group(parts) => driver.append(parts),
            Work::Idle => driver.idle(),
            Work::Close => return driver.close(),
        }
    }
}

struct EndGuard<'a>(&'a Shared);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// A spare that is being made.
struct Preparing {
    number: u64,
    thread: JoinHandle<io::Result<Spare>>,
}

/// A group that was written and waits for its fsync.
struct Unsynced {
    group: Group,
    /// When the first of its requests arrived.
    arrived_at: Option<Duration>,
}

struct Driver<'a> {
    log: Log,
    shared: &'a Shared,
    spare: Option<Preparing>,
    /// Number of the segment whose spare could not be made: the rotation makes it, or refuses.
    spare_failed: Option<u64>,
    /// Groups that were acknowledged under [`Durability::Interval`] and wait for their fsync.
    unsynced: Vec<Unsynced>,
    sync_due: Option<Duration>,
    /// How long the last fsync took.
    sync_time: Duration,
    gathering: Gathering,
}

impl Driver<'_> {
    /// How long to wait for requests before something else is due; `None` for ever.
    fn timeout(&self) -> Option<Duration> {
        if self.log.is_poisoned() {
            return None;
        }
        if let Some(due) = self.sync_due {
            return Some(due.saturating_sub(self.now()));
        }
        (!self.log.is_covered()).then_some(self.log.options().idle_after)
    }

    fn now(&self) -> Duration {
        self.log.options().vfs.monotonic()
    }

    fn append(&mut self, parts: Vec<Part>) {
        let arrived_at = parts.first().and_then(Part::arrived_at);
        let Some((group, answers)) = Part::join(parts) else {
            return;
        };
        self.join_spare(group.payload_bytes());
        let result = self
            .log
            .write(group)
            .and_then(|group| self.settle(Unsynced { group, arrived_at }));
        if let Err(error) = &result {
            self.report(error);
            self.sync_what_was_acknowledged();
        }
        self.expect_back(&answers);
        for answers in answers {
            answers.send(&result);
        }
        self.prepare_spare();
    }

    /// Those who are answered now come back, if it was an fsync that they waited for.
    fn expect_back(&mut self, answers: &[Answers]) {
        if self.log.options().durability == Durability::Sync {
            let answered = answers.iter().map(Answers::requests).sum();
            let queued = self.shared.queued_requests();
            self.gathering.begin(self.sync_time, answered, queued);
        }
    }

    /// A write was refused: what was acknowledged before it must not wait for an fsync that no later write will bring.
    fn sync_what_was_acknowledged(&mut self) {
        if !self.unsynced.is_empty()
            && let Err(error) = self.sync()
        {
            self.report(&error);
        }
    }

    /// Makes the group durable, now or when it is due.
    fn settle(&mut self, group: Unsynced) -> Result<(), AppendError> {
        self.unsynced.push(group);
        let now = self.now();
        let due = match self.log.options().durability {
            Durability::Sync => now,
            Durability::Interval(interval) => {
                *self.sync_due.get_or_insert(now.saturating_add(interval))
            }
        };
        if now < due {
            return Ok(());
        }
        self.sync()
    }

    fn sync(&mut self) -> Result<(), AppendError> {
        self.sync_due = None;
        let begun_at = self.now();
        let result = self.log.sync();
        let now = self.now();
        self.sync_time = now.saturating_sub(begun_at);
        let unsynced = std::mem::take(&mut self.unsynced);
        if result.is_ok() {
            let groups = unsynced
                .into_iter()
                .map(|unsynced| self.count(unsynced, now));
            let groups = groups.collect();
            self.shared.publish(groups, &self.log);
        }
        result.map(|_| ())
    }

    /// Counts a group that is durable now.
    fn count(&self, unsynced: Unsynced, now: Duration) -> Group {
        let Unsynced { group, arrived_at } = unsynced;
        let took = now.saturating_sub(arrived_at.unwrap_or(now));
        self.shared.group_meters.add(&group, took);
        group
    }

    fn idle(&mut self) {
        self.gathering.forget();
        let result = match self.sync_due {
            Some(due) if self.now() < due => Ok(()),
            Some(_) => self.sync(),
            None => self.cover(),
        };
        if let Err(error) = result {
            self.report(&error);
        }
    }

    fn cover(&mut self) -> Result<(), AppendError> {
        self.join_spare(0);
        let covering = self.log.cover()?;
        self.shared
            .publish(covering.into_iter().collect(), &self.log);
        Ok(())
    }

    fn report(&self, error: &AppendError) {
        if self.log.is_poisoned() {
            self.shared.fail(error);
        }
    }

    /// Has the next segment prepared by a thread of its own, so that no append waits for it.
    ///
    /// This is tried once for each segment: a full disk would be filled and emptied anew by every append.
    fn prepare_spare(&mut self) {
        if self.spare.is_some() {
            return;
        }
        let Some(request) = self.log.spare_wanted() else {
            return;
        };
        let number = request.number;
        if self.spare_failed == Some(number) {
            return;
        }
        let thread = thread::Builder::new().name("stemedb-wal-spare".to_owned());
        match thread.spawn(move || request.prepare()) {
            Ok(thread) => self.spare = Some(Preparing { number, thread }),
            Err(_) => self.spare_failed = Some(number),
        }
    }

    /// Takes the spare when it is ready, and waits for it where the next group needs it.
    fn join_spare(&mut self, payload_bytes: usize) {
        let needed = self.log.would_rotate(payload_bytes);
        let is_due = |spare: &Preparing| needed || spare.thread.is_finished();
        if self.spare.as_ref().is_some_and(is_due) {
            self.take_spare();
        }
    }

    fn take_spare(&mut self) {
        let Some(Preparing { number, thread }) = self.spare.take() else {
            return;
        };
        match thread.join() {
            Ok(Ok(spare)) => self.log.give_spare(spare),
            Ok(Err(_)) | Err(_) => self.spare_failed = Some(number),
        }
    }

    fn close(mut self) -> Result<(), AppendError> {
        self.take_spare();
        if self.log.is_poisoned() {
            return self.log.close();
        }
        let result = self.sync().and_then(|()| self.cover());
        if let Err(error) = &result {
            self.report(error);
            return result;
        }
        self.log.close()
    }
}
