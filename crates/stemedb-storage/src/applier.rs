//! The part that all stores share: who may apply what, what is published, what a checkpoint is.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::Duration,
};

use crate::{
    batch::{Batch, Scope, Share},
    cursor::{Counts, Cursor, EngineCursor, reached},
    engine::{CacheLookups, Level, Reader},
    error::{Error, Result},
    guard::{Fuse, Guarded, GuardedReader},
    held::{HeldViews, Replaced},
    key::MetaKey,
    meta::{self, Notes},
    view::View,
    watchdog::Stall,
};

/// The engines of one store, and how far each has come.
#[derive(Debug)]
pub(crate) struct Applier {
    stream: Guarded,
    small: Option<Guarded>,
    fuse: Arc<Fuse>,
    /// Written by `apply` and `persist`, which hold it from beginning to end.
    standing: Mutex<Standing>,
    /// Written by `publish` only. Ordering: taken after `standing`, never the other way round.
    published: RwLock<Option<Arc<View>>>,
    /// Nothing else is taken under it.
    replaced: Mutex<Replaced>,
}

#[derive(Debug)]
struct Standing {
    stream: Progress,
    small: Option<Progress>,
    view: Arc<View>,
    /// The stream engine's cursor at the last checkpoint that this handle made.
    persisted: Option<Cursor>,
}

/// How far one engine has come.
#[derive(Debug)]
struct Progress {
    /// The cursor that the engine itself has written.
    written: Option<Cursor>,
    /// Up to where nothing is left for the engine: beyond `written` where batches had nothing for it.
    covered: Option<Cursor>,
    counts: Counts,
    reader: Arc<GuardedReader>,
}

impl Progress {
    fn open(engine: &Guarded, notes: &Notes) -> Result<Self> {
        Ok(Self {
            written: notes.cursor,
            covered: notes.cursor,
            counts: notes.counts,
            reader: Arc::new(engine.reader()?),
        })
    }

    fn check(&self, engine: &'static str, batch: &Batch) -> Result<()> {
        let Some(covered) = &self.covered else {
            return self.check_gap(engine, batch);
        };
        if covered.journal != batch.cursor.journal {
            return Err(Error::ForeignJournal { engine });
        }
        self.check_gap(engine, batch)
    }

    fn check_gap(&self, engine: &'static str, batch: &Batch) -> Result<()> {
        let expected = reached(self.covered.as_ref()).saturating_add(1);
        if batch.first.get() > expected {
            return Err(Error::Gap {
                engine,
                expected,
                first: batch.first,
            });
        }
        Ok(())
    }

    /// What the engine must still write of the batch.
    fn share(&self, batch: &mut Batch, scope: Scope) -> Option<Share> {
        batch.take_share(scope, self.covered.as_ref(), self.counts)
    }

    fn commit(&mut self, engine: &Guarded, share: Share, cursor: Cursor) -> Result<()> {
        engine.commit(share.writes, Level::Visible)?;
        self.written = Some(cursor);
        self.counts = share.counts;
        self.reader = Arc::new(engine.reader()?);
        Ok(())
    }

    fn cover(&mut self, cursor: Cursor) {
        if cursor.sequence.get() > reached(self.covered.as_ref()) {
            self.covered = Some(cursor);
        }
    }
}

/// An engine and what was found in it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Guarded,
    pub(crate) notes: Notes,
}

impl Applier {
    pub(crate) fn new(stream: Opened, small: Option<Opened>, fuse: Arc<Fuse>) -> Result<Self> {
        let of_stream = Progress::open(&stream.engine, &stream.notes)?;
        let of_small = small
            .as_ref()
            .map(|small| Progress::open(&small.engine, &small.notes))
            .transpose()?;
        let view = Arc::new(view(&stream.engine, &of_stream, of_small.as_ref()));
        Ok(Self {
            stream: stream.engine,
            small: small.map(|small| small.engine),
            fuse,
            standing: Mutex::new(Standing {
                stream: of_stream,
                small: of_small,
                view,
                persisted: None,
            }),
            published: RwLock::new(None),
            replaced: Mutex::default(),
        })
    }

    pub(crate) fn apply(&self, mut batch: Batch) -> Result<()> {
        self.fuse.check()?;
        batch.check()?;
        let mut guard = self.lock();
        let standing = &mut *guard;
        // Every check comes before the first write, so that a refusal leaves all as it was.
        standing.stream.check(self.stream.name(), &batch)?;
        if let (Some(small), Some(progress)) = (&self.small, &standing.small) {
            progress.check(small.name(), &batch)?;
        }
        let of_stream = standing.stream.share(&mut batch, self.stream_scope());
        let of_small = standing.small.as_ref();
        let of_small = of_small.and_then(|progress| progress.share(&mut batch, Scope::Small));
        if let Some(share) = of_stream {
            standing
                .stream
                .commit(&self.stream, share, batch.cursor)
                .inspect_err(|_| self.record_sync_failure())?;
        }
        if let (Some(small), Some(progress), Some(share)) =
            (&self.small, &mut standing.small, of_small)
        {
            progress.commit(small, share, batch.cursor)?;
        }
        standing.stream.cover(batch.cursor);
        if let Some(progress) = &mut standing.small {
            progress.cover(batch.cursor);
        }
        standing.view = Arc::new(view(
            &self.stream,
            &standing.stream,
            standing.small.as_ref(),
        ));
        Ok(())
    }

    pub(crate) fn publish(&self) -> Result<()> {
        self.replace_published().map(drop)
    }

    /// Publishes, and notes whether anybody holds the view that is out of date from now on.
    pub(crate) fn publish_at(&self, now: Duration) -> Result<()> {
        if let Some(reader) = self.replace_published()? {
            self.replaced().note(now, reader);
        }
        Ok(())
    }

    pub(crate) fn held_views(&self) -> HeldViews {
        self.replaced().held()
    }

    fn replaced(&self) -> MutexGuard<'_, Replaced> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes; gives what the view before read from, unless the new one reads from the same.
    fn replace_published(&self) -> Result<Option<Weak<dyn Reader>>> {
        self.fuse.check()?;
        let standing = self.lock();
        if let Some(small) = &standing.small
            && small.covered != standing.stream.covered
        {
            return Err(Error::NotReconciled);
        }
        let view = Arc::clone(&standing.view);
        let now = Arc::clone(&view);
        let before = self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(view);
        // Ordering: the engines release what it pinned after the lock is free again: no reader waits for that.
        Ok(before.and_then(|before| before.replaced_by(&now)))
    }

    pub(crate) fn snapshot(&self) -> Result<Arc<View>> {
        self.fuse.check()?;
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        published.clone().ok_or(Error::NotReconciled)
    }

    pub(crate) fn working_snapshot(&self) -> Result<Arc<View>> {
        self.fuse.check()?;
        Ok(Arc::clone(&self.lock().view))
    }

    pub(crate) fn cursor(&self) -> Result<Option<Cursor>> {
        self.fuse.check()?;
        Ok(self.lock().view.cursor)
    }

    pub(crate) fn cursors(&self) -> Result<Vec<EngineCursor>> {
        self.fuse.check()?;
        let standing = self.lock();
        let stream = EngineCursor {
            engine: self.stream.name(),
            cursor: standing.stream.written,
        };
        let small = self
            .small
            .iter()
            .zip(&standing.small)
            .map(|(engine, progress)| EngineCursor {
                engine: engine.name(),
                cursor: progress.written,
            });
        Ok(std::iter::once(stream).chain(small).collect())
    }

    /// Makes everything applied durable.
    pub(crate) fn persist(&self) -> Result<()> {
        self.fuse.check()?;
        let mut guard = self.lock();
        let standing = &mut *guard;
        let applied = standing.stream.covered;
        if applied.is_some() && applied == standing.persisted {
            return Ok(());
        }
        // Durability: 1. The stream reaches the disk. Were the checkpoint written first, a crash between
        // the two would leave a checkpoint that promises more than the stream holds.
        self.stream
            .sync()
            .inspect_err(|_| self.record_sync_failure())?;
        if let (Some(small), Some(progress)) = (&self.small, &mut standing.small)
            && let Some(checkpoint) = standing.stream.written
        {
            checkpoint_small(small, progress, checkpoint)?;
        }
        standing.persisted = applied;
        Ok(())
    }

    /// The call into an engine that takes longer than it should right now. It never waits.
    pub(crate) fn stall(&self) -> Option<Stall> {
        let small = self.small.as_ref();
        self.stream
            .stall()
            .or_else(|| small.and_then(Guarded::stall))
    }

    /// What was looked up in the caches of the engines. It never waits.
    pub(crate) fn cache_lookups(&self) -> Vec<CacheLookups> {
        let mut lookups = self.stream.cache_lookups();
        lookups.extend(self.small.iter().flat_map(Guarded::cache_lookups));
        lookups
    }

    /// Leaves word that the stream engine may lack anything that it had not brought to the disk before.
    fn record_sync_failure(&self) {
        if let Some(small) = &self.small
            && self.stream.sync_failed()
        {
            small.commit_last_words(vec![meta::entry(MetaKey::SyncFailed, &[])]);
        }
    }

    const fn stream_scope(&self) -> Scope {
        if self.small.is_some() {
            Scope::Stream
        } else {
            Scope::Whole
        }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        // A panic under the lock can only come from an engine, and then the fuse has blown.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn checkpoint_small(small: &Guarded, progress: &mut Progress, checkpoint: Cursor) -> Result<()> {
    // Durability: 2. The small engine reaches the disk together with the checkpoint and with its own
    // cursor, brought up to where nothing is left for it, so that replay need not begin further back.
    let mut notes = vec![meta::entry(MetaKey::Checkpoint, &checkpoint.encode())];
    let covered = progress.covered;
    notes.extend(covered.map(|cursor| meta::entry(MetaKey::Cursor, &cursor.encode())));
    small.commit(notes, Level::Durable)?;
    progress.written = covered;
    Ok(())
}

fn view(stream: &Guarded, of_stream: &Progress, of_small: Option<&Progress>) -> View {
    let covered = of_small.map(|progress| progress.covered);
    View {
        stream: Arc::clone(&of_stream.reader),
        small: of_small.map(|progress| Arc::clone(&progress.reader)),
        isolation: stream.isolation(),
        counts: of_small.map_or(of_stream.counts, |small| {
            of_stream.counts.plus(small.counts)
        }),
        cursor: lower(of_stream.covered, covered.unwrap_or(of_stream.covered)),
    }
}

fn lower(one: Option<Cursor>, other: Option<Cursor>) -> Option<Cursor> {
    if reached(one.as_ref()) <= reached(other.as_ref()) {
        one
    } else {
        other
    }
}

#[cfg(test)]
mod tests;
