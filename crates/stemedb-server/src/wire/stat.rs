//! Where the database stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts, sequences and bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Assertions that are stored.
    pub assertions: u64,
    /// Votes that are stored.
    pub votes: u64,
    /// Epochs that are stored.
    pub epochs: u64,
    /// Records that could not be applied.
    pub quarantined: u64,
    /// The last sequence that is durable, 0 where there is none.
    pub durable_sequence: u64,
    /// The last sequence that can be read, 0 where there is none.
    pub applied_sequence: u64,
    /// The journal.
    pub journal: Journal,
    /// The store.
    pub store: Store,
}

/// Where the journal stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Journal {
    /// Its identity.
    pub id: String,
    /// Hash of its last group with records; `null` where there are no records.
    pub head_hash: Option<String>,
    /// How many segments it has.
    pub segments: u64,
    /// Bytes of its groups.
    pub bytes: u64,
}

/// What the store takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Store {
    /// Its kind.
    pub kind: String,
    /// Bytes of its files.
    pub bytes: u64,
}

/// The end of the journal, which commits to everything before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// The identity of the journal.
    pub journal: String,
    /// The last sequence that is durable, 0 where there is none.
    pub sequence: u64,
    /// Hash of the last group with records; `null` where there are none.
    pub hash: Option<String>,
}

/// That the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `live`, `ready`, or `stalled` where records are accepted, and applied later than usual.
    pub status: String,
    /// What stalls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl From<&stemedb::Stats> for Stats {
    fn from(stats: &stemedb::Stats) -> Self {
        Self {
            assertions: stats.counts.assertions,
            votes: stats.counts.votes,
            epochs: stats.counts.epochs,
            quarantined: stats.counts.quarantined,
            durable_sequence: stats.durable_sequence,
            applied_sequence: stats.applied_sequence,
            journal: Journal {
                id: stats.journal.id.clone(),
                head_hash: stats.journal.head_hash.clone(),
                segments: stats.journal.segments,
                bytes: stats.journal.bytes,
            },
            store: Store {
                kind: stats.store.kind.to_owned(),
                bytes: stats.store.bytes,
            },
        }
    }
}

impl From<stemedb::JournalHead> for Head {
    fn from(head: stemedb::JournalHead) -> Self {
        Self {
            journal: head.journal,
            sequence: head.sequence,
            hash: head.hash,
        }
    }
}
