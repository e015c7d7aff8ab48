//! Stored records, and lists of them.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};
use stemedb::{Record, RecordId, Sequence, Stored};
use utoipa::ToSchema;

use super::text;
use crate::openapi::schema;

/// A stored record: what the database knows of it, and the fields of the record beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredRecord {
    /// Its id.
    pub id: RecordId,
    /// The sequence of its first arrival.
    pub sequence: Sequence,
    /// When it arrived, as RFC 3339 in UTC, by the clock of the machine that wrote the journal.
    pub arrived_at: String,
    /// What it says, its `type` included.
    #[serde(flatten)]
    pub record: Record,
}

impl From<Stored> for StoredRecord {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            sequence: stored.sequence,
            arrived_at: time(stored.arrived_at_ms),
            record: stored.record,
        }
    }
}

impl<'de> Deserialize<'de> for StoredRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        Self::from_fields(fields).map_err(D::Error::custom)
    }
}

impl StoredRecord {
    /// Takes what the database adds; the rest has to be a record, which is read as strictly as any.
    fn from_fields(mut fields: Map<String, Value>) -> Result<Self, String> {
        let mut take = |name: &str| fields.remove(name).ok_or(format!("{name}: missing"));
        let known: Known = serde_json::from_value(Value::Object(Map::from_iter([
            ("id".to_owned(), take("id")?),
            ("sequence".to_owned(), take("sequence")?),
            ("arrived_at".to_owned(), take("arrived_at")?),
        ])))
        .map_err(|error| error.to_string())?;
        let line = Value::Object(fields).to_string();
        Ok(Self {
            id: known.id,
            sequence: Sequence::new(known.sequence).ok_or("sequence: sequences begin at 1")?,
            arrived_at: known.arrived_at,
            record: Record::from_json(line.as_bytes()).map_err(|error| error.to_string())?,
        })
    }
}

/// What the database adds to a record.
#[derive(Deserialize)]
struct Known {
    #[serde(deserialize_with = "text::parse")]
    id: RecordId,
    sequence: u64,
    arrived_at: String,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// What goes on behind them, as the parameter `cursor`; `null` at the end of the list.
    pub next_cursor: Option<String>,
    /// What goes on behind each of the items, in their order; where `cursors` asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<String>,
}

/// A part of the votes on an assertion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VotePage {
    /// The votes, in the order of their ids.
    #[schema(value_type = Vec<schema::StoredRecord>)]
    pub items: Vec<StoredRecord>,
    /// What goes on behind them, as the parameter `cursor`; `null` at the end of the list.
    pub next_cursor: Option<String>,
    /// What goes on behind each of the items, in their order; where `cursors` asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<String>,
    /// Sums over all votes on the assertion, whatever the page.
    pub totals: VoteTotals,
}

/// Sums over the votes on an assertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VoteTotals {
    /// How many there are.
    pub count: u64,
    /// How many have a weight above 0.
    pub r#for: u64,
    /// How many have a weight below 0.
    pub against: u64,
    /// The sum of all weights, rounded once.
    pub weight_sum: f64,
}

/// An epoch with what it supersedes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    /// The epoch, then the one that it supersedes, and so on as far as they are stored.
    #[schema(value_type = Vec<schema::StoredRecord>)]
    pub items: Vec<StoredRecord>,
    /// The epoch at the end of the chain that is not stored yet, if there is one.
    pub missing: Option<String>,
    /// The epoch at which a long chain goes on: ask for it next. Null where the chain is whole.
    pub next: Option<String>,
}

/// A subject, and how much is asserted of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectCount {
    /// Its name.
    pub subject: String,
    /// How many assertions there are.
    pub assertions: u64,
}

impl From<stemedb::SubjectCount> for SubjectCount {
    fn from(count: stemedb::SubjectCount) -> Self {
        Self {
            subject: count.subject.as_str().to_owned(),
            assertions: count.assertions,
        }
    }
}

/// `ms` since the Unix epoch as RFC 3339 in UTC with milliseconds.
pub(super) fn time(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match time {
        Some(time) => format!("{time:.3}"),
        // Beyond the year 9999 there is no RFC 3339.
        None => format!("{ms} ms after 1970"),
    }
}
