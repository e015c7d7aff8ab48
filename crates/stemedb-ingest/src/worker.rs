//! The ingest worker: takes durable groups, builds a batch, applies it, publishes it, wakes who waits.

use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;
use stemedb_core::Sequence;
use stemedb_storage::{Cursor, KVStore};
use stemedb_wal::{Consumer, Group, Interrupt, JournalReader, JournalWatch, Mark, Wake};

use crate::apply::BatchBuilder;
use crate::options::Options;
use crate::prepare::prepare;
use crate::progress::{Health, Progress};
use crate::{Error, Source};

/// Follows a journal and applies it to a store, until it is interrupted or something fails.
#[derive(Debug)]
pub struct IngestWorker<S = JournalReader> {
    source: S,
    store: Arc<dyn KVStore>,
    options: Options,
    pool: ThreadPool,
    progress: Arc<Progress>,
    consumer: Option<Consumer>,
    /// Whether the store shows what is applied: only once the whole journal is.
    is_published: bool,
    applied: Option<Cursor>,
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
            pool,
            progress,
            consumer: None,
            is_published: false,
            applied,
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

    /// Applies one batch, if there is anything to apply.
    fn step(&mut self) -> Result<Step, Error> {
        let groups = self.take_groups()?;
        let Some(last) = groups.iter().rev().find_map(Group::mark) else {
            if groups.is_empty() {
                return Ok(Step::CaughtUp);
            }
            self.tell_consumed();
            return Ok(Step::Applied);
        };
        let view = self.store.working_snapshot()?;
        let prepared = prepare(&self.pool, &groups, view.as_ref())?;
        drop(view);
        let records = prepared.len() as u64;
        let mut builder = BatchBuilder::default();
        for (checked, stored) in prepared {
            builder.push(checked, stored);
        }
        let bytes = builder.bytes();
        let cursor = cursor(&last);
        if let Some(batch) = builder.finish(cursor) {
            self.store.apply(batch)?;
        }
        self.applied = Some(cursor);
        let now = self.source.monotonic();
        let due = now.saturating_add(self.options.checkpoint_after);
        self.checkpoint_due.get_or_insert(due);
        self.progress.count_batch(records);
        if self.is_published {
            self.publish()?;
        }
        self.tell_consumed();
        self.bytes_since_checkpoint += bytes;
        Ok(Step::Applied)
    }

    /// Lets appends go on that wait for this worker; groups without records count as well.
    fn tell_consumed(&self) {
        if let Some(consumer) = &self.consumer {
            consumer.consumed(self.source.passed_bytes());
        }
    }

    /// Whole groups, until a batch is full or nothing more is durable.
    fn take_groups(&mut self) -> Result<Vec<Group>, Error> {
        let mut groups = Vec::new();
        let (mut records, mut bytes) = (0_u64, 0_u64);
        while records < self.options.batch_records_max && bytes < self.options.batch_bytes_max {
            let Some(group) = self.source.next_group()? else {
                break;
            };
            records += u64::from(group.header().records);
            bytes += group.header().group_bytes();
            groups.push(group);
        }
        Ok(groups)
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.store.publish()?;
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
