//! What opening a store decides: go on, or refuse and have it rebuilt.
//!
//! [`judge`] is the decision as a pure function of what was found in the engines.

use std::{iter, ops::Bound, sync::Arc};

use crate::{
    applier::{Applier, Opened},
    cursor::{Cursor, reached},
    engine::{Level, Range},
    envelope,
    error::{Corruption, Damage, Error, RebuildReason, Result},
    guard::{Fuse, Guarded, GuardedReader},
    key::{Key, KeyKind, MetaKey},
    meta::{self, Format, Notes},
};

/// Makes a store of two engines, or refuses.
pub(crate) fn pair(stream: Guarded, small: Guarded, fuse: Arc<Fuse>) -> Result<Applier> {
    let names = Names {
        stream: stream.name(),
        small: small.name(),
    };
    let of_stream = inspect(&stream)?;
    let small_notes = damaged(small.reader().and_then(|reader| Notes::read(&reader)))?;
    judge(names, &of_stream, Some(&small_notes))?;
    damaged(take_stock(&small, &small_notes))?;
    // Durability: the stream engine gets its format first. As long as the small one has none, nothing was
    // ever applied, and opening again completes an interrupted creation.
    create(&stream, &of_stream.notes)?;
    create(&small, &small_notes)?;
    let stream = Opened {
        engine: stream,
        notes: of_stream.notes,
    };
    let small = Opened {
        engine: small,
        notes: small_notes,
    };
    Applier::new(stream, Some(small), fuse)
}

/// Makes a store of one engine, or refuses.
#[cfg(feature = "sled")]
pub(crate) fn single(engine: Guarded, fuse: Arc<Fuse>) -> Result<Applier> {
    let names = Names {
        stream: engine.name(),
        small: engine.name(),
    };
    let found = inspect(&engine)?;
    judge(names, &found, None)?;
    create(&engine, &found.notes)?;
    Applier::new(
        Opened {
            engine,
            notes: found.notes,
        },
        None,
        fuse,
    )
}

/// What was found in the engine that holds the stream.
#[derive(Clone, Debug, Default)]
struct Found {
    notes: Notes,
    /// Up to where the chain of applied batches goes without a hole.
    chain: Chain,
}

/// The chain of applied batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chain {
    /// The last sequence that is reached without a hole.
    whole_to: u64,
    /// Where the batch behind the first hole begins.
    hole: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Names {
    stream: &'static str,
    small: &'static str,
}

fn judge(names: Names, stream: &Found, small: Option<&Notes>) -> Result<(), RebuildReason> {
    let Found { notes, chain } = stream;
    if small.is_some_and(|small| small.sync_failed) || notes.sync_failed {
        return Err(RebuildReason::SyncFailed {
            engine: names.stream,
        });
    }
    let has_content = notes.cursor.is_some() || *chain != Chain::default();
    if notes.format.is_none() && has_content {
        return Err(RebuildReason::ContentLost {
            engine: names.stream,
        });
    }
    if let Some(small) = small {
        judge_pair(names, notes, small)?;
    }
    let cursor = reached(notes.cursor.as_ref());
    let found = match chain.hole {
        Some(found) => found,
        None if chain.whole_to != cursor => cursor.saturating_add(1),
        None => return Ok(()),
    };
    Err(RebuildReason::Hole {
        expected: chain.whole_to.saturating_add(1),
        found,
    })
}

fn judge_pair(names: Names, stream: &Notes, small: &Notes) -> Result<(), RebuildReason> {
    let small_is_new = small.format.is_none();
    if small_is_new && (stream.cursor.is_some() || small.cursor.is_some()) {
        return Err(RebuildReason::ContentLost {
            engine: names.small,
        });
    }
    let found = reached(stream.cursor.as_ref());
    if let Some(Cursor {
        sequence: checkpoint,
        ..
    }) = small.checkpoint
        && found < checkpoint.get()
    {
        let engine = names.stream;
        return Err(RebuildReason::BehindCheckpoint {
            engine,
            found,
            checkpoint,
        });
    }
    let journals = [stream.cursor, small.cursor, small.checkpoint].map(journal);
    let mut journals = journals.into_iter().flatten();
    let first = journals.next();
    if journals.any(|journal| Some(journal) != first) {
        return Err(RebuildReason::JournalsDiffer);
    }
    Ok(())
}

fn journal(cursor: Option<Cursor>) -> Option<[u8; 16]> {
    cursor.map(|cursor| cursor.journal)
}

fn inspect(engine: &Guarded) -> Result<Found> {
    let reader = damaged(engine.reader())?;
    let notes = damaged(Notes::read(&reader))?;
    let chain = damaged(walk(&reader))?;
    Ok(Found { notes, chain })
}

/// Walks the chain of applied batches from sequence 1 to its end or its first hole.
fn walk(reader: &GuardedReader) -> Result<Chain> {
    let [tag, colon] = KeyKind::Batch.tag();
    let range = Range {
        start: Bound::Included(vec![tag, colon]),
        end: Bound::Excluded(vec![tag, colon.saturating_add(1)]),
    };
    let mut chain = Chain::default();
    for pair in reader.range(range)? {
        let (key, envelope) = pair?;
        let (first, last) = link(reader.engine(), &key, &envelope)?;
        if first != chain.whole_to.saturating_add(1) {
            chain.hole = Some(first);
            break;
        }
        chain.whole_to = last;
    }
    Ok(chain)
}

fn link(engine: &'static str, key: &[u8], envelope: &[u8]) -> Result<(u64, u64)> {
    let value = envelope::open(engine, key, envelope)?;
    let last = value.content.try_into().map(u64::from_le_bytes);
    match (Key::decode(key), last) {
        (Ok(Key::Batch(first)), Ok(last)) if last >= first.get() => Ok((first.get(), last)),
        _ => {
            let key = Some(crate::key::text(key));
            Err(Corruption {
                engine,
                key,
                damage: Damage::Content,
            }
            .into())
        }
    }
}

/// Looks at every entry of the small engine, and finds each by its key.
///
/// The engine verifies nothing on a read: a flipped bit in a key makes an entry unfindable without a word.
fn take_stock(small: &Guarded, notes: &Notes) -> Result<()> {
    let reader = small.reader()?;
    let [tag, colon] = KeyKind::Epoch.tag();
    let range = Range {
        start: Bound::Included(vec![tag, colon]),
        end: Bound::Excluded(vec![tag, colon.saturating_add(1)]),
    };
    let (mut found, counted) = (0, notes.counts.epochs);
    for pair in reader.range(range)? {
        let (key, envelope) = pair?;
        envelope::verify(reader.engine(), &key, &envelope)?;
        let is_found = reader.get(&key)?.is_some_and(|again| again == envelope);
        found += u64::from(is_found);
    }
    if found == counted {
        return Ok(());
    }
    let engine = small.name();
    Err(RebuildReason::Miscounted {
        engine,
        counted,
        found,
    }
    .into())
}

/// Writes the versions into an engine that has none.
fn create(engine: &Guarded, notes: &Notes) -> Result<()> {
    if notes.format.is_some() {
        return Ok(());
    }
    let format = meta::entry(MetaKey::Format, &Format::CURRENT.encode());
    engine.commit(iter::once(format).collect(), Level::Durable)
}

/// Damage in an engine's notes on itself means that nothing else in it can be trusted. An I/O error is none: it may be gone the next time.
fn damaged<T>(outcome: Result<T>) -> Result<T> {
    outcome.map_err(|error| match error {
        Error::Corruption(corruption) => RebuildReason::Damaged(*corruption).into(),
        Error::EngineFailed { engine, source } if !source.is::<std::io::Error>() => {
            RebuildReason::Unopenable { engine, source }.into()
        }
        error => error,
    })
}

#[cfg(test)]
mod tests;
