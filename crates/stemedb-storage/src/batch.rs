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
    /// Entries and the engine's notes come in the order of their keys, each key once. What is of another scope stays.
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
        let mut own = Vec::with_capacity(self.entries.len());
        for entry in mem::take(&mut self.entries) {
            if !scope.holds(entry.kind()) {
                self.entries.push(entry);
            } else if entry.sequence().get() > done {
                own.push(entry);
            }
        }
        if own.is_empty() && !scope.has_chain() {
            return None;
        }
        let counts = self.counts_with(&own, (scope, done), counts);
        let notes = self.notes((scope, done), &counts);
        Some(Share {
            writes: merge(own, notes),
            counts,
        })
    }

    /// What an engine holds when these entries of the batch are added to it.
    fn counts_with(
        &self,
        own: &[Entry],
        (scope, done): (Scope, u64),
        mut counts: Counts,
    ) -> Counts {
        for entry in own {
            let counted = match entry.kind() {
                KeyKind::Assertion => &mut counts.assertions,
                KeyKind::VoteIndex => &mut counts.votes,
                KeyKind::Epoch => &mut counts.epochs,
                KeyKind::Quarantine => &mut counts.quarantined,
                KeyKind::Vote | KeyKind::Subject | KeyKind::Batch | KeyKind::Meta => continue,
            };
            *counted = counted.saturating_add(1);
        }
        if scope.has_chain() {
            let is_new = |sequence: &&Sequence| sequence.get() > done;
            let duplicates = count(self.duplicates.iter().filter(is_new));
            counts.duplicates = counts.duplicates.saturating_add(duplicates);
        }
        counts
    }

    /// What an engine notes of the batch, in the order of the keys.
    fn notes(&self, (scope, done): (Scope, u64), counts: &Counts) -> Vec<Pair> {
        let link = scope.has_chain().then(|| self.link(done));
        let counts = meta::entry(MetaKey::Counts, &counts.encode());
        let cursor = meta::entry(MetaKey::Cursor, &self.cursor.encode());
        link.into_iter().chain([counts, cursor]).collect()
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

/// Entries, in any order, and notes, in that of their keys, as pairs in the order of their keys. Of entries with one key the last is left.
fn merge(own: Vec<Entry>, notes: Vec<Pair>) -> Vec<Pair> {
    let mut writes = Vec::with_capacity(own.len().saturating_add(notes.len()));
    let order = in_order(&own);
    let mut own: Vec<_> = own.into_iter().map(Some).collect();
    let mut notes = notes.into_iter().peekable();
    for (bytes, index) in order {
        // Notes are of other kinds than entries, so that the first bytes tell them apart.
        while let Some(note) = notes.next_if(|(key, _)| first_bytes(key) < bytes) {
            writes.push(note);
        }
        let entry = own.get_mut(index).and_then(Option::take);
        writes.extend(entry.map(Entry::into_pair));
    }
    writes.extend(notes);
    writes
}

/// The places of entries in the order of their keys, with the first bytes of these; of those with one key, the last.
///
/// Most keys are told apart by a number made of their first bytes: the keys themselves lie all over the memory.
fn in_order(entries: &[Entry]) -> Vec<(u128, usize)> {
    let key = |index: usize| entries.get(index).map_or(&[][..], Entry::key);
    let mut order: Vec<_> = (0..entries.len())
        .map(|index| (first_bytes(key(index)), index))
        .collect();
    order.sort_unstable_by(|(one_bytes, one), (other_bytes, other)| {
        one_bytes
            .cmp(other_bytes)
            .then_with(|| key(*one).cmp(key(*other)))
            .then(one.cmp(other))
    });
    order.dedup_by(|later, kept| {
        let is_same = later.0 == kept.0 && key(later.1) == key(kept.1);
        if is_same {
            *kept = *later;
        }
        is_same
    });
    order
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
