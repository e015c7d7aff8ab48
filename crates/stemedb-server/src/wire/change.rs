//! What a feed of changes is made of. As NDJSON each is a line; as server-sent events records and the end are the data of an event.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Code, StoredRecord};
use crate::openapi::schema;

/// One line of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ChangeLine {
    /// A record.
    #[schema(value_type = schema::StoredRecord)]
    Record(Box<StoredRecord>),
    /// The last line.
    End(ChangeEnd),
    /// That the feed lives.
    Heartbeat(Heartbeat),
}

/// That a feed lives, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Always true.
    pub heartbeat: bool,
    /// The last sequence that can be read, 0 where there is none.
    pub applied_sequence: u64,
    /// What goes on behind here, as the parameter `since`.
    pub next_since: u64,
}

/// The end of a feed. Where it is missing, the feed broke off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEnd {
    /// Always true.
    pub end: bool,
    /// Why it goes no further; missing where everything was given that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// The same in words.
    pub detail: String,
    /// What goes on behind here, as the parameter `since`.
    pub next_since: u64,
}
