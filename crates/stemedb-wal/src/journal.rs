//! An open journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::directory::SegmentFile;
use crate::error::IoContext;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::mark::check_mark;
use crate::reader::{JournalReader, Start};
use crate::shared::{Progress, Shared};
use crate::snapshot::snapshot;
use crate::sync::thread::{self, JoinHandle};
use crate::vfs::read_full_at;
use crate::writer::Writer;
use crate::{
    AppendError, Error, Extent, GroupHash, JournalId, JournalMeters, LockedDirectory, Log, Mark,
    Options, RecoveryReport, SegmentInfo, SnapshotReport, SyncStats, Trust,
};

/// An append-only log of records, durable and hash-chained. One may be open per directory.
///
/// Dropping it writes what was queued, ends the log thread and releases the lock; [`close`](Self::close) does the same and says how it went.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    report: RecoveryReport,
    thread: Option<JoinHandle<Result<(), AppendError>>>,
}

/// Where a journal stands; everything in it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalState {
    /// The journal's identity.
    pub journal: JournalId,
    /// The last group with records; `None` in a journal without records.
    pub head: Option<Mark>,
    /// The segments in order.
    pub segments: Vec<SegmentInfo>,
    /// Bytes of all groups.
    pub group_bytes: u64,
    /// Hash of the last group, which may hold no records.
    pub end_hash: GroupHash,
}

impl JournalState {
    /// Sequence of the last durable record, 0 where there is none.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.head.map_or(0, |head| head.sequence)
    }

    /// How far each segment is durable.
    #[must_use]
    pub fn extents(&self) -> Vec<Extent> {
        // A segment whose first group was refused has a name and nothing in it.
        let mut begun = self
            .segments
            .iter()
            .filter(|info| info.group_bytes > 0)
            .peekable();
        let mut extents = Vec::with_capacity(self.segments.len());
        while let Some(info) = begun.next() {
            let next = begun.peek();
            extents.push(Extent {
                number: info.number,
                bytes: SEGMENT_HEADER_BYTES as u64 + info.group_bytes,
                is_sealed: next.is_some(),
                last_sequence: next.map_or(self.durable_sequence(), |next| next.first_sequence - 1),
                end_hash: next.map_or(self.end_hash, |next| next.previous_hash),
            });
        }
        extents
    }
}

impl Journal {
    /// Opens the journal in a directory with default settings, recovers it, and creates it where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] where it is open already, [`Error::Corruption`] and [`Error::Gap`] where acknowledged records are damaged,
    /// [`Error::UnsupportedVersion`], [`Error::Io`]. A refusal leaves every file as it was.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Error> {
        Options::default().open(directory)
    }

    /// Opens the journal of a directory whose lock is held; `cursors` are those of the stores that were built from it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Error::StoreAheadOfJournal`] or [`Error::ForeignStore`] where a cursor does not fit.
    pub fn open_locked(locked: LockedDirectory, cursors: &[Mark]) -> Result<Self, Error> {
        let log = locked.open(cursors)?;
        Self::start(log)
    }

    fn start(log: Log) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(&log));
        let report = log.report().clone();
        let directory = shared.directory.clone();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("stemedb-wal".to_owned())
            .spawn(move || crate::thread::run(log, &for_thread))
            .map_err(|source| Error::Io {
                operation: "start the log thread of",
                path: directory,
                offset: None,
                source,
            })?;
        Ok(Self {
            shared,
            report,
            thread: Some(thread),
        })
    }

    /// Appends one record and gives its sequence; the record is durable when this returns (under
    /// [`Durability::Interval`](crate::Durability::Interval) it is written).
    ///
    /// # Errors
    ///
    /// [`AppendError`]; after [`AppendError::Unknown`] nothing more is accepted.
    pub fn append(&mut self, record: impl Into<Vec<u8>>) -> Result<u64, AppendError> {
        let appended = self.writer().append(record).wait()?;
        Ok(appended.first_sequence)
    }

    /// A handle that takes part in group commit; as many as are wanted.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.shared), Trust::Unverified)
    }

    /// A handle whose records are marked as verified: for a caller who has checked their signatures.
    #[must_use]
    pub fn trusted_writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.shared), Trust::Verified)
    }

    /// A reader of what is durable, from a place on.
    ///
    /// # Errors
    ///
    /// [`Error::Corruption`] and [`Error::Io`] where the place cannot be found.
    pub fn reader(&self, start: Start) -> Result<JournalReader, Error> {
        JournalReader::new(Arc::clone(&self.shared), start)
    }

    /// Where the journal stands.
    #[must_use]
    pub fn state(&self) -> JournalState {
        state_of(&self.shared)
    }

    /// A handle that tells where the journal stands, without the journal.
    #[must_use]
    pub fn watch(&self) -> JournalWatch {
        JournalWatch(Arc::clone(&self.shared))
    }

    /// What recovery found and did when this journal was opened.
    #[must_use]
    pub fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// The journal's directory.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.shared.directory.clone()
    }

    /// Writes what was queued, covers the last group, and closes the files.
    ///
    /// # Errors
    ///
    /// [`AppendError`] where that failed; everything that was acknowledged before stays durable.
    pub fn close(mut self) -> Result<(), AppendError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), AppendError> {
        self.shared.close_queue();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            None | Some(Err(_)) => Err(AppendError::Closed),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(error) = self.end()
        {
            tracing::error!(directory = %self.shared.directory.display(), %error, "the journal was not closed cleanly");
        }
    }
}

/// Tells where a journal stands; it holds neither the lock nor the files.
#[derive(Clone, Debug)]
pub struct JournalWatch(Arc<Shared>);

impl JournalWatch {
    /// Where the journal stands.
    #[must_use]
    pub fn state(&self) -> JournalState {
        state_of(&self.0)
    }

    /// Sequence of the last durable record, 0 where there is none.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.0.progress().head.map_or(0, |head| head.sequence)
    }

    /// How often the log waited for an fsync since the journal was opened, and for how long.
    #[must_use]
    pub fn sync_stats(&self) -> SyncStats {
        self.0.sync_times.stats(self.0.options.vfs.as_ref())
    }

    /// What the log has counted since the journal was opened, and where the journal stands; nothing waits for it for long.
    #[must_use]
    pub fn meters(&self) -> JournalMeters {
        let groups = &self.0.group_meters;
        let progress = self.0.progress();
        let (head, bytes) = (progress.head, progress.group_bytes);
        let (segments, behind_bytes) = (progress.segments.len(), progress.behind_bytes());
        drop(progress);
        JournalMeters {
            append_ns: groups.append_ns.read(),
            sync_ns: self.0.sync_times.took_ns(),
            group_records: groups.records.read(),
            group_bytes: groups.bytes.read(),
            durable_sequence: head.map_or(0, |head| head.sequence),
            segments: segments as u64,
            bytes,
            behind_bytes,
        }
    }

    /// Time since some fixed moment, by the clock that the journal was opened with; it never goes backwards.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.0.options.vfs.monotonic()
    }

    /// The failure after which the journal accepts nothing more.
    #[must_use]
    pub fn failure(&self) -> Option<AppendError> {
        self.0.progress().failure.clone()
    }

    /// For a consumer that could not even begin: once the journal has grown by more than `limit_bytes` from now on, appends are refused,
    /// as they are after [`Consumer::fail`](crate::Consumer::fail).
    pub fn refuse_beyond(&self, limit_bytes: u64) {
        let consumed_bytes = self.0.progress().group_bytes;
        self.0.attach_consumer(consumed_bytes, limit_bytes);
        self.0.consumer_failed();
    }

    /// Fails unless the journal holds the group that `mark` names, by number and by hash.
    ///
    /// # Errors
    ///
    /// [`Error::StoreAheadOfJournal`] and [`Error::ForeignStore`] where it does not, [`Error::Corruption`], [`Error::Io`].
    pub fn check_mark(&self, mark: &Mark) -> Result<(), Error> {
        let state = self.state();
        let extent = crate::mark::Extent {
            journal: state.journal,
            head: state.head,
            segments: &state.segments,
        };
        check_mark(self.0.options.vfs.as_ref(), &self.0.directory, extent, mark)
    }

    /// A reader of what is durable, from a place on.
    ///
    /// # Errors
    ///
    /// [`Error::Corruption`] and [`Error::Io`] where the place cannot be found.
    pub fn reader(&self, start: Start) -> Result<JournalReader, Error> {
        JournalReader::new(Arc::clone(&self.0), start)
    }

    /// Reads bytes of a segment as far as they are durable, from `offset` on; gives how many, 0 at the durable end.
    ///
    /// They are not verified: whoever gets them does that.
    ///
    /// # Errors
    ///
    /// [`Error::NoSegment`] where there is none with that number, [`Error::Io`].
    pub fn read_segment(
        &self,
        number: u64,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Error> {
        let extents = self.state().extents();
        let extent = extents.iter().find(|extent| extent.number == number);
        let extent = extent.ok_or(Error::NoSegment {
            number,
            last: extents.len() as u64,
        })?;
        let left = extent.bytes.saturating_sub(offset);
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let shared = &self.0;
        let file = SegmentFile::open(shared.options.vfs.as_ref(), &shared.directory, number)?;
        let read = read_full_at(file.file.as_ref(), buffer, offset).context("read", &file.path)?;
        if read == wanted {
            return Ok(read);
        }
        let ended: io::Result<_> = Err(io::ErrorKind::UnexpectedEof.into());
        ended.context("read", &file.path)
    }

    /// Makes a snapshot: everything that is durable now, as a journal of its own in `destination`, which must not exist or be empty.
    ///
    /// Appends go on meanwhile. Sealed segments are linked rather than copied where the file system can, and share their space with
    /// the original; neither journal ever writes to what both have. They are not read: whether they are sound, a walk says.
    /// Where this fails or is interrupted, `destination` holds all of it, or a journal whose beginning is missing, which is refused, or none.
    ///
    /// # Errors
    ///
    /// [`Error::NotEmpty`], [`Error::Locked`] where another snapshot is being made there, [`Error::Corruption`] where what is copied is
    /// damaged, [`Error::Io`].
    pub fn snapshot(&self, destination: impl AsRef<Path>) -> Result<SnapshotReport, Error> {
        let (shared, state) = (&self.0, self.state());
        snapshot(
            &shared.options,
            &shared.directory,
            &state,
            destination.as_ref(),
        )
    }
}

fn state_of(shared: &Shared) -> JournalState {
    let progress = shared.progress();
    let Progress {
        head,
        segments,
        group_bytes,
        end_hash,
        ..
    } = &*progress;
    JournalState {
        journal: shared.journal,
        head: *head,
        segments: segments.clone(),
        group_bytes: *group_bytes,
        end_hash: *end_hash,
    }
}
