//! Readers: they follow what is durable, with files of their own, and never write.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::directory::{SegmentFile, corruption, segment_path};
use crate::format::{GROUP_HEADER_BYTES, GroupHeader, Place, SEGMENT_HEADER_BYTES};
use crate::group::check_limits;
use crate::scan::ChainEnd;
use crate::shared::Shared;
use crate::sync::AtomicBool;
use crate::{Corruption, Error, Fault, Group, SegmentInfo};

const HEADER_BYTES: u64 = SEGMENT_HEADER_BYTES as u64;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first group.
    Beginning,
    /// At the group behind the one with this number.
    AfterGroup(u64),
    /// At the group that holds this sequence, or will hold it.
    AtSequence(u64),
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There are groups to read.
    Groups,
    /// [`Interrupt::interrupt`] was called.
    Interrupted,
    /// The journal was closed or poisoned, and everything that is durable was read.
    Ended,
    /// The time is over.
    TimedOut,
}

/// Reads the groups of an open journal in order, as far as they are durable.
///
/// Recent groups come from memory, others from the files, where each is checked: its hash, and that it continues the chain.
#[derive(Debug)]
pub struct JournalReader {
    shared: Arc<Shared>,
    interrupted: Arc<AtomicBool>,
    segment: u64,
    offset: u64,
    /// What the next group must continue; its hash is unknown right after headers were passed over.
    chain: ChainEnd,
    hash_is_known: bool,
    file: Option<SegmentFile>,
    /// Bytes of all groups before the next one.
    passed_bytes: u64,
}

impl std::fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentFile")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl JournalReader {
    pub(crate) fn new(shared: Arc<Shared>, start: Start) -> Result<Self, Error> {
        let segments = shared.progress().segments.clone();
        let begins_before = |info: &&SegmentInfo| match start {
            Start::Beginning => info.number == 1,
            Start::AfterGroup(group) => info.first_group <= group.saturating_add(1),
            Start::AtSequence(sequence) => info.first_sequence <= sequence.max(1),
        };
        let info = segments
            .iter()
            .rev()
            .find(begins_before)
            .or_else(|| segments.first());
        let info = info.copied().ok_or(Error::Closed)?;
        let mut reader = Self {
            shared,
            interrupted: Arc::default(),
            segment: info.number,
            offset: HEADER_BYTES,
            chain: ChainEnd::START,
            hash_is_known: true,
            file: None,
            passed_bytes: 0,
        };
        reader.begin(info.number)?;
        reader.jump(start);
        reader.seek(start).or_else(|error| match error {
            Error::Corruption(_) => {
                reader.begin(info.number)?;
                reader.seek(start)
            }
            other => Err(other),
        })?;
        Ok(reader)
    }

    /// Goes to the first group of a segment.
    fn begin(&mut self, segment: u64) -> Result<(), Error> {
        let progress = self.shared.progress();
        let mut passed_bytes = 0;
        let mut info = None;
        for known in &progress.segments {
            if known.number < segment {
                passed_bytes += known.group_bytes;
            } else if known.number == segment {
                info = Some(*known);
            }
        }
        drop(progress);
        let info = info.ok_or(Error::Closed)?;
        self.chain = ChainEnd {
            next_group: info.first_group,
            next_sequence: info.first_sequence,
            ..ChainEnd::START
        };
        self.hash_is_known = segment == 1;
        self.segment = segment;
        self.offset = HEADER_BYTES;
        self.file = None;
        self.passed_bytes = passed_bytes;
        Ok(())
    }

    /// Goes to the last group in memory that does not lie behind the start, if there is one: a segment may hold a great many before it.
    fn jump(&mut self, start: Start) {
        let progress = self.shared.progress();
        let Some(group) = progress.recent_before(start) else {
            return;
        };
        let (place, header) = (group.place(), *group.header());
        let before = progress.segments.iter();
        let before = before.filter(|info| info.number < place.segment);
        let passed_bytes = before.map(|info| info.group_bytes).sum::<u64>();
        drop(progress);
        self.chain = ChainEnd {
            next_group: header.number,
            next_sequence: header.first_sequence,
            hash: header.previous,
        };
        self.hash_is_known = true;
        self.step_to(place);
        self.passed_bytes = passed_bytes + (place.offset - HEADER_BYTES);
    }

    /// Passes over groups by their headers alone; the group that is read next is checked in full.
    ///
    /// A header that was misread may name another length, and what then is read behind it is damaged: whoever finds that begins anew.
    fn seek(&mut self, start: Start) -> Result<(), Error> {
        loop {
            let durable = self.shared.progress().durable_group;
            if self.chain.next_group > durable {
                return Ok(());
            }
            let header = self.read_header()?;
            let is_there = match start {
                Start::Beginning => true,
                Start::AfterGroup(group) => self.chain.next_group > group,
                Start::AtSequence(sequence) => {
                    header.next_sequence().is_some_and(|next| next > sequence)
                }
            };
            if is_there {
                return Ok(());
            }
            self.pass(&header, header.group_bytes());
            self.hash_is_known = false;
        }
    }

    fn pass(&mut self, header: &GroupHeader, bytes: u64) {
        self.chain = ChainEnd {
            next_group: header.number.saturating_add(1),
            next_sequence: header.next_sequence().unwrap_or(u64::MAX),
            hash: header.hash,
        };
        self.offset += bytes;
        self.passed_bytes += bytes;
    }

    /// The next durable group, or `None` where there is none yet.
    ///
    /// # Errors
    ///
    /// [`Error::Corruption`] where the files no longer hold what was durable, [`Error::Io`].
    pub fn next_group(&mut self) -> Result<Option<Group>, Error> {
        let recent = {
            let progress = self.shared.progress();
            if self.chain.next_group > progress.durable_group {
                return Ok(None);
            }
            progress.recent(self.chain.next_group)
        };
        let group = match recent {
            Some(group) => {
                self.step_to(group.place());
                group
            }
            None => self.read_group()?,
        };
        self.pass(group.header(), group.header().group_bytes());
        self.hash_is_known = true;
        Ok(Some(group))
    }

    /// Waits until there is a group to read, but no longer than `timeout`.
    pub fn wait(&self, timeout: Duration) -> Wake {
        let mut progress = self.shared.progress();
        let mut waited = false;
        loop {
            if self.interrupted.load(Ordering::Acquire) {
                return Wake::Interrupted;
            }
            if self.chain.next_group <= progress.durable_group {
                return Wake::Groups;
            }
            if progress.closed || progress.failure.is_some() {
                return Wake::Ended;
            }
            if waited {
                return Wake::TimedOut;
            }
            progress = self.shared.wait_advanced(progress, timeout);
            waited = true;
        }
    }

    /// A handle that ends this reader's waits.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        Interrupt {
            shared: Arc::clone(&self.shared),
            interrupted: Arc::clone(&self.interrupted),
        }
    }

    /// Makes this reader the one that appends wait for: when it is more than `limit_bytes` behind what is durable, they do.
    #[must_use]
    pub fn consumer(&self, limit_bytes: u64) -> Consumer {
        self.shared.attach_consumer(self.passed_bytes, limit_bytes);
        Consumer {
            shared: Arc::clone(&self.shared),
            is_failed: false,
        }
    }

    /// Time since some fixed moment, by the clock that the journal was opened with; it never goes backwards.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.shared.options.vfs.monotonic()
    }

    /// Bytes of all groups that lie before the next one to be read; what [`Consumer::consumed`] takes.
    #[must_use]
    pub fn passed_bytes(&self) -> u64 {
        self.passed_bytes
    }

    fn step_to(&mut self, place: Place) {
        if self.segment != place.segment {
            self.segment = place.segment;
            self.file = None;
        }
        self.offset = place.offset;
    }

    /// Reads the next group from the files. Bytes that do not verify are read once more before they count as damaged.
    fn read_group(&mut self) -> Result<Group, Error> {
        self.try_read_group().or_else(|error| match error {
            Error::Corruption(_) => {
                self.file = None;
                if !self.hash_is_known {
                    let before = self.chain.next_group.saturating_sub(1);
                    self.begin(self.segment)?;
                    self.seek(Start::AfterGroup(before))?;
                }
                self.try_read_group()
            }
            other => Err(other),
        })
    }

    fn try_read_group(&mut self) -> Result<Group, Error> {
        let header = self.read_header()?;
        let place = Place {
            journal: self.shared.journal,
            segment: self.segment,
            offset: self.offset,
        };
        let bytes = self.file()?.read(place.offset, header.group_bytes())?;
        let group = Group::decode(&bytes, place).map_err(|fault| self.damaged(fault))?;
        let mut before = self.chain;
        if !self.hash_is_known {
            before.hash = group.header().previous;
        }
        if before.extend(group.header()).is_none() {
            return Err(self.damaged(Fault::Chain));
        }
        Ok(group)
    }

    /// The header of the next group, at the place of which this reader then is.
    fn read_header(&mut self) -> Result<GroupHeader, Error> {
        self.step_into_segment()?;
        let offset = self.offset;
        let bytes = self.file()?.read(offset, GROUP_HEADER_BYTES as u64)?;
        let raw = bytes.first_chunk::<GROUP_HEADER_BYTES>();
        let header = raw.ok_or_else(|| self.damaged(Fault::Short))?;
        let header = GroupHeader::read(header).ok_or_else(|| self.damaged(Fault::NoGroup))?;
        check_limits(&header).map_err(|fault| self.damaged(fault))?;
        if header.number != self.chain.next_group {
            return Err(self.damaged(Fault::Chain));
        }
        Ok(header)
    }

    /// Goes on to the segment that begins with the next group, if one does.
    fn step_into_segment(&mut self) -> Result<(), Error> {
        let begins = |info: &&SegmentInfo| {
            info.first_group == self.chain.next_group && info.number == self.segment + 1
        };
        let next = self.shared.progress().segments.iter().find(begins).copied();
        let Some(info) = next else {
            return Ok(());
        };
        self.segment = info.number;
        self.offset = HEADER_BYTES;
        self.file = None;
        let file = self.file()?;
        let header = file.header()?;
        let path = segment_path(&self.shared.directory, info.number);
        let header = header.ok_or_else(|| corruption(&path, 0, Fault::SegmentHeader))?;
        let is_ours = header.journal == self.shared.journal
            && header.number == info.number
            && (!self.hash_is_known || header.previous_hash == self.chain.hash);
        if is_ours {
            Ok(())
        } else {
            Err(corruption(&path, 0, Fault::SegmentIdentity).into())
        }
    }

    fn file(&mut self) -> Result<&SegmentFile, Error> {
        // A file that is still written to grows: its length is looked up anew where it does not reach.
        let reaches = |file: &SegmentFile| file.bytes >= self.offset + GROUP_HEADER_BYTES as u64;
        if !self.file.as_ref().is_some_and(reaches) {
            self.file = None;
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => SegmentFile::open(
                self.shared.options.vfs.as_ref(),
                &self.shared.directory,
                self.segment,
            )?,
        };
        Ok(self.file.insert(file))
    }

    fn damaged(&self, fault: Fault) -> Error {
        Corruption {
            path: segment_path(&self.shared.directory, self.segment),
            offset: self.offset,
            group: Some(self.chain.next_group),
            sequence: Some(self.chain.next_sequence),
            fault,
        }
        .into()
    }
}

/// Ends the waits of a reader from another thread.
#[derive(Clone, Debug)]
pub struct Interrupt {
    shared: Arc<Shared>,
    interrupted: Arc<AtomicBool>,
}

impl Interrupt {
    /// From now on every wait of the reader returns [`Wake::Interrupted`].
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        self.shared.wake_readers();
    }
}

/// The one that appends wait for when it is too far behind. Dropping it ends that.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    is_failed: bool,
}

impl Consumer {
    /// Says how far it got, in the bytes of [`JournalReader::passed_bytes`].
    pub fn consumed(&self, passed_bytes: u64) {
        self.shared.consumed(passed_bytes);
    }

    /// Says that it will get no further: appends beyond the limit are refused from now on instead of waiting.
    pub fn fail(mut self) {
        self.is_failed = true;
        self.shared.consumer_failed();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if !self.is_failed {
            self.shared.detach_consumer();
        }
    }
}
