//! What the log thread, the writers and the readers share.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::gather::Gathering;
use crate::meters::GroupMeters;
use crate::queue::{Gate, Offer, Part, Queue, Request};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::sync_times::SyncTimes;
use crate::{
    AppendError, Durability, Group, GroupHash, JournalId, Mark, Options, SegmentInfo, Start,
};

/// What an append is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Sequence of the first record of the request.
    pub first_sequence: u64,
    /// How many records the request held; at least 1.
    pub records: u32,
    /// What the acknowledgement waited for.
    pub durability: Durability,
}

impl Appended {
    /// Sequence of the last record of the request.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.first_sequence + u64::from(self.records).saturating_sub(1)
    }
}

pub(crate) type Answer = Result<Appended, AppendError>;

/// What is durable.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) head: Option<Mark>,
    pub(crate) durable_group: u64,
    /// Hash of that group.
    pub(crate) end_hash: GroupHash,
    pub(crate) group_bytes: u64,
    pub(crate) segments: Vec<SegmentInfo>,
    pub(crate) failure: Option<AppendError>,
    pub(crate) closed: bool,
    recent: VecDeque<Group>,
    recent_bytes: u64,
    consumer: Option<ConsumerState>,
}

#[derive(Clone, Copy, Debug)]
struct ConsumerState {
    consumed_bytes: u64,
    limit_bytes: u64,
    failed: bool,
}

/// State shared by all handles of one open journal.
///
/// Ordering: `progress` may be held while `queue` is taken, never the reverse.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) journal: JournalId,
    pub(crate) directory: PathBuf,
    pub(crate) options: Options,
    pub(crate) sync_times: Arc<SyncTimes>,
    pub(crate) group_meters: GroupMeters,
    queue: Mutex<Queue>,
    arrived: Condvar,
    progress: Mutex<Progress>,
    advanced: Condvar,
}

/// What the log thread does next.
#[derive(Debug)]
pub(crate) enum Work {
    Group(Vec<Part>),
    /// Nothing arrived for as long as was asked for.
    Idle,
    /// The journal closes, and nothing is left to write.
    Close,
}

impl Shared {
    pub(crate) fn new(log: &crate::Log) -> Self {
        Self {
            journal: log.journal(),
            directory: log.directory().to_owned(),
            options: log.options().clone(),
            sync_times: Arc::clone(log.sync_times()),
            group_meters: GroupMeters::default(),
            queue: Mutex::new(Queue::new(
                log.begin_group().next_sequence(),
                log.options().durability,
                log.options().queue_bytes_max,
            )),
            arrived: Condvar::new(),
            progress: Mutex::new(Progress {
                head: log.head(),
                durable_group: log.last_group(),
                end_hash: log.end_hash(),
                group_bytes: log.group_bytes_total(),
                segments: log.segments().to_vec(),
                failure: None,
                closed: false,
                recent: VecDeque::new(),
                recent_bytes: 0,
                consumer: None,
            }),
            advanced: Condvar::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers a request to the log thread.
    pub(crate) fn offer(&self, request: Request) -> Offer {
        let mut queue = self.queue();
        let offer = queue.offer(request);
        queue.note_arrival(|| self.options.vfs.monotonic());
        if queue.take_wake_up() {
            drop(queue);
            self.arrived.notify_one();
        }
        offer
    }

    /// Waits for requests and takes as many as fit one group.
    pub(crate) fn next_work(&self, timeout: Option<Duration>, gathering: &mut Gathering) -> Work {
        let mut queue = self.queue();
        while queue.is_empty() {
            if queue.closed {
                return Work::Close;
            }
            queue.await_requests(1);
            let is_over;
            (queue, is_over) = self.wait_arrived(queue, timeout);
            if is_over && queue.is_empty() && !queue.closed {
                return Work::Idle;
            }
        }
        if let Some(gather) = gathering.next() {
            if queue.requests() < gather.requests && !queue.closed {
                queue.await_requests(gather.requests);
                (queue, _) = self.wait_arrived(queue, Some(gather.limit));
            }
            gathering.end(gather, queue.requests());
        }
        Work::Group(queue.take_group())
    }

    /// Waits until the log thread is woken; gives whether the time was over.
    fn wait_arrived<'a>(
        &self,
        queue: MutexGuard<'a, Queue>,
        timeout: Option<Duration>,
    ) -> (MutexGuard<'a, Queue>, bool) {
        let Some(timeout) = timeout else {
            let queue = self.arrived.wait(queue);
            return (queue.unwrap_or_else(PoisonError::into_inner), false);
        };
        let (queue, result) = self
            .arrived
            .wait_timeout(queue, timeout)
            .unwrap_or_else(PoisonError::into_inner);
        (queue, result.timed_out())
    }

    /// How many requests wait for the log thread.
    pub(crate) fn queued_requests(&self) -> usize {
        self.queue().requests()
    }

    /// Takes no more requests; those that were taken are still written.
    pub(crate) fn close_queue(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.signal_waiting();
        self.arrived.notify_all();
    }

    /// Makes groups visible to readers. They are durable.
    pub(crate) fn publish(&self, groups: Vec<Group>, log: &crate::Log) {
        let mut progress = self.progress();
        for group in groups {
            progress.durable_group = group.number();
            progress.end_hash = group.header().hash;
            progress.head = group.mark().or(progress.head);
            progress.group_bytes += group.header().group_bytes();
            progress.keep_recent(group, self.options.recent_bytes_max as u64);
        }
        if progress.segments.len() == log.segments().len() {
            if let (Some(to), Some(from)) = (progress.segments.last_mut(), log.segments().last()) {
                *to = *from;
            }
        } else {
            progress.segments = log.segments().to_vec();
        }
        self.regulate(&progress);
        self.advanced.notify_all();
    }

    /// Tells everybody that the journal takes nothing more.
    pub(crate) fn fail(&self, error: &AppendError) {
        self.progress().failure = Some(error.clone());
        self.advanced.notify_all();
    }

    /// The log thread has ended. Where nobody asked for it, it panicked: that is a failure.
    pub(crate) fn ended(&self) {
        let is_asked_for = self.queue().closed;
        self.close_queue();
        // Ordering: what is dropped here wakes others, who may take the lock.
        let unwritten = self.queue().clear();
        drop(unwritten);
        let mut progress = self.progress();
        if !is_asked_for {
            progress.failure.get_or_insert(AppendError::Closed);
        }
        progress.closed = true;
        drop(progress);
        self.advanced.notify_all();
    }

    /// Waits until something changes or the time is over.
    pub(crate) fn wait_advanced<'a>(
        &self,
        progress: MutexGuard<'a, Progress>,
        timeout: Duration,
    ) -> MutexGuard<'a, Progress> {
        self.advanced
            .wait_timeout(progress, timeout)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    pub(crate) fn wake_readers(&self) {
        drop(self.progress());
        self.advanced.notify_all();
    }

    /// Begins to hold appends back when the consumer is more than `limit_bytes` behind.
    pub(crate) fn attach_consumer(&self, consumed_bytes: u64, limit_bytes: u64) {
        let mut progress = self.progress();
        progress.consumer = Some(ConsumerState {
            consumed_bytes,
            limit_bytes,
            failed: false,
        });
        self.regulate(&progress);
    }

    pub(crate) fn consumed(&self, consumed_bytes: u64) {
        let mut progress = self.progress();
        if let Some(consumer) = progress.consumer.as_mut() {
            consumer.consumed_bytes = consumed_bytes;
        }
        self.regulate(&progress);
    }

    pub(crate) fn consumer_failed(&self) {
        let mut progress = self.progress();
        if let Some(consumer) = progress.consumer.as_mut() {
            consumer.failed = true;
        }
        self.regulate(&progress);
    }

    pub(crate) fn detach_consumer(&self) {
        let mut progress = self.progress();
        progress.consumer = None;
        self.regulate(&progress);
    }

    fn regulate(&self, progress: &Progress) {
        self.queue().set_gate(progress.gate());
    }
}

impl Progress {
    fn keep_recent(&mut self, group: Group, bytes_max: u64) {
        self.recent_bytes += group.header().group_bytes();
        self.recent.push_back(group);
        while self.recent_bytes > bytes_max {
            let Some(oldest) = self.recent.pop_front() else {
                break;
            };
            self.recent_bytes -= oldest.header().group_bytes();
        }
    }

    /// A recent group, if it is still in memory.
    pub(crate) fn recent(&self, number: u64) -> Option<Group> {
        let first = self.recent.front()?.number();
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.recent.get(index).cloned()
    }

    /// The last group in memory that does not lie behind the place where a reader is to begin.
    pub(crate) fn recent_before(&self, start: Start) -> Option<&Group> {
        let behind = self.recent.partition_point(|group| match start {
            Start::Beginning => group.number() <= 1,
            Start::AfterGroup(number) => group.number() <= number.saturating_add(1),
            Start::AtSequence(sequence) => group.header().first_sequence <= sequence,
        });
        self.recent.get(behind.checked_sub(1)?)
    }

    /// Bytes that the consumer has not consumed.
    pub(crate) fn behind_bytes(&self) -> Option<u64> {
        let consumer = self.consumer?;
        Some(self.group_bytes.saturating_sub(consumer.consumed_bytes))
    }

    fn gate(&self) -> Gate {
        let Some(consumer) = self.consumer else {
            return Gate::Open;
        };
        let behind_bytes = self.group_bytes.saturating_sub(consumer.consumed_bytes);
        if behind_bytes <= consumer.limit_bytes {
            Gate::Open
        } else if consumer.failed {
            Gate::Refusing {
                behind_bytes,
                limit_bytes: consumer.limit_bytes,
            }
        } else {
            Gate::Waiting
        }
    }
}
