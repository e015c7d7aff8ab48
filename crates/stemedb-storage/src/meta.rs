//! What an engine knows of itself: versions, cursor, counts, checkpoint.

use crate::{
    cursor::{Counts, Cursor},
    engine::Pair,
    envelope,
    error::{Corruption, Damage, Error, Result, Versioned},
    guard::GuardedReader,
    key::{Key, MetaKey},
};

/// Version of keys, envelopes and their meaning that this program writes.
pub const STORE_FORMAT: u32 = 1;

/// Version of the rules by which records become entries.
///
/// Rebuilding with the same version gives an equal store; a newer version may admit what an older one
/// quarantined. Whoever changes the rules raises it.
pub const APPLY_VERSION: u32 = 1;

/// The versions that a store was created with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    store: u32,
    apply: u32,
}

impl Format {
    pub(crate) const CURRENT: Self = Self {
        store: STORE_FORMAT,
        apply: APPLY_VERSION,
    };

    pub(crate) fn encode(self) -> Vec<u8> {
        [self.store.to_le_bytes(), self.apply.to_le_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (store, apply) = bytes.split_first_chunk()?;
        Some(Self {
            store: u32::from_le_bytes(*store),
            apply: u32::from_le_bytes(apply.try_into().ok()?),
        })
    }

    fn check(self) -> Result<()> {
        let pairs = [
            (Versioned::StoreFormat, self.store, STORE_FORMAT),
            (Versioned::Apply, self.apply, APPLY_VERSION),
        ];
        for (what, found, supported) in pairs {
            if found > supported {
                return Err(Error::UnsupportedVersion {
                    what,
                    found,
                    supported,
                });
            }
        }
        Ok(())
    }
}

/// What was found in an engine when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) format: Option<Format>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) counts: Counts,
    pub(crate) checkpoint: Option<Cursor>,
    pub(crate) sync_failed: bool,
}

impl Notes {
    /// Reads what the engine knows of itself; refuses a newer version before anything else is read.
    pub(crate) fn read(reader: &GuardedReader) -> Result<Self> {
        let format = note(reader, MetaKey::Format, Format::decode)?;
        format.map_or(Ok(()), Format::check)?;
        Ok(Self {
            format,
            cursor: note(reader, MetaKey::Cursor, Cursor::decode)?,
            counts: note(reader, MetaKey::Counts, Counts::decode)?.unwrap_or_default(),
            checkpoint: note(reader, MetaKey::Checkpoint, Cursor::decode)?,
            sync_failed: note(reader, MetaKey::SyncFailed, |_| Some(()))?.is_some(),
        })
    }
}

/// The sealed entry of a note. It belongs to no record, hence sequence 0.
pub(crate) fn entry(meta: MetaKey, content: &[u8]) -> Pair {
    let key = Key::Meta(meta).encode();
    let envelope = envelope::seal(&key, 0, 0, content);
    (key.into(), envelope.into())
}

fn note<T>(
    reader: &GuardedReader,
    meta: MetaKey,
    decode: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>> {
    let key = Key::Meta(meta);
    let bytes = key.encode();
    let Some(envelope) = reader.get(&bytes)? else {
        return Ok(None);
    };
    let content = envelope::open_note(reader.engine(), &bytes, &envelope)?;
    let note = decode(&content).ok_or_else(|| Corruption {
        engine: reader.engine(),
        key: Some(key.to_string()),
        damage: Damage::Content,
    })?;
    Ok(Some(note))
}
