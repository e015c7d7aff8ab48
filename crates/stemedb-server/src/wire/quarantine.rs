//! Records that could not be applied.

use serde::{Deserialize, Serialize};
use stemedb::{QuarantinedRecord, RecordId};
use utoipa::ToSchema;

use super::{Durability, Status, stored::time, text};
use crate::openapi::schema;

/// A record that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quarantined {
    /// Its sequence.
    pub sequence: u64,
    /// When it arrived, as RFC 3339 in UTC, by the clock of the machine that wrote the journal.
    pub arrived_at: String,
    /// Why it could not be applied.
    pub reason: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Its bytes in hex; lists leave them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// What became of a record that was taken out of quarantine: it was appended again. The entry in quarantine stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retried {
    /// Its id.
    #[serde(deserialize_with = "text::parse")]
    #[schema(value_type = schema::RecordId)]
    pub id: RecordId,
    /// The sequence under which it is stored.
    pub sequence: u64,
    /// What the answer waited for.
    pub durability: Durability,
    /// Whether it is new.
    pub status: Status,
}

impl Quarantined {
    /// The entry of a list.
    pub(crate) fn without_payload(entry: &QuarantinedRecord) -> Self {
        Self {
            sequence: entry.sequence.get(),
            arrived_at: time(entry.arrived_at_ms),
            reason: entry.reason.clone(),
            bytes: entry.payload.len() as u64,
            payload: None,
        }
    }
}

impl From<QuarantinedRecord> for Quarantined {
    fn from(entry: QuarantinedRecord) -> Self {
        Self {
            payload: Some(text::hex(&entry.payload)),
            ..Self::without_payload(&entry)
        }
    }
}

impl From<&stemedb::Receipt> for Retried {
    fn from(receipt: &stemedb::Receipt) -> Self {
        Self {
            id: receipt.id,
            sequence: receipt.sequence.get(),
            durability: receipt.durability.into(),
            status: receipt.status.into(),
        }
    }
}
