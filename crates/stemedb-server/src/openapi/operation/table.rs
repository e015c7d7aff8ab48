//! The table of operations.

use serde_json::{Value, json};

use super::{Answer, Body, Content, Operation};
use crate::openapi::parameter::{Header, Parameter};
use crate::wire::Code;

use Code::{
    BadCursor, BadPath, BadQuery, BodyTimeout, BodyTooLarge, InvalidEncoding, InvalidJson,
    InvalidRecord, NotFound, NotYetApplied, RecordNotFound, UnsupportedMediaType,
};
use Parameter::{
    AsOf, Bytes, Cursor, Cursors, Id, IfNoneMatch, LastEventId, Limit, Live, MinSequence, Number,
    Offset, Predicate, Prefix, Sequence, Since, Subject, SubjectPrefix, Type,
};

const WRITE: &[Code] = &[
    InvalidJson,
    InvalidRecord,
    InvalidEncoding,
    BodyTooLarge,
    BodyTimeout,
    UnsupportedMediaType,
    BadQuery,
];
const ONE: &[Code] = &[BadPath, NotFound, BadQuery, RecordNotFound, NotYetApplied];

const STORED: &[Answer] = &[
    Answer {
        status: 200,
        text: "All of it had been stored before: the answer names the ids and sequences that it has.",
        content: Content::Json(&["Receipt", "Receipts"]),
        headers: &[],
    },
    Answer {
        status: 201,
        text: "Stored and durable. An answer to one record has the headers `location` and `etag`.",
        content: Content::Json(&["Receipt", "Receipts"]),
        headers: &[],
    },
    Answer {
        status: 202,
        text: "Stored; the database is set to make records durable at intervals.",
        content: Content::Json(&["Receipt", "Receipts"]),
        headers: &[],
    },
];

const RETRIED: &[Answer] = &[
    Answer {
        status: 200,
        text: "It had been stored before: the answer names the id and the sequence that it has.",
        content: Content::Json(&["Retried"]),
        headers: &[],
    },
    Answer {
        status: 201,
        text: "Stored and durable.",
        content: Content::Json(&["Retried"]),
        headers: &[],
    },
    Answer {
        status: 202,
        text: "Stored; the database is set to make records durable at intervals.",
        content: Content::Json(&["Retried"]),
        headers: &[],
    },
];

const STORE: &str = "The answer comes when what is stored is durable. The field `type` may be left out. \
    If one record of an array is invalid nothing is stored, and the answer names each that is. \
    If the disk is full some records of a long array may be stored: \
    the answer names the first of those that are not.";

const RECORD: &[Answer] = &[
    Answer {
        status: 200,
        text: "The record.",
        content: Content::Json(&["StoredRecord"]),
        headers: &[Header::Etag, Header::Cache],
    },
    Answer {
        status: 304,
        text: "The client has it.",
        content: Content::None,
        headers: &[Header::Etag, Header::Cache],
    },
];

/// An answer of 200 with one schema and no headers of its own.
macro_rules! ok {
    ($schema:literal, $text:literal) => {
        &[Answer {
            status: 200,
            text: $text,
            content: Content::Json(&[$schema]),
            headers: &[],
        }]
    };
}

/// Every operation.
pub(in crate::openapi) const ALL: &[Operation] = &[
    Operation {
        method: "post",
        path: "/v1/assertions",
        id: "store_assertions",
        tag: "Records",
        summary: "Stores assertions",
        description: STORE,
        parameters: &[],
        body: Some(Body::Json("AssertionBody")),
        answers: STORED,
        codes: WRITE,
    },
    Operation {
        method: "post",
        path: "/v1/votes",
        id: "store_votes",
        tag: "Records",
        summary: "Stores votes",
        description: STORE,
        parameters: &[],
        body: Some(Body::Json("VoteBody")),
        answers: STORED,
        codes: WRITE,
    },
    Operation {
        method: "post",
        path: "/v1/epochs",
        id: "store_epochs",
        tag: "Records",
        summary: "Stores epochs",
        description: STORE,
        parameters: &[],
        body: Some(Body::Json("EpochBody")),
        answers: STORED,
        codes: WRITE,
    },
    Operation {
        method: "post",
        path: "/v1/records",
        id: "store_records",
        tag: "Records",
        summary: "Stores any number of records of any type, one on each line",
        description: "Lines are stored while they come, and each is answered by a line, in their order. The last line of the answer \
            has `end`; where it is missing, results are missing, and the lines behind the last result may be sent again. \
            The body may be compressed: `content-encoding` is `gzip` or `zstd`.",
        parameters: &[],
        body: Some(Body::Lines("Record")),
        answers: &[Answer {
            status: 200,
            text: "A result for each line, and the end.",
            content: Content::Lines("BulkLine"),
            headers: &[],
        }],
        codes: &[InvalidEncoding, BodyTimeout, UnsupportedMediaType, BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/records/{id}",
        id: "get_record",
        tag: "Records",
        summary: "Reads a record of any type",
        description: "A record never changes, and its ETag is its id.",
        parameters: &[Id, AsOf, MinSequence, IfNoneMatch],
        body: None,
        answers: RECORD,
        codes: ONE,
    },
    Operation {
        method: "get",
        path: "/v1/assertions/{id}",
        id: "get_assertion",
        tag: "Assertions",
        summary: "Reads an assertion",
        description: "A record of another type is not found here.",
        parameters: &[Id, AsOf, MinSequence, IfNoneMatch],
        body: None,
        answers: RECORD,
        codes: ONE,
    },
    Operation {
        method: "get",
        path: "/v1/assertions/{id}/votes",
        id: "list_votes",
        tag: "Assertions",
        summary: "Lists the votes on an assertion, with their sums",
        description: "Votes on an assertion that is not stored yet are shown; what nobody voted on and nobody stored is not found.",
        parameters: &[Id, Limit, Cursor, Cursors, AsOf, MinSequence],
        body: None,
        answers: ok!("VotePage", "A page of them, in the order of their ids."),
        codes: &[
            BadPath,
            NotFound,
            BadQuery,
            BadCursor,
            RecordNotFound,
            NotYetApplied,
        ],
    },
    Operation {
        method: "get",
        path: "/v1/subjects",
        id: "list_subjects",
        tag: "Assertions",
        summary: "Lists subjects, with the number of their assertions",
        description: "",
        parameters: &[Prefix, Limit, Cursor, Cursors, AsOf, MinSequence],
        body: None,
        answers: ok!(
            "SubjectPage",
            "A page of them, in the order of the bytes of their names."
        ),
        codes: &[BadQuery, BadCursor, NotYetApplied],
    },
    Operation {
        method: "get",
        path: "/v1/subjects/{subject}/assertions",
        id: "list_assertions",
        tag: "Assertions",
        summary: "Lists what is asserted of a subject",
        description: "Of a subject that nobody spoke of the list is empty.",
        parameters: &[
            Subject,
            Predicate,
            Limit,
            Cursor,
            Cursors,
            AsOf,
            MinSequence,
        ],
        body: None,
        answers: ok!(
            "RecordPage",
            "A page of them, by predicate and then in the order of their arrival."
        ),
        codes: &[BadPath, NotFound, BadQuery, BadCursor, NotYetApplied],
    },
    Operation {
        method: "get",
        path: "/v1/epochs",
        id: "list_epochs",
        tag: "Epochs",
        summary: "Lists epochs",
        description: "",
        parameters: &[Limit, Cursor, Cursors, AsOf, MinSequence],
        body: None,
        answers: ok!("RecordPage", "A page of them, in the order of their ids."),
        codes: &[BadQuery, BadCursor, NotYetApplied],
    },
    Operation {
        method: "get",
        path: "/v1/epochs/{id}",
        id: "get_epoch",
        tag: "Epochs",
        summary: "Reads an epoch, with those that it supersedes",
        description: "",
        parameters: &[Id, AsOf, MinSequence],
        body: None,
        answers: ok!("Chain", "The chain, from the epoch back."),
        codes: ONE,
    },
    Operation {
        method: "get",
        path: "/v1/stats",
        id: "get_stats",
        tag: "Database",
        summary: "Counts, sequences and bytes",
        description: "",
        parameters: &[],
        body: None,
        answers: ok!("Stats", "Where the database stands."),
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/journal/head",
        id: "get_journal_head",
        tag: "Database",
        summary: "The end of the journal",
        description: "Its hash commits to everything before it: keep it somewhere else, and it shows later that nothing was altered.",
        parameters: &[],
        body: None,
        answers: ok!("Head", "The end of the journal."),
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/changes",
        id: "get_changes",
        tag: "Database",
        summary: "Every record behind a sequence, and those that come later as they come",
        description: "Lines of JSON, or server-sent events where `accept` names them: their id is the sequence, their name the type \
            of the record. Heartbeats say how far the feed is. The last line has `end`, and the last event is named so; where it is \
            missing, the feed broke off. It goes on with `since` or `last-event-id`.",
        parameters: &[Since, Live, Type, SubjectPrefix, LastEventId],
        body: None,
        answers: &[Answer {
            status: 200,
            text: "The feed. It ends when the server does, when the token does that it was asked for with, or where `live` is false.",
            content: Content::Feed("ChangeLine"),
            headers: &[],
        }],
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/quarantine",
        id: "list_quarantine",
        tag: "Operation",
        summary: "Lists the records that could not be applied",
        description: "They are in the journal and durable. Such a record was written by a program whose rules this one does not share.",
        parameters: &[Limit, Cursor, Cursors, AsOf, MinSequence],
        body: None,
        answers: ok!(
            "QuarantinePage",
            "A page of them, in the order of their sequences, without their bytes."
        ),
        codes: &[BadQuery, BadCursor, NotYetApplied],
    },
    Operation {
        method: "get",
        path: "/v1/quarantine/{sequence}",
        id: "get_quarantined",
        tag: "Operation",
        summary: "Reads a record that could not be applied",
        description: "",
        parameters: &[Sequence, MinSequence],
        body: None,
        answers: ok!("Quarantined", "The record, with its bytes."),
        codes: ONE,
    },
    Operation {
        method: "post",
        path: "/v1/quarantine/{sequence}/retry",
        id: "retry_quarantined",
        tag: "Operation",
        summary: "Appends a record again that would apply now",
        description: "Its entry in quarantine stays. Where it still cannot be applied nothing is stored, and the answer says why.",
        parameters: &[Sequence],
        body: None,
        answers: RETRIED,
        codes: &[BadPath, NotFound, BadQuery, RecordNotFound, InvalidRecord],
    },
    Operation {
        method: "get",
        path: "/v1/backup",
        id: "get_backup",
        tag: "Operation",
        summary: "The segments of the journal, as far as they are durable",
        description: "A backup is made of their bytes, which whoever takes them verifies by the hashes: see `stemedb backup --url`.",
        parameters: &[],
        body: None,
        answers: ok!("Segments", "The segments."),
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/backup/segments/{number}",
        id: "get_segment",
        tag: "Operation",
        summary: "Bytes of a segment of the journal",
        description: "They are given as they lie on disk, and not verified.",
        parameters: &[Number, Offset, Bytes],
        body: None,
        answers: &[Answer {
            status: 200,
            text: "The bytes. An answer that is shorter than its head says broke off.",
            content: Content::Bytes,
            headers: &[],
        }],
        codes: &[BadPath, NotFound, BadQuery, RecordNotFound],
    },
    Operation {
        method: "get",
        path: "/healthz/live",
        id: "get_live",
        tag: "Health",
        summary: "Whether the process answers",
        description: "It does so while it shuts down too.",
        parameters: &[],
        body: None,
        answers: ok!("Readiness", "It does."),
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/healthz/ready",
        id: "get_ready",
        tag: "Health",
        summary: "Whether the database serves",
        description: "It reads from every engine, and asks whether writes are still made durable.",
        parameters: &[],
        body: None,
        answers: ok!("Readiness", "It does."),
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/openapi.json",
        id: "get_openapi",
        tag: "Documents",
        summary: "This document",
        description: "",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            text: "OpenAPI 3.1.",
            content: Content::Document,
            headers: &[],
        }],
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/metrics",
        id: "get_metrics",
        tag: "Health",
        summary: "What the server and its database are doing, for Prometheus",
        description: "",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            text: "The metrics, in the text form of Prometheus, version 0.0.4.",
            content: Content::Text,
            headers: &[],
        }],
        codes: &[BadQuery],
    },
    Operation {
        method: "get",
        path: "/v1/docs",
        id: "get_docs",
        tag: "Documents",
        summary: "This document as a page",
        description: "",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            text: "One page, without scripts and without anything from elsewhere.",
            content: Content::Html,
            headers: &[Header::Policy],
        }],
        codes: &[BadQuery],
    },
];

/// The parts of the document that readers look for.
pub(in crate::openapi) fn tags() -> Value {
    json!([
        {"name": "Records", "description": "Stored once, by the hash of what they say, and never changed."},
        {"name": "Assertions", "description": "What agents state of subjects, and who votes on it."},
        {"name": "Epochs", "description": "Periods or states of knowledge, each in the place of another."},
        {"name": "Database", "description": "Where it stands."},
        {"name": "Operation", "description": "For whoever runs it: what could not be applied, and backups."},
        {"name": "Health", "description": "For whoever runs it."},
        {"name": "Documents", "description": "What you read."},
    ])
}
