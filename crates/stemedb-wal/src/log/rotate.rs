//! Room for the next group: zeros behind the last one, or the next segment.

use std::sync::Arc;

use super::{HEADER_BYTES, Log, OpenSegment, TAIL_BYTES, WriteStep, fill_zeros};
use crate::directory::segment_path;
use crate::format::{
    GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, segment_capacity_bytes,
};
use crate::spare::Spare;
use crate::vfs::OpenMode;
use crate::{AppendError, SegmentInfo};

/// Segments that are made for one large group end at a multiple of this many bytes.
const BLOCK_BYTES: u64 = 4096;
/// A segment that is opened again gets this many bytes of zeros at a time: one who writes little waits for little.
const EXTENSION_BYTES: u64 = 1 << 20;

impl Log {
    /// Whether a group with so long a payload begins a new segment.
    #[must_use]
    pub fn would_rotate(&self, payload_bytes: usize) -> bool {
        let last = self.last_segment();
        let length = GROUP_HEADER_BYTES as u64 + payload_bytes as u64;
        self.recovered.end + length + TAIL_BYTES > self.capacity(last.number)
            && last.group_bytes > 0
    }

    /// Makes room for a group with so long a payload; gives the header to write in front of it where it begins a segment.
    pub(super) fn make_room(
        &mut self,
        payload_bytes: usize,
    ) -> Result<Option<SegmentHeader>, AppendError> {
        if self.would_rotate(payload_bytes) {
            return self.rotate(payload_bytes).map(Some);
        }
        let length = GROUP_HEADER_BYTES as u64 + payload_bytes as u64;
        self.extend_zeros(self.recovered.end + length + TAIL_BYTES)?;
        Ok(None)
    }

    fn capacity(&self, number: u64) -> u64 {
        segment_capacity_bytes(number, self.options().segment_bytes_max)
    }

    /// Sees to it that the file holds zeros up to `needed` before a group is written over them.
    ///
    /// They are durable before the group is written: a file that ends at its last group proves that this group was synced.
    fn extend_zeros(&mut self, needed: u64) -> Result<(), AppendError> {
        let zeroed = self.file.as_ref().map_or(0, |open| open.zeroed_bytes);
        if needed <= zeroed {
            return Ok(());
        }
        let number = self.last_segment().number;
        let step = needed
            .next_multiple_of(EXTENSION_BYTES)
            .min(self.capacity(number));
        let to = step.max(needed.next_multiple_of(BLOCK_BYTES));
        let path = segment_path(self.directory(), number);
        let prepared = match self.file.as_ref() {
            Some(open) => Ok(Arc::clone(&open.file)),
            None => self.vfs().open(&path, OpenMode::Write).map(Arc::from),
        }
        .and_then(|file| {
            fill_zeros(file.as_ref(), zeroed.max(self.recovered.end), to, || Ok(()))?;
            Ok(file)
        });
        let file =
            prepared.map_err(|source| self.fail(WriteStep::Prepare, path.clone(), source))?;
        // Groups may be waiting in this file for their fsync, and this one would have been theirs too.
        let synced = self.syncs.measure(self.vfs(), || file.sync_data());
        synced.map_err(|source| self.fail(WriteStep::Sync, path.clone(), source))?;
        self.file = Some(OpenSegment {
            path,
            file,
            zeroed_bytes: to,
        });
        Ok(())
    }

    // Durability:
    // 1. Everything written so far is synced: from here on the name of the next segment proves the last group of this one.
    // 2. The spare, synced when it was made, takes the name; the directory is synced, so that a crash cannot lose the file
    //    of a group that is acknowledged.
    // 3. This segment is sealed: a crash before that leaves zeros, which recovery cuts.
    // 4. Header and first group go out in one write (by the caller); until then the segment is empty, and recovery drops it.
    fn rotate(&mut self, payload_bytes: usize) -> Result<SegmentHeader, AppendError> {
        let number = self.last_segment().number.checked_add(1);
        let number = number.ok_or(AppendError::Exhausted { what: "segment" })?;
        self.sync()?;
        let length = (SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES + payload_bytes) as u64;
        let least = (length + TAIL_BYTES).next_multiple_of(BLOCK_BYTES);
        let spare = self.take_spare(number, self.capacity(number).max(least))?;
        let path = segment_path(self.directory(), number);
        let named = self.vfs().rename(spare.path(), &path);
        named.map_err(|source| self.fail(WriteStep::Rename, path.clone(), source))?;
        let synced = self.vfs().sync_directory(self.directory());
        let directory = self.directory().to_owned();
        synced.map_err(|source| self.fail(WriteStep::Sync, directory, source))?;
        self.seal_at(self.recovered.end)?;
        let header = SegmentHeader {
            journal: self.recovered.journal,
            number,
            first_group: self.recovered.chain.next_group,
            first_sequence: self.recovered.chain.next_sequence,
            previous_offset: self.recovered.last_offset,
            previous_hash: self.recovered.chain.hash,
        };
        self.recovered.segments.push(SegmentInfo {
            number,
            first_group: header.first_group,
            first_sequence: header.first_sequence,
            previous_hash: header.previous_hash,
            group_bytes: 0,
        });
        self.recovered.end = HEADER_BYTES;
        self.recovered.covered_upto = header.first_group - 1;
        let zeroed_bytes = spare.capacity_bytes();
        let file = spare.into_file().into();
        self.file = Some(OpenSegment {
            path,
            file,
            zeroed_bytes,
        });
        Ok(header)
    }

    fn take_spare(&mut self, number: u64, capacity: u64) -> Result<Spare, AppendError> {
        if let Some(spare) = self.spare.take() {
            if spare.number() == number && spare.capacity_bytes() >= capacity {
                return Ok(spare);
            }
            spare.discard(self.vfs());
        }
        let made = Spare::create(self.vfs(), self.directory(), number, capacity);
        let path = Spare::path_of(self.directory(), number);
        made.map_err(|source| self.fail(WriteStep::Prepare, path, source))
    }

    /// Cuts the zeros off the segment that is open for writing. It need not be open: then there are none.
    pub(super) fn seal_at(&mut self, end: u64) -> Result<(), AppendError> {
        let Some(open) = self.file.take() else {
            return Ok(());
        };
        let cut = open.file.set_len(end);
        cut.map_err(|source| self.fail(WriteStep::Cut, open.path.clone(), source))?;
        let sync = || open.file.sync_data();
        let synced = self.syncs.measure(self.vfs(), sync);
        synced.map_err(|source| self.fail(WriteStep::Sync, open.path, source))
    }
}
