//! The ingest worker: takes durable groups, builds a batch, applies it, publishes it, wakes who waits.
//!
//! While one batch is applied the next is prepared by the pool, if there is anything to prepare:
//!
//! ```text
//!   worker   take 1, prepare | take 2 | apply 1, publish | take 3 | apply 2, publish | ...
//!   pool             prepare 1        | prepare 2                 | prepare 3
//! ```
//!
//! So there are two batches in memory at most. What the second is looked up in does not show the first, whose ids it is given besides.
//!
//! While a load goes on, each batch waits to become full ([`Gathered`]).

use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;
use stemedb_core::Sequence;
use stemedb_storage::{Cursor, KVStore};
use stemedb_wal::{Consumer, Interrupt, JournalReader, JournalWatch, Mark, Wake};

use crate::announced::Announcements;
use crate::arrival::Arrivals;
use crate::gather::{Gathered, Inflow, QUIET_WAITS_MAX, WAIT};
use crate::options::Options;
use crate::progress::{Health, Progress};
use crate::work::{Ready, Taken, Work};
use crate::{Error, Source};

/// Follows a journal and applies it to a store, until it is interrupted or something fails.
#[derive(Debug)]
pub struct IngestWorker<S = JournalReader> {
    source: S,
    store: Arc<dyn KVStore>,
    options: Options,
    pool: Arc<ThreadPool>,
    progress: Arc<Progress>,
    announcements: Arc<Announcements>,
    consumer: Option<Consumer>,
    /// Whether the store shows what is applied: only once the whole journal is.
    is_published: bool,
    applied: Option<Cursor>,
    /// Number of the last group that was taken from the source.
    taken: u64,
    /// What was taken and is not prepared yet.
    gathered: Gathered,
    /// The last sequence before that.
    prepared_upto: u64,
    /// How much is taken.
    inflow: Inflow,
    /// The batch that was prepared while the one before it was applied.
    next: Option<Work>,
    /// Why nothing more can be taken; what was taken before is applied first.
    failure: Option<Error>,
    bytes_since_checkpoint: u64,
    /// When what was applied must be durable; `None` if it is.
    checkpoint_due: Option<Duration>,
}

/// What a look at the source gave.
#[derive(Clone, Copy, Debug)]
enum Step {
    Applied,
    CaughtUp,
}

impl IngestWorker {
    /// A worker at the place where `store` stopped, after its cursors were found in the journal.
    pub(crate) fn new(
        watch: &JournalWatch,
        store: Arc<dyn KVStore>,
        options: Options,
        progress: Arc<Progress>,
    ) -> Result<Self, Error> {
        options.check()?;
        for engine in store.cursors()? {
            if let Some(cursor) = engine.cursor {
                watch.check_mark(&mark(&cursor))?;
            }
        }
        let cursor = store.cursor()?;
        let source = watch.reader(cursor.map_or(stemedb_wal::Start::Beginning, |cursor| {
            stemedb_wal::Start::AfterGroup(cursor.group)
        }))?;
        let mut worker = Self::with(source, store, options, progress)?;
        worker.consumer = Some(worker.source.consumer(worker.options.behind_bytes_max));
        Ok(worker)
    }

    /// Goes by what is announced there.
    pub(crate) fn hear(&mut self, announcements: Arc<Announcements>) {
        self.announcements = announcements;
    }

    /// A handle that ends [`run`](Self::run).
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.source.interrupt()
    }
}

impl<S: Source> IngestWorker<S> {
    /// A worker that takes its groups from `source`, which begins behind [`KVStore::cursor`]; it runs on the caller's thread.
    ///
    /// That the source holds the groups which the store's cursors name, whoever opened the source has checked.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting out of its limits, [`Error::Store`], [`Error::Start`] where its pool cannot be started.
    pub fn on(source: S, store: Arc<dyn KVStore>, options: Options) -> Result<Self, Error> {
        options.check()?;
        Self::with(source, store, options, Arc::default())
    }

    fn with(
        source: S,
        store: Arc<dyn KVStore>,
        options: Options,
        progress: Arc<Progress>,
    ) -> Result<Self, Error> {
        let applied = store.cursor()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|index| format!("stemedb-prepare-{index}"))
            .build()
            .map_err(|error| Error::Start(Arc::new(std::io::Error::other(error))))?;
        Ok(Self {
            source,
            store,
            options,
            pool: Arc::new(pool),
            progress,
            announcements: Arc::default(),
            consumer: None,
            is_published: false,
            applied,
            taken: applied.map_or(0, |cursor| cursor.group),
            gathered: Gathered::default(),
            prepared_upto: applied.map_or(0, |cursor| cursor.sequence.get()),
            inflow: Inflow::default(),
            next: None,
            failure: None,
            bytes_since_checkpoint: 0,
            checkpoint_due: None,
        })
    }

    /// Runs until the source is interrupted or has ended, and makes a checkpoint then.
    ///
    /// # Errors
    ///
    /// [`Error::Journal`] and [`Error::Store`]; what was applied until then is sound, and the store's cursor says what that is.
    pub fn run(&mut self) -> Result<(), Error> {
        self.progress.set_health(Health::Replaying);
        loop {
            let patience = match self.step()? {
                Step::Applied => Duration::ZERO,
                Step::CaughtUp => {
                    self.publish()?;
                    self.patience()
                }
            };
            match self.source.wait(patience) {
                Wake::Groups | Wake::TimedOut => {}
                Wake::Interrupted => return self.checkpoint(),
                Wake::Ended => {
                    while matches!(self.step()?, Step::Applied) {}
                    self.publish()?;
                    return self.checkpoint();
                }
            }
            if self.is_checkpoint_due() {
                self.checkpoint()?;
            }
        }
    }

    /// How long to wait for groups: until a checkpoint is due, if there is anything to make durable.
    fn patience(&self) -> Duration {
        let due = self.checkpoint_due.unwrap_or(Duration::MAX);
        due.saturating_sub(self.source.monotonic())
            .min(Duration::from_hours(1))
    }

    fn is_checkpoint_due(&self) -> bool {
        self.bytes_since_checkpoint >= self.options.checkpoint_bytes
            || self
                .checkpoint_due
                .is_some_and(|due| due <= self.source.monotonic())
    }

    /// Applies one batch, if there is anything to apply, and prepares the next meanwhile.
    fn step(&mut self) -> Result<Step, Error> {
        let Some(Work { ready, arrivals }) = self.next_work()? else {
            return Ok(Step::CaughtUp);
        };
        self.gather();
        if self.gathered.is_empty() || self.is_worth_lingering() {
            self.apply(ready)?;
            return Ok(Step::Applied);
        }
        let following = self.hand_over();
        // It is taken before the batch is applied, and so shows none of it.
        let view = self.store.working_snapshot()?;
        let pool = Arc::clone(&self.pool);
        let prepare = || following.prepare(&pool, &view, &arrivals);
        let next = if following.is_small() {
            self.apply(ready)?;
            prepare()?
        } else {
            // Invariant: the scope ends when what it spawned has ended, or with its panic.
            let mut next = Err(Error::Stopped);
            let applied = pool.in_place_scope(|scope| {
                scope.spawn(|_| next = prepare());
                self.apply(ready)
            });
            applied?;
            next?
        };
        self.next = Some(next);
        Ok(Step::Applied)
    }

    /// The batch that comes next, prepared; `None` where there is nothing to apply.
    fn next_work(&mut self) -> Result<Option<Work>, Error> {
        if let Some(work) = self.next.take() {
            return Ok(Some(work));
        }
        self.gather();
        self.linger();
        if self.gathered.is_empty() {
            return self.failure.take().map_or(Ok(None), Err);
        }
        let taken = self.hand_over();
        let view = self.store.working_snapshot()?;
        Ok(Some(taken.prepare(
            &self.pool,
            &view,
            &Arrivals::default(),
        )?))
    }

    fn apply(&mut self, ready: Ready) -> Result<(), Error> {
        if let Some((batch, cursor)) = ready.batch {
            self.store.apply(batch)?;
            self.applied = Some(cursor);
            let now = self.source.monotonic();
            let due = now.saturating_add(self.options.checkpoint_after);
            self.checkpoint_due.get_or_insert(due);
            self.progress.count_batch(ready.records);
            if self.is_published {
                self.publish()?;
            }
            self.bytes_since_checkpoint += ready.bytes;
        }
        // Appends go on that wait for this worker; groups without records count as well.
        if let Some(consumer) = &self.consumer {
            consumer.consumed(ready.passed_bytes);
        }
        Ok(())
    }

    /// Takes whole groups, until a batch is full or nothing more is durable, or can be read.
    fn gather(&mut self) {
        while self.failure.is_none() && !self.gathered.is_full(&self.options) {
            let group = match self.source.next_group() {
                Ok(Some(group)) => group,
                Ok(None) => break,
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            };
            // A source may deliver more than once, and a batch that held a record twice would count it twice.
            if group.number() > self.taken {
                self.taken = group.number();
                let now = self.source.monotonic();
                self.inflow.add(&group, &self.options, now);
                self.gathered.push(group, now);
            }
        }
    }

    /// Waits for more groups while that is worth it; see [`Gathered`].
    fn linger(&mut self) {
        let mut quiet_waits = 0;
        while self.is_worth_lingering() && quiet_waits < QUIET_WAITS_MAX {
            match self.source.wait(WAIT) {
                Wake::Groups => {
                    self.gather();
                    quiet_waits = 0;
                }
                Wake::TimedOut => quiet_waits += 1,
                Wake::Interrupted | Wake::Ended => return,
            }
        }
    }

    /// Whether to wait for more groups. Nothing is held back before the store shows anything: that is what `open` waits for.
    fn is_worth_lingering(&self) -> bool {
        self.inflow.is_load()
            && self.is_published
            && self
                .gathered
                .may_grow(&self.options, self.source.monotonic())
            && self.failure.is_none()
            && !self
                .progress
                .is_awaited(self.prepared_upto, self.gathered.last_sequence())
    }

    /// What was gathered, with what was announced of it until now.
    fn hand_over(&mut self) -> Taken {
        self.prepared_upto = self.gathered.last_sequence().max(self.prepared_upto);
        let (groups, records) = std::mem::take(&mut self.gathered).into_parts();
        Taken {
            announcements: self.announcements.take_upto(self.prepared_upto),
            groups,
            records,
            passed_bytes: self.source.passed_bytes(),
        }
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.store.publish_at(self.source.monotonic())?;
        self.is_published = true;
        self.progress
            .publish(self.applied.map_or(0, |cursor| cursor.sequence.get()));
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        if self.checkpoint_due.is_none() {
            return Ok(());
        }
        self.store.persist()?;
        self.checkpoint_due = None;
        self.bytes_since_checkpoint = 0;
        self.progress.count_checkpoint();
        Ok(())
    }

    /// Lets go of the journal: appends that wait for this worker are refused from now on, if it failed, and no longer wait, if not.
    pub(crate) fn end(&mut self, result: &Result<(), Error>) {
        match self.consumer.take() {
            Some(consumer) if result.is_err() => consumer.fail(),
            other => drop(other),
        }
    }
}

/// A cursor in the journal's terms.
#[must_use]
pub fn mark(cursor: &Cursor) -> Mark {
    Mark {
        journal: stemedb_wal::JournalId(cursor.journal),
        sequence: cursor.sequence.get(),
        group: cursor.group,
        hash: stemedb_wal::GroupHash(cursor.group_hash),
    }
}

/// A mark in the store's terms. The journal numbers records from 1, so that a mark always has a sequence.
#[must_use]
pub fn cursor(mark: &Mark) -> Cursor {
    Cursor {
        journal: mark.journal.0,
        sequence: Sequence::new(mark.sequence).unwrap_or(Sequence::FIRST),
        group: mark.group,
        group_hash: mark.hash.0,
    }
}

#[cfg(test)]
mod tests;
