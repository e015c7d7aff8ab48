//! A batch: what one run of the ingest worker adds to a store, and the share of it that an engine gets.

use std::mem;

use stemedb_core::Sequence;

use crate::{
    cursor::{Counts, Cursor, reached},
    engine::Pair,
    entry::Entry,
    envelope,
    error::{BatchFault, Error, Result},
    key::{self, Key, KeyKind, MetaKey, Role},
    meta,
};

/// Everything that the records `first..=cursor.sequence` of the journal add to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The first record that the batch covers.
    pub first: Sequence,
    /// The last group that the batch covers: its sequence is the last record of the batch.
    pub cursor: Cursor,
    /// The entries, in any order.
    pub entries: Vec<Entry>,
    /// The records whose id was there already.
    pub duplicates: Vec<Sequence>,
}

/// Which part of a batch an engine gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything: it is the only engine of its store.
    Whole,
    /// What grows with the stream.
    Stream,
    /// What is small.
    Small,
}

impl Scope {
    const fn holds(self, kind: KeyKind) -> bool {
        match self {
            Self::Whole => true,
            Self::Stream => matches!(key::engine(kind), Role::Stream),
            Self::Small => matches!(key::engine(kind), Role::Small),
        }
    }

    /// Whether the engine is written to by every batch, and keeps the chain of batches.
    pub(crate) const fn has_chain(self) -> bool {
        matches!(self, Self::Whole | Self::Stream)
    }
}

/// What one engine commits for one batch, in one atomic write.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) writes: Vec<Pair>,
    pub(crate) counts: Counts,
}

impl Batch {
    /// Refuses a batch that contradicts itself, before an engine sees any of it.
    pub(crate) fn check(&self) -> Result<()> {
        let last = self.cursor.sequence;
        let invalid = |fault| Error::InvalidBatch {
            first: self.first,
            last,
            fault,
        };
        if last < self.first {
            return Err(invalid(BatchFault::EndsBeforeItBegins));
        }
        let sequences = self.entries.iter().map(Entry::sequence);
        for sequence in sequences.chain(self.duplicates.iter().copied()) {
            if sequence < self.first || sequence > last {
                return Err(invalid(BatchFault::Outside(sequence)));
            }
        }
        if self.entries.iter().any(|entry| entry.kind().is_internal()) {
            return Err(invalid(BatchFault::InternalKey));
        }
        Ok(())
    }

    /// Takes out what an engine that has applied everything up to `done` must still write; `None` if that is nothing.
    ///
    /// Entries come in the order of their keys, and the engine's notes behind them. What is of another scope stays.
    pub(crate) fn take_share(
        &mut self,
        scope: Scope,
        done: Option<&Cursor>,
        counts: Counts,
    ) -> Option<Share> {
        let done = reached(done);
        if self.cursor.sequence.get() <= done {
            return None;
        }
        let mut share = Share {
            writes: Vec::with_capacity(self.entries.len().saturating_add(3)),
            counts,
        };
        let mut own = Vec::with_capacity(self.entries.len());
        for entry in mem::take(&mut self.entries) {
            if !scope.holds(entry.kind()) {
                self.entries.push(entry);
            } else if entry.sequence().get() > done {
                own.push(Some(entry));
            }
        }
        for index in in_order(&own) {
            if let Some(entry) = own.get_mut(index).and_then(Option::take) {
                share.put(entry);
            }
        }
        if scope.has_chain() {
            let duplicates = self
                .duplicates
                .iter()
                .filter(|sequence| sequence.get() > done);
            share.counts.duplicates = share.counts.duplicates.saturating_add(count(duplicates));
            share.writes.push(self.link(done));
        } else if share.writes.is_empty() {
            return None;
        }
        share
            .writes
            .push(meta::entry(MetaKey::Counts, &share.counts.encode()));
        share
            .writes
            .push(meta::entry(MetaKey::Cursor, &self.cursor.encode()));
        Some(share)
    }

    /// The batch's link in the chain of applied batches.
    fn link(&self, done: u64) -> Pair {
        let last = self.cursor.sequence.get();
        let next = Sequence::new(done.saturating_add(1)).unwrap_or(self.first);
        let key = Key::Batch(self.first.max(next)).encode();
        let envelope = envelope::seal(&key, last, 0, &last.to_le_bytes());
        (key.into(), envelope.into())
    }
}

impl Share {
    fn put(&mut self, entry: Entry) {
        let counted = match entry.kind() {
            KeyKind::Assertion => Some(&mut self.counts.assertions),
            KeyKind::VoteIndex => Some(&mut self.counts.votes),
            KeyKind::Epoch => Some(&mut self.counts.epochs),
            KeyKind::Quarantine => Some(&mut self.counts.quarantined),
            KeyKind::Vote | KeyKind::Subject | KeyKind::Batch | KeyKind::Meta => None,
        };
        if let Some(counted) = counted {
            *counted = counted.saturating_add(1);
        }
        self.writes.push(entry.into_pair());
    }
}

/// The places of entries in the order of their keys; of those with one key, in the order in which they are.
///
/// Most keys are told apart by a number made of their first bytes: the keys themselves lie all over the memory.
fn in_order(entries: &[Option<Entry>]) -> impl Iterator<Item = usize> + use<> {
    let key = |index: usize| {
        let entry = entries.get(index).and_then(Option::as_ref);
        entry.map_or(&[][..], Entry::key)
    };
    let mut order: Vec<(u128, usize)> = (0..entries.len())
        .map(|index| (first_bytes(key(index)), index))
        .collect();
    order.sort_unstable_by(|(one_bytes, one), (other_bytes, other)| {
        one_bytes
            .cmp(other_bytes)
            .then_with(|| key(*one).cmp(key(*other)))
            .then(one.cmp(other))
    });
    order.into_iter().map(|(_, index)| index)
}

/// The first bytes of a key as a number, which is lower or greater only where the key is.
fn first_bytes(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().zip(key) {
        *place = *byte;
    }
    u128::from_be_bytes(bytes)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |count: u64, _| count.saturating_add(1))
}

#[cfg(test)]
mod tests;
