//! Entries: what is stored, encoded and sealed before it comes to a store.
//!
//! Millions of them are made, and they are handed from thread to thread: those of one [`Sealer`] lie in one piece of memory, which is
//! allocated once and freed once.

use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};

use stemedb_core::Sequence;

use crate::{
    engine::{Bytes, Pair},
    envelope::{self, ENVELOPE_BYTES},
    error::Result,
    key::{self, Key, KeyKind},
};

#[cfg(test)]
mod tests;

/// The record that an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its sequence.
    pub sequence: Sequence,
    /// When it arrived: Unix milliseconds.
    pub arrived_at_ms: u64,
}

/// One entry to be stored: its key, and its content in an envelope.
///
/// There is none whose key a store could not hold, or whose envelope would not verify.
#[derive(Clone)]
pub struct Entry {
    whole: Arc<Vec<u8>>,
    place: Place,
}

/// Where an entry lies: the key, then the envelope.
#[derive(Clone, Copy, Debug)]
struct Place {
    kind: KeyKind,
    sequence: Sequence,
    start: usize,
    key_end: usize,
    end: usize,
}

impl Entry {
    /// Encodes and seals an entry that stands alone; for many there is [`Sealer`].
    ///
    /// # Errors
    ///
    /// As [`Sealer::put`].
    pub fn new(key: &Key, origin: Origin, content: &[u8]) -> Result<Self> {
        let mut sealer = Sealer::default();
        let place = sealer.seal(key, origin, content)?;
        Ok(Self {
            whole: Arc::new(sealer.bytes),
            place,
        })
    }

    /// Which kind of key it has.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.place.kind
    }

    /// The sequence of the record that it comes from.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.place.sequence
    }

    /// The bytes of its key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        let Place { start, key_end, .. } = self.place;
        self.whole.get(start..key_end).unwrap_or_default()
    }

    /// Its envelope.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        let Place { key_end, end, .. } = self.place;
        self.whole.get(key_end..end).unwrap_or_default()
    }

    /// What an engine gets of it.
    pub(crate) fn into_pair(self) -> Pair {
        let Place {
            start,
            key_end,
            end,
            ..
        } = self.place;
        let key = Bytes::part(Arc::clone(&self.whole), start..key_end);
        (key, Bytes::part(self.whole, key_end..end))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.envelope() == other.envelope()
    }
}

impl Eq for Entry {}

impl Debug for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &key::text(self.key()))
            .field("envelope", &self.envelope())
            .finish()
    }
}

/// Encodes and seals entries, one behind the other in one piece of memory.
#[derive(Debug, Default)]
pub struct Sealer {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Sealer {
    /// A sealer that needs no more memory before it holds so many entries, with so many bytes of keys and contents.
    #[must_use]
    pub fn with_room_for(entries: usize, bytes: usize) -> Self {
        let envelopes = entries.saturating_mul(ENVELOPE_BYTES);
        Self {
            bytes: Vec::with_capacity(bytes.saturating_add(envelopes)),
            places: Vec::with_capacity(entries),
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// `MalformedKey` for a name with a zero byte in it, `KeyTooLong`; then nothing is added.
    pub fn put(&mut self, key: &Key, origin: Origin, content: &[u8]) -> Result<()> {
        let place = self.seal(key, origin, content)?;
        self.places.push(place);
        Ok(())
    }

    /// Adds an entry under [`Key::Subject`], with the sequence of its record, without an allocation for the names.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn put_subject(
        &mut self,
        (subject, predicate): (&str, &str),
        origin: Origin,
        content: &[u8],
    ) -> Result<()> {
        key::check_names(subject, predicate, origin.sequence)?;
        let start = self.bytes.len();
        key::subject_into((subject, predicate, origin.sequence), &mut self.bytes);
        let place = self.seal_behind((start, KeyKind::Subject), origin, content)?;
        self.places.push(place);
        Ok(())
    }

    /// How many entries it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The entries, in the order in which they were added.
    #[must_use]
    pub fn finish(self) -> Vec<Entry> {
        let whole = Arc::new(self.bytes);
        let entry = |place| Entry {
            whole: Arc::clone(&whole),
            place,
        };
        self.places.into_iter().map(entry).collect()
    }

    fn seal(&mut self, key: &Key, origin: Origin, content: &[u8]) -> Result<Place> {
        key.check()?;
        let start = self.bytes.len();
        key.encode_into(&mut self.bytes);
        self.seal_behind((start, key.kind()), origin, content)
    }

    /// Seals the content behind its key, which begins at `start` and is of this kind.
    fn seal_behind(
        &mut self,
        (start, kind): (usize, KeyKind),
        origin: Origin,
        content: &[u8],
    ) -> Result<Place> {
        let key = self.bytes.get(start..).unwrap_or_default();
        if let Err(error) = key::check_bytes(key) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let key_end = self.bytes.len();
        let sequence = origin.sequence.get();
        let head = (sequence, origin.arrived_at_ms);
        envelope::seal_behind(&mut self.bytes, start, head, content);
        Ok(Place {
            kind,
            sequence: origin.sequence,
            start,
            key_end,
            end: self.bytes.len(),
        })
    }
}
