//! One file: what is read from it, what is durable of it, and what may be durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

use super::fate::Fate;

/// Bytes that the disk writes as a whole, unless sectors may be torn.
pub const SECTOR_BYTES: usize = 512;

type Sector = Vec<u8>;

/// What Linux says of a sector that cannot be read.
const EIO: i32 = 5;

/// A file in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct SimFile {
    volatile: Vec<u8>,
    durable: Vec<u8>,
    /// All states of each sector that was written since the last sync, in order.
    sectors: BTreeMap<usize, Vec<Sector>>,
    /// All lengths that the file had since the last sync, in order.
    lengths: Vec<usize>,
    /// Sectors that cannot be read until they are written.
    unreadable: BTreeSet<usize>,
}

impl SimFile {
    /// A file whose bytes are durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self {
            volatile: bytes.clone(),
            durable: bytes,
            ..Self::default()
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.volatile
    }

    /// Reads up to the end of the file, or up to the next sector that cannot be read.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: usize) -> io::Result<usize> {
        let bad = self.unreadable.range(offset / SECTOR_BYTES..).next();
        let end = bad.map_or(usize::MAX, |index| index * SECTOR_BYTES);
        if end <= offset && offset < self.volatile.len() && !buffer.is_empty() {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let rest = self.volatile.get(offset..).unwrap_or_default();
        let length = rest.len().min(buffer.len()).min(end.saturating_sub(offset));
        for (to, from) in buffer.iter_mut().zip(rest).take(length) {
            *to = *from;
        }
        Ok(length)
    }

    /// The sectors that hold these bytes can no longer be read.
    pub(super) fn make_unreadable(&mut self, bytes: &Range<usize>) {
        self.unreadable.extend(sectors_of(bytes));
    }

    /// Changes bits of a byte, on the device and in memory.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        for bytes in [&mut self.volatile, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= mask;
            }
        }
    }

    pub(super) fn write_at(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.volatile.len() {
            self.volatile.resize(end, 0);
            self.lengths.push(end);
        }
        for index in sectors_of(&(offset..end)) {
            self.unreadable.remove(&index);
        }
        let target = self.volatile.iter_mut().skip(offset);
        for (to, from) in target.zip(bytes) {
            *to = *from;
        }
        self.remember(offset, end);
    }

    pub(super) fn set_len(&mut self, length: usize) {
        let before = self.volatile.len();
        self.volatile.resize(length, 0);
        self.lengths.push(length);
        self.remember(length.min(before), before.max(length));
    }

    /// Notes the present state of the sectors that hold the bytes from `from` to `to`.
    fn remember(&mut self, from: usize, to: usize) {
        for index in sectors_of(&(from..to)) {
            let state = sector(&self.volatile, index);
            self.sectors.entry(index).or_default().push(state);
        }
    }

    pub(super) fn sync(&mut self) {
        for index in std::mem::take(&mut self.sectors).into_keys() {
            place(
                &mut self.durable,
                index,
                &sector(&self.volatile, index),
                self.volatile.len(),
            );
        }
        if !std::mem::take(&mut self.lengths).is_empty() {
            self.durable.resize(self.volatile.len(), 0);
        }
    }

    /// A sync that failed: the bytes can still be read, and no later sync will write them.
    pub(super) fn forget_unsynced(&mut self) {
        self.sectors.clear();
        self.lengths.clear();
    }

    /// Keeps any one state of each sector and of the length.
    pub(super) fn crash(&mut self, fate: &mut dyn Fate) {
        let lengths = std::mem::take(&mut self.lengths);
        let length = one_of(self.durable.len(), lengths, fate);
        for (index, states) in std::mem::take(&mut self.sectors) {
            let old = sector(&self.durable, index);
            let mut kept = one_of(old.clone(), states, fate);
            if kept != old
                && let Some(new_bytes) = fate.tear()
            {
                kept.truncate(new_bytes);
                kept.extend(old.iter().skip(new_bytes));
            }
            place(&mut self.durable, index, &kept, length);
        }
        self.durable.resize(length, 0);
        self.volatile.clone_from(&self.durable);
    }
}

/// One of the different states, the old one among them.
fn one_of<T: PartialEq>(old: T, states: Vec<T>, fate: &mut dyn Fate) -> T {
    let mut distinct = vec![old];
    for state in states {
        if !distinct.contains(&state) {
            distinct.push(state);
        }
    }
    let choice = match distinct.len() {
        1 => 0,
        options => fate.choose(options),
    };
    distinct.swap_remove(choice)
}

/// Numbers of the sectors that hold these bytes.
fn sectors_of(bytes: &Range<usize>) -> Range<usize> {
    if bytes.is_empty() {
        return 0..0;
    }
    bytes.start / SECTOR_BYTES..bytes.end.div_ceil(SECTOR_BYTES)
}

/// A sector, with zeros behind the end of the file.
fn sector(bytes: &[u8], index: usize) -> Sector {
    let start = index * SECTOR_BYTES;
    let mut state: Sector = bytes
        .iter()
        .skip(start)
        .take(SECTOR_BYTES)
        .copied()
        .collect();
    state.resize(SECTOR_BYTES, 0);
    state
}

/// Writes a sector, as far as the file's length reaches.
fn place(bytes: &mut Vec<u8>, index: usize, state: &[u8], length: usize) {
    let start = index * SECTOR_BYTES;
    let end = (start + state.len()).min(length.max(bytes.len()));
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    for (to, from) in bytes.iter_mut().skip(start).zip(state) {
        *to = *from;
    }
}
