//! A view over the engines of a store.

use std::{
    iter,
    ops::Bound,
    sync::{Arc, Weak},
};

use stemedb_core::Sequence;

use crate::{
    cursor::{Counts, Cursor, reached},
    engine::{Isolation, Range, Reader},
    envelope::{self, Value},
    error::Result,
    guard::GuardedReader,
    key::{self, KeyKind, Role},
    store::{RawEntry, RawScan, Scan, Snapshot},
};

/// What a reader sees: views of the engines, taken together, and what was applied then.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) stream: Arc<GuardedReader>,
    pub(crate) small: Option<Arc<GuardedReader>>,
    pub(crate) isolation: Isolation,
    pub(crate) counts: Counts,
    pub(crate) cursor: Option<Cursor>,
}

/// Verifies the envelope that an engine gave for a key, and takes something out of it.
type Take<T> = fn(&'static str, &[u8], &[u8]) -> Result<T>;

impl View {
    fn reader(&self, kind: KeyKind) -> &GuardedReader {
        match (key::engine(kind), &self.small) {
            (Role::Small, Some(small)) => small,
            _ => &self.stream,
        }
    }

    /// Takes out of the envelope under a key what is asked for, if there is one, whatever its sequence.
    fn read<T>(&self, key: &[u8], take: Take<T>) -> Result<Option<T>> {
        key::check_bytes(key)?;
        let Some(kind) = KeyKind::of(key).filter(|kind| !kind.is_internal()) else {
            return Ok(None);
        };
        let reader = self.reader(kind);
        let envelope = reader.get(key)?;
        envelope
            .map(|envelope| take(reader.engine(), key, &envelope))
            .transpose()
    }

    /// What this view reads from and `newer` does not: whoever reads from it pins old data. Gives it while letting go of the view.
    pub(crate) fn replaced_by(&self, newer: &Self) -> Option<Weak<dyn Reader>> {
        let small = self.small.as_ref().zip(newer.small.as_ref());
        let mut readers = iter::once((&self.stream, &newer.stream)).chain(small);
        let (old, _) = readers.find(|(old, new)| !Arc::ptr_eq(old, new))?;
        Some(old.downgrade())
    }

    /// The highest sequence that this view shows.
    fn horizon(&self) -> u64 {
        match self.isolation {
            Isolation::Snapshot => u64::MAX,
            Isolation::Live => reached(self.cursor.as_ref()),
        }
    }
}

impl Snapshot for View {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let value = self.read(key, envelope::open)?;
        Ok(value.filter(|value| value.sequence.get() <= self.horizon()))
    }

    fn sequence(&self, key: &[u8]) -> Result<Option<Sequence>> {
        let sequence = self.read(key, envelope::sequence)?;
        Ok(sequence.filter(|sequence| sequence.get() <= self.horizon()))
    }

    fn scan(&self, prefix: &[u8], start: Bound<&[u8]>) -> Result<Scan> {
        let given = match start {
            Bound::Included(key) | Bound::Excluded(key) => Some(key),
            Bound::Unbounded => None,
        };
        for key in iter::once(prefix)
            .chain(given)
            .filter(|key| !key.is_empty())
        {
            key::check_bytes(key)?;
        }
        let horizon = self.horizon();
        let ranges: Vec<_> = KeyKind::ALL
            .into_iter()
            .filter(|kind| !kind.is_internal())
            .filter_map(|kind| Some((self.reader(kind).clone(), range_of(kind, prefix, start)?)))
            .collect();
        let entries = ranges
            .into_iter()
            .flat_map(|(reader, range)| values(&reader, range));
        Ok(Box::new(entries.filter(
            move |entry| !matches!(entry, Ok((_, value)) if value.sequence.get() > horizon),
        )))
    }

    fn scan_raw(&self) -> Result<RawScan> {
        let readers = iter::once(&self.stream).chain(&self.small);
        let scans = readers
            .map(|reader| reader.range(Range::ALL))
            .collect::<Result<Vec<_>>>()?;
        Ok(Box::new(scans.into_iter().flat_map(|pairs| {
            let engine = pairs.engine();
            pairs.map(move |pair| {
                pair.map(|(key, envelope)| RawEntry {
                    engine,
                    key: key.into_vec(),
                    envelope: envelope.into_vec(),
                })
            })
        })))
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }
}

fn values(reader: &GuardedReader, range: Range) -> Scan {
    match reader.range(range) {
        Err(error) => Box::new(iter::once(Err(error))),
        Ok(pairs) => {
            let engine = pairs.engine();
            Box::new(pairs.map(move |pair| {
                let (key, envelope) = pair?;
                let value = envelope::open(engine, &key, &envelope)?;
                Ok((key.into_vec(), value))
            }))
        }
    }
}

/// The keys of a kind that begin with `prefix` and come at or after `start`, or `None` if there can be none.
fn range_of(kind: KeyKind, prefix: &[u8], start: Bound<&[u8]>) -> Option<Range> {
    let tag = kind.tag();
    let prefix = if tag.starts_with(prefix) {
        &tag[..]
    } else if prefix.starts_with(&tag) {
        prefix
    } else {
        return None;
    };
    let start = match start {
        Bound::Included(key) | Bound::Excluded(key) if key >= prefix => start,
        _ => Bound::Included(prefix),
    };
    let end = successor(prefix);
    if let (Bound::Included(key) | Bound::Excluded(key), Some(end)) = (start, &end)
        && key >= &end[..]
    {
        return None;
    }
    Some(Range {
        start: start.map(<[u8]>::to_vec),
        end: end.map_or(Bound::Unbounded, Bound::Excluded),
    })
}

/// The smallest bytes above everything that begins with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests;
