//! What a write is answered with.

use serde::{Deserialize, Serialize};
use stemedb::RecordId;
use utoipa::ToSchema;

use super::text;
use crate::openapi::schema;

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Its id.
    #[serde(deserialize_with = "text::parse")]
    #[schema(value_type = schema::RecordId)]
    pub id: RecordId,
    /// `assertion`, `vote` or `epoch`.
    pub r#type: String,
    /// The sequence of its first arrival.
    pub sequence: u64,
    /// What the answer waited for.
    pub durability: Durability,
    /// Whether it is new.
    pub status: Status,
}

/// What became of the records of an array, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipts {
    /// One for each record.
    pub results: Vec<Receipt>,
}

/// What an acknowledgement waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// For the fsync.
    Sync,
    /// For the write alone, which is synced at intervals.
    Interval,
}

/// Whether a record was stored by this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was.
    Stored,
    /// It had been before.
    AlreadyStored,
}

impl Receipt {
    /// The answer for a record of this type.
    pub(crate) fn new(record_type: &str, receipt: &stemedb::Receipt) -> Self {
        Self {
            id: receipt.id,
            r#type: record_type.to_owned(),
            sequence: receipt.sequence.get(),
            durability: receipt.durability.into(),
            status: receipt.status.into(),
        }
    }
}

impl From<stemedb::Durability> for Durability {
    fn from(durability: stemedb::Durability) -> Self {
        match durability {
            stemedb::Durability::Sync => Self::Sync,
            stemedb::Durability::Interval(_) => Self::Interval,
        }
    }
}

impl From<stemedb::Status> for Status {
    fn from(status: stemedb::Status) -> Self {
        match status {
            stemedb::Status::Stored => Self::Stored,
            stemedb::Status::AlreadyStored => Self::AlreadyStored,
        }
    }
}
