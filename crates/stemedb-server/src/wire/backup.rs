//! What there is of the journal to back up.

use serde::{Deserialize, Serialize};
use stemedb::{StoreKind, backup};
use utoipa::ToSchema;

/// What there is to back up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Segments {
    /// The journal's identity.
    pub journal: String,
    /// The kind of store that a restored database gets: `hybrid` or `sled`.
    pub store: String,
    /// The segments in order; there is at least one.
    pub segments: Vec<Segment>,
}

/// How far a segment of the journal is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// Its number; they are dense, from 1.
    pub number: u64,
    /// Bytes that are durable, from the beginning of the segment.
    pub bytes: u64,
    /// Whether it will never grow.
    pub is_sealed: bool,
    /// Last sequence in it or before it, 0 where there is none.
    pub last_sequence: u64,
    /// Hash of its last group, in hex: it commits to everything before.
    pub end_hash: String,
}

impl From<backup::Segments> for Segments {
    fn from(segments: backup::Segments) -> Self {
        let segment = |segment: backup::Segment| Segment {
            number: segment.number,
            bytes: segment.bytes,
            is_sealed: segment.is_sealed,
            last_sequence: segment.last_sequence,
            end_hash: segment.end_hash,
        };
        Self {
            journal: segments.journal,
            store: segments.store.to_string(),
            segments: segments.segments.into_iter().map(segment).collect(),
        }
    }
}

impl Segments {
    /// The same for a [`BackupWriter`](backup::BackupWriter); `None` where it names a store that is not known here.
    #[must_use]
    pub fn to_backup(&self) -> Option<backup::Segments> {
        let segment = |segment: &Segment| backup::Segment {
            number: segment.number,
            bytes: segment.bytes,
            is_sealed: segment.is_sealed,
            last_sequence: segment.last_sequence,
            end_hash: segment.end_hash.clone(),
        };
        Some(backup::Segments {
            journal: self.journal.clone(),
            store: self.store.parse::<StoreKind>().ok()?,
            segments: self.segments.iter().map(segment).collect(),
        })
    }
}
