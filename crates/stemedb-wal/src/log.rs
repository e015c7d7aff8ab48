//! The writing end of a journal, without a thread: every call does its work before it returns.
//!
//! [`Journal`](crate::Journal) drives it from its log thread; a simulation drives it directly, one operation at a time.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::{SegmentFile, list, segment_path};
use crate::error::IoContext;
use crate::format::{
    ALIGNMENT_BYTES, Place, SEGMENT_HEADER_BYTES, SegmentHeader, segment_capacity_bytes,
};
use crate::group::{GroupFields, SealedGroup};
use crate::recover::{Recovered, recover, write_new};
use crate::scan::ChainEnd;
use crate::snapshot::snapshot;
use crate::spare::{Spare, SpareRequest};
use crate::sync_times::SyncTimes;
use crate::vfs::{Vfs, VfsFile, fill_zeros, write_all_at};
use crate::{
    AppendError, Error, Group, GroupBuilder, GroupHash, JournalId, JournalState, Mark, Options,
    RecoveryReport, SegmentInfo, SnapshotReport,
};

mod failure;
mod pid;
mod rotate;
#[cfg(test)]
mod tests;

use failure::{Failure, WriteStep};
use pid::{read_pid, write_pid};

/// Bytes of zeros that an open segment keeps behind its last group: a file that ends at its last group was ended on purpose.
const TAIL_BYTES: u64 = ALIGNMENT_BYTES as u64;
const HEADER_BYTES: u64 = SEGMENT_HEADER_BYTES as u64;

/// A journal's directory, locked; nothing in it was looked at yet.
///
/// There is no way from here to a [`Log`] but through recovery.
#[derive(Debug)]
pub struct LockedDirectory {
    pub(crate) options: Options,
    pub(crate) directory: PathBuf,
    _lock: Box<dyn Debug + Send + Sync>,
}

impl LockedDirectory {
    /// Takes the lock of `directory`, which must exist.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] where somebody has it, [`Error::NotFound`] where there is no directory, [`Error::Io`], [`Error::Option`].
    pub fn lock(options: Options, directory: &Path) -> Result<Self, Error> {
        options.check()?;
        let lock = match options.vfs.lock(directory) {
            Ok(lock) => lock,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Err(Error::Locked {
                    path: directory.to_owned(),
                    pid: read_pid(options.vfs.as_ref(), directory),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotFound {
                    path: directory.to_owned(),
                });
            }
            Err(source) => return Err(source).context("lock", directory),
        };
        Ok(Self {
            options,
            directory: directory.to_owned(),
            _lock: lock,
        })
    }

    /// Whether the directory holds any segment.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn holds_journal(&self) -> Result<bool, Error> {
        let listing = list(self.options.vfs.as_ref(), &self.directory)?;
        Ok(!listing.segments.is_empty())
    }

    /// Fails where a segment was written by a newer version, before anything that was built from the journal is touched.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedVersion`], [`Error::Corruption`] for a file longer than any segment, [`Error::Io`].
    pub fn check_version(&self) -> Result<(), Error> {
        let vfs = self.options.vfs.as_ref();
        for number in list(vfs, &self.directory)?.segments {
            SegmentFile::open(vfs, &self.directory, number)?.header()?;
        }
        Ok(())
    }

    /// Recovers the journal, or creates it where there is none; `cursors` are those of the stores that were built from it.
    ///
    /// # Errors
    ///
    /// All of [`Error`] but `Locked`. A refusal leaves every file as it was.
    pub fn open(self, cursors: &[Mark]) -> Result<Log, Error> {
        let created = if self.holds_journal()? {
            false
        } else {
            // A store was built from a journal that is gone: an empty one must not take its place.
            if let Some(cursor) = cursors.iter().max_by_key(|cursor| cursor.group) {
                return Err(Error::StoreAheadOfJournal {
                    store: cursor.sequence,
                    group: cursor.group,
                    journal: 0,
                });
            }
            if !self.options.create {
                return Err(Error::NotFound {
                    path: self.directory,
                });
            }
            create(&self.options, &self.directory)?;
            true
        };
        let vfs = Arc::clone(&self.options.vfs);
        let mut recovered = recover(vfs.as_ref(), &self.directory, cursors)?;
        recovered.report.created = created;
        write_pid(vfs.as_ref(), &self.directory);
        Ok(Log::new(self, recovered))
    }
}

// Durability:
// 1. Header and empty group are written aside and synced.
// 2. The rename gives the first segment its name: from then on its header is sound, or it is corruption.
// 3. The directory is synced before the journal is used.
// 4. So is the one above it: whoever made the directory may have gone before it was synced, and a crash would take it with the journal.
fn create(options: &Options, directory: &Path) -> Result<(), Error> {
    let vfs = options.vfs.as_ref();
    for name in list(vfs, directory)?.leftovers {
        let path = directory.join(name);
        vfs.remove(&path).context("remove", &path)?;
    }
    let journal = options.journal_id.map_or_else(random_id, Ok)?;
    let header = SegmentHeader {
        journal,
        number: 1,
        first_group: ChainEnd::START.next_group,
        first_sequence: ChainEnd::START.next_sequence,
        previous_offset: 0,
        previous_hash: ChainEnd::START.hash,
    };
    let fields = GroupFields {
        number: ChainEnd::START.next_group,
        durable_upto: 0,
        arrived_at_ms: vfs.now_ms(),
        previous: ChainEnd::START.hash,
    };
    let place = Place {
        journal,
        segment: 1,
        offset: HEADER_BYTES,
    };
    let mut group = GroupBuilder::new(ChainEnd::START.next_sequence).finish(fields, place);
    let aside = directory.join("spare-0000000000000001.tmp");
    write_new(vfs, &aside, group.with_segment_header(&header))?;
    let path = segment_path(directory, 1);
    vfs.rename(&aside, &path).context("rename", &aside)?;
    vfs.sync_directory(directory).context("sync", directory)?;
    let Some(above) = directory.parent() else {
        return Ok(());
    };
    let above = if above.as_os_str().is_empty() {
        Path::new(".")
    } else {
        above
    };
    vfs.sync_directory(above).context("sync", above)
}

fn random_id() -> Result<JournalId, Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| Error::Io {
        operation: "get random bytes from",
        path: "the operating system".into(),
        offset: None,
        source: std::io::Error::other(error),
    })?;
    Ok(JournalId(id))
}

/// The writing end of a journal.
#[derive(Debug)]
pub struct Log {
    locked: LockedDirectory,
    recovered: Recovered,
    /// File of the last segment, opened with the first write.
    file: Option<OpenSegment>,
    /// The highest group whose fsync has finished.
    durable_group: u64,
    spare: Option<Spare>,
    failure: Option<Failure>,
    group_bytes_total: u64,
    syncs: Arc<SyncTimes>,
}

#[derive(Debug)]
struct OpenSegment {
    path: PathBuf,
    file: Arc<dyn VfsFile>,
    /// Up to where the file holds written bytes or durable zeros.
    zeroed_bytes: u64,
}

impl Log {
    fn new(locked: LockedDirectory, recovered: Recovered) -> Self {
        Self {
            file: None,
            durable_group: recovered.chain.next_group.saturating_sub(1),
            spare: None,
            failure: None,
            syncs: Arc::default(),
            group_bytes_total: recovered.segments.iter().map(|info| info.group_bytes).sum(),
            locked,
            recovered,
        }
    }

    /// The journal's identity.
    #[must_use]
    pub fn journal(&self) -> JournalId {
        self.recovered.journal
    }

    /// What recovery found and did.
    #[must_use]
    pub fn report(&self) -> &RecoveryReport {
        &self.recovered.report
    }

    /// The last group with records that was written, durable or not; `None` in a journal without records.
    #[must_use]
    pub fn head(&self) -> Option<Mark> {
        self.recovered.head
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.recovered.segments
    }

    /// Hash of the last group that was written, empty ones included.
    pub(crate) fn end_hash(&self) -> GroupHash {
        self.recovered.chain.hash
    }

    /// Bytes of all groups.
    #[must_use]
    pub fn group_bytes_total(&self) -> u64 {
        self.group_bytes_total
    }

    /// Number of the last group that was written.
    #[must_use]
    pub fn last_group(&self) -> u64 {
        self.recovered.chain.next_group - 1
    }

    /// The options that the journal was opened with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.locked.options
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.locked.directory
    }

    pub(crate) fn sync_times(&self) -> &Arc<SyncTimes> {
        &self.syncs
    }

    fn vfs(&self) -> &dyn Vfs {
        self.locked.options.vfs.as_ref()
    }

    /// Begins a group that can be given to [`write`](Self::write) next.
    #[must_use]
    pub fn begin_group(&self) -> GroupBuilder {
        GroupBuilder::new(self.recovered.chain.next_sequence)
    }

    /// Whether every group with records is covered by the `durable_upto` of a later one, or by the name of a later segment.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.recovered
            .head
            .is_none_or(|head| head.group <= self.recovered.covered_upto)
    }

    /// Writes a group, without making it durable.
    ///
    /// # Errors
    ///
    /// [`AppendError::NoSpace`] where the disk is full, [`AppendError::Unknown`] and from then on [`AppendError::Poisoned`] where a
    /// write failed, [`AppendError::Exhausted`].
    pub fn write(&mut self, builder: GroupBuilder) -> Result<Group, AppendError> {
        self.check_healthy()?;
        let chain = self.recovered.chain;
        let records = u64::from(builder.records());
        // A group that was refused takes its numbers with it, and those behind it are refused as well.
        let is_next = builder.first_sequence() == chain.next_sequence;
        let numbers_left = chain.next_group < u64::MAX - 1
            && chain
                .next_sequence
                .checked_add(records)
                .is_some_and(|next| next < u64::MAX);
        if !is_next || !numbers_left {
            return Err(AppendError::Exhausted {
                what: "sequence or group",
            });
        }
        let header = self.make_room(builder.payload_bytes())?;
        let fields = GroupFields {
            number: chain.next_group,
            durable_upto: self.durable_group,
            arrived_at_ms: self.vfs().now_ms(),
            previous: chain.hash,
        };
        let place = Place {
            journal: self.recovered.journal,
            segment: self.last_segment().number,
            offset: self.recovered.end,
        };
        let mut group = builder.finish(fields, place);
        self.write_bytes(&mut group, header)?;
        self.advance(&group);
        Ok(group.into_group())
    }

    fn write_bytes(
        &mut self,
        group: &mut SealedGroup,
        header: Option<SegmentHeader>,
    ) -> Result<(), AppendError> {
        let Some(open) = self.file.as_ref() else {
            return Err(AppendError::Closed);
        };
        let result = match header {
            Some(header) => write_all_at(open.file.as_ref(), group.with_segment_header(&header), 0),
            None => write_all_at(open.file.as_ref(), group.group_bytes(), self.recovered.end),
        };
        let path = open.path.clone();
        result.map_err(|source| self.fail(WriteStep::Write, path, source))
    }

    fn advance(&mut self, group: &SealedGroup) {
        let header = group.header();
        let place_offset = self.recovered.end;
        let bytes = header.group_bytes();
        let chain = self.recovered.chain.extend(header);
        assert!(
            chain.is_some(),
            "a group that was just built continues the chain"
        );
        self.recovered.chain = chain.unwrap_or(self.recovered.chain);
        self.recovered.end += bytes;
        self.recovered.last_offset = place_offset;
        self.recovered.covered_upto = self.recovered.covered_upto.max(header.durable_upto);
        self.group_bytes_total += bytes;
        if let Some(info) = self.recovered.segments.last_mut() {
            info.group_bytes += bytes;
        }
        if header.records > 0 {
            self.recovered.head = Some(Mark {
                journal: self.recovered.journal,
                sequence: self.recovered.chain.next_sequence - 1,
                group: header.number,
                hash: header.hash,
            });
        }
    }

    /// Makes every group that was written durable; gives the number of the last one.
    ///
    /// # Errors
    ///
    /// [`AppendError::Unknown`] where the fsync failed, which is final, and [`AppendError::Poisoned`] after that.
    pub fn sync(&mut self) -> Result<u64, AppendError> {
        self.check_syncable()?;
        if self.durable_group < self.last_group() {
            self.sync_file()?;
            self.durable_group = self.last_group();
        }
        Ok(self.durable_group)
    }

    fn sync_file(&mut self) -> Result<(), AppendError> {
        let Some(open) = self.file.as_ref() else {
            return Ok(());
        };
        let path = open.path.clone();
        let sync = || open.file.sync_data();
        let result = self.syncs.measure(self.vfs(), sync);
        result.map_err(|source| self.fail(WriteStep::Sync, path, source))
    }

    /// Writes and syncs a small empty group if a group with records is not yet covered; gives it.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) and [`sync`](Self::sync).
    pub fn cover(&mut self) -> Result<Option<Group>, AppendError> {
        self.sync()?;
        if self.is_covered() {
            return Ok(None);
        }
        let group = self.write(self.begin_group())?;
        self.sync()?;
        Ok(Some(group))
    }

    /// Makes everything that was written durable, and a snapshot of it in `destination`, which must not exist or be empty.
    ///
    /// # Errors
    ///
    /// [`Error::Append`] where the fsync failed; and as [`JournalWatch::snapshot`](crate::JournalWatch::snapshot).
    pub fn snapshot(&mut self, destination: impl AsRef<Path>) -> Result<SnapshotReport, Error> {
        self.sync()?;
        let state = JournalState {
            journal: self.journal(),
            head: self.head(),
            segments: self.segments().to_vec(),
            group_bytes: self.group_bytes_total,
            end_hash: self.end_hash(),
        };
        snapshot(
            self.options(),
            self.directory(),
            &state,
            destination.as_ref(),
        )
    }

    /// Ends the journal cleanly: covers what is not covered, cuts the zeros off, removes the spare, releases the lock.
    ///
    /// # Errors
    ///
    /// As [`cover`](Self::cover); everything that was durable before stays durable.
    pub fn close(mut self) -> Result<(), AppendError> {
        let result = self.cover().map(|_| ());
        if result.is_ok() && self.file.is_some() {
            self.seal_at(self.recovered.end)?;
        }
        if let Some(spare) = self.spare.take() {
            spare.discard(self.vfs());
        }
        result
    }

    /// What the driver should prepare aside, if the next rotation has no spare yet.
    #[must_use]
    pub fn spare_wanted(&self) -> Option<SpareRequest> {
        let last = self.last_segment().number;
        let capacity = segment_capacity_bytes(last, self.options().segment_bytes_max);
        let half_full = self.file.is_some() && self.recovered.end > capacity / 2;
        if self.spare.is_some() || self.failure.is_some() || !half_full {
            return None;
        }
        let number = last.checked_add(1)?;
        Some(SpareRequest {
            vfs: Arc::clone(&self.locked.options.vfs),
            directory: self.locked.directory.clone(),
            number,
            capacity_bytes: segment_capacity_bytes(number, self.options().segment_bytes_max),
        })
    }

    /// Takes a spare that was prepared for this log.
    pub fn give_spare(&mut self, spare: Spare) {
        if self.spare.is_none() && spare.number() == self.last_segment().number + 1 {
            self.spare = Some(spare);
        } else {
            spare.discard(self.vfs());
        }
    }

    fn last_segment(&self) -> SegmentInfo {
        let last = self.recovered.segments.last().copied();
        last.unwrap_or(SegmentInfo::FIRST)
    }
}
