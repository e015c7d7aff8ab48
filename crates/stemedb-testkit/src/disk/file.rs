//! One file: what is read from it, what is durable of it, and what may be durable.

use std::collections::BTreeMap;

use super::Random;

/// Bytes that the disk writes as a whole.
pub const SECTOR_BYTES: usize = 512;

type Sector = Vec<u8>;

/// A file in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct SimFile {
    volatile: Vec<u8>,
    durable: Vec<u8>,
    /// All states of each sector that was written since the last sync, in order.
    sectors: BTreeMap<usize, Vec<Sector>>,
    /// All lengths that the file had since the last sync, in order.
    lengths: Vec<usize>,
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

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: usize) -> usize {
        let rest = self.volatile.get(offset..).unwrap_or_default();
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        rest.len().min(buffer.len())
    }

    pub(super) fn write_at(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.volatile.len() {
            self.volatile.resize(end, 0);
            self.lengths.push(end);
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
        if from >= to {
            return;
        }
        for index in from / SECTOR_BYTES..=(to - 1) / SECTOR_BYTES {
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
    pub(super) fn crash(&mut self, random: &mut Random) {
        let lengths = std::mem::take(&mut self.lengths);
        let length = one_of(self.durable.len(), &lengths, random);
        for (index, states) in std::mem::take(&mut self.sectors) {
            let kept = one_of(sector(&self.durable, index), &states, random);
            place(&mut self.durable, index, &kept, length);
        }
        self.durable.resize(length, 0);
        self.volatile.clone_from(&self.durable);
    }
}

/// The old state half the time, else any of the new ones, the last one most often.
fn one_of<T: Clone>(old: T, states: &[T], random: &mut Random) -> T {
    if random.one_in(2) {
        return old;
    }
    let last = states.last();
    let kept = if random.one_in(3) {
        random.pick(states)
    } else {
        last
    };
    kept.cloned().unwrap_or(old)
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
