//! Parameters of requests, and headers of answers.

use serde_json::{Value, json};
use stemedb::limits::{PREDICATE_BYTES_MAX, SUBJECT_BYTES_MAX};

use super::schema::{name, reference, set};
use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, RETRY_AFTER_SECONDS};

/// A parameter of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Id,
    Number,
    Sequence,
    Subject,
    Prefix,
    Predicate,
    Limit,
    Cursor,
    Cursors,
    AsOf,
    MinSequence,
    IfNoneMatch,
    Since,
    Type,
    SubjectPrefix,
    LastEventId,
    Live,
    Offset,
    Bytes,
}

/// A header of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    RequestId,
    RetryAfter,
    Authenticate,
    Location,
    Etag,
    Cache,
    Policy,
}

impl Parameter {
    /// Its name, and where it stands.
    pub(super) const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Id => ("id", "path"),
            Self::Number => ("number", "path"),
            Self::Sequence => ("sequence", "path"),
            Self::Subject => ("subject", "path"),
            Self::Prefix => ("prefix", "query"),
            Self::Predicate => ("predicate", "query"),
            Self::Limit => ("limit", "query"),
            Self::Cursor => ("cursor", "query"),
            Self::Cursors => ("cursors", "query"),
            Self::AsOf => ("as_of", "query"),
            Self::MinSequence => ("min_sequence", "query"),
            Self::IfNoneMatch => ("if-none-match", "header"),
            Self::Since => ("since", "query"),
            Self::Type => ("type", "query"),
            Self::SubjectPrefix => ("subject_prefix", "query"),
            Self::LastEventId => ("last-event-id", "header"),
            Self::Live => ("live", "query"),
            Self::Offset => ("offset", "query"),
            Self::Bytes => ("bytes", "query"),
        }
    }

    pub(super) fn schema(self) -> Value {
        let sequence =
            || json!({"type": "integer", "format": "uint64", "minimum": 1, "maximum": u64::MAX});
        match self {
            Self::Id => reference("RecordId"),
            Self::Subject => name(SUBJECT_BYTES_MAX, "A subject."),
            Self::Prefix | Self::SubjectPrefix => json!({
                "type": "string",
                "maxLength": SUBJECT_BYTES_MAX,
                "pattern": "^[^\\u0000-\\u001f\\u007f]*$",
            }),
            Self::Predicate => name(PREDICATE_BYTES_MAX, "A predicate."),
            Self::Limit => json!({
                "type": "integer",
                "minimum": 1,
                "maximum": PAGE_ITEMS_MAX,
                "default": PAGE_ITEMS_DEFAULT,
            }),
            Self::Cursor => json!({"type": "string", "pattern": "^([0-9a-f]{2})+$"}),
            Self::Cursors => json!({"type": "boolean", "default": false}),
            Self::IfNoneMatch => json!({"type": "string"}),
            Self::AsOf | Self::MinSequence => sequence(),
            Self::Since | Self::LastEventId => json!({
                "type": "integer",
                "format": "uint64",
                "minimum": 0,
                "maximum": u64::MAX,
                "default": 0,
            }),
            Self::Live => json!({"type": "boolean", "default": true}),
            Self::Number | Self::Sequence | Self::Offset | Self::Bytes => {
                json!({"type": "integer", "format": "uint64", "minimum": 0, "maximum": u64::MAX})
            }
            Self::Type => json!({"enum": ["assertion", "vote", "epoch"]}),
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Id => "The id of the record.",
            Self::Number => "The number of the segment, from 1.",
            Self::Sequence => "The sequence of the record.",
            Self::Live => "`false` ends the feed when all is given that could be read as it began.",
            Self::Offset => {
                "Where in the segment the bytes begin: not behind those that are durable, which the list of segments names."
            }
            Self::Bytes => {
                "How many bytes at most; without it all that are durable, and there may be more of them with each request."
            }
            Self::Subject => "The name of the subject, percent-encoded.",
            Self::Prefix => "Only subjects whose names begin so.",
            Self::Predicate => "Only assertions of this property.",
            Self::Limit => "How many items the page has at most.",
            Self::Cursor => {
                "Where the page begins: `next_cursor` of the page before it, of the same list."
            }
            Self::Cursors => "Whether the page names the cursor of each item too.",
            Self::AsOf => "Only what had arrived by this sequence.",
            Self::MinSequence => {
                "Waits, a few seconds at most, until this sequence can be read: that of a write is seen by the reads that name it."
            }
            Self::Since => {
                "The sequence behind which the feed begins; 0 is before all, and it may not be beyond the last one."
            }
            Self::Type => "Only records of this type.",
            Self::SubjectPrefix => "Only assertions of subjects whose names begin so.",
            Self::LastEventId => {
                "What goes before `since`: browsers send it when they connect again."
            }
            Self::IfNoneMatch => {
                "ETags of what the client has: 304 without a body if the record is among them."
            }
        }
    }

    /// The parameter, with an example where there is one.
    pub(super) fn document(self, example: Option<&Value>) -> Value {
        let (name, place) = self.place();
        let mut document = json!({
            "name": name,
            "in": place,
            "description": self.text(),
            "required": place == "path",
            "schema": self.schema(),
        });
        if let Some(example) = example {
            set(&mut document, "example", example.clone());
        }
        document
    }
}

impl Header {
    const ALL: [Self; 7] = [
        Self::RequestId,
        Self::RetryAfter,
        Self::Authenticate,
        Self::Location,
        Self::Etag,
        Self::Cache,
        Self::Policy,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::RequestId => "x-request-id",
            Self::RetryAfter => "retry-after",
            Self::Authenticate => "www-authenticate",
            Self::Location => "location",
            Self::Etag => "etag",
            Self::Cache => "cache-control",
            Self::Policy => "content-security-policy",
        }
    }

    fn document(self) -> Value {
        let (text, schema) = match self {
            Self::RequestId => (
                "The id of the request: the one that it brought, if it is 1 to 128 visible characters of ASCII, or a new one.",
                json!({"type": "string", "pattern": "^[!-~]{1,128}$"}),
            ),
            Self::RetryAfter => (
                "Seconds after which the same request may succeed.",
                json!({"type": "integer", "minimum": RETRY_AFTER_SECONDS}),
            ),
            Self::Authenticate => ("How to say who asks.", json!({"const": "Bearer"})),
            Self::Location => (
                "Where the record is read.",
                json!({"type": "string", "pattern": "^/v1/records/[0-9a-f]{64}$"}),
            ),
            Self::Etag => (
                "The id of the record in quotation marks.",
                json!({"type": "string", "pattern": "^\"[0-9a-f]{64}\"$"}),
            ),
            Self::Cache => (
                "Records never change.",
                json!({"const": "max-age=31536000, immutable"}),
            ),
            Self::Policy => (
                "The page takes nothing from anywhere else.",
                json!({"type": "string"}),
            ),
        };
        json!({"description": text, "required": true, "schema": schema})
    }
}

/// All headers by their names.
pub(super) fn headers() -> Value {
    let all = Header::ALL.iter();
    let named = all.map(|header| (header.name().to_owned(), header.document()));
    Value::Object(named.collect())
}
