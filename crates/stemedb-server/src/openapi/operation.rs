//! The operations: one row for each method of each route.

use serde_json::{Map, Value, json};

use super::{
    example::{self, Example},
    parameter::{Header, Parameter},
    schema::{reference, set},
};
use crate::wire::Code;

use Code::{
    BadCursor, BadPath, BadQuery, BodyTooLarge, Corruption, Internal, InvalidJson, InvalidRecord,
    NotFound, NotYetApplied, RecordNotFound, RequestTimeout, ShuttingDown, Unavailable,
    UnsupportedMediaType,
};
use Parameter::{AsOf, Cursor, Id, IfNoneMatch, Limit, MinSequence, Predicate, Prefix, Subject};

/// A method of a route.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Its name in the document, and that of its example.
    pub(super) id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: &'static [Parameter],
    /// The schema of its body.
    body: Option<&'static str>,
    answers: &'static [Answer],
    /// With what it is refused, beside what any request can be refused with.
    codes: &'static [Code],
}

/// An answer that is no refusal.
#[derive(Debug)]
struct Answer {
    status: u16,
    text: &'static str,
    content: Content,
    headers: &'static [Header],
}

#[derive(Clone, Copy, Debug)]
enum Content {
    None,
    Json(&'static [&'static str]),
    /// JSON of any form.
    Document,
    Html,
}

/// What any request may meet.
const ANY: [Code; 5] = [
    RequestTimeout,
    ShuttingDown,
    Unavailable,
    Corruption,
    Internal,
];

const WRITE: &[Code] = &[
    InvalidJson,
    InvalidRecord,
    BodyTooLarge,
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

const STORE: &str = "The answer comes when what is stored is durable. The field `type` may be left out. \
    If one record of an array is invalid nothing is stored, and the answer names each that is.";

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
pub(super) const ALL: &[Operation] = &[
    Operation {
        method: "post",
        path: "/v1/assertions",
        id: "store_assertions",
        tag: "Records",
        summary: "Stores assertions",
        description: STORE,
        parameters: &[],
        body: Some("AssertionBody"),
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
        body: Some("VoteBody"),
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
        body: Some("EpochBody"),
        answers: STORED,
        codes: WRITE,
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
        parameters: &[Id, Limit, Cursor, AsOf, MinSequence],
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
        parameters: &[Prefix, Limit, Cursor, AsOf, MinSequence],
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
        parameters: &[Subject, Predicate, Limit, Cursor, AsOf, MinSequence],
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
        parameters: &[Limit, Cursor, AsOf, MinSequence],
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
pub(super) fn tags() -> Value {
    json!([
        {"name": "Records", "description": "Stored once, by the hash of what they say, and never changed."},
        {"name": "Assertions", "description": "What agents state of subjects, and who votes on it."},
        {"name": "Epochs", "description": "Periods or states of knowledge, each in the place of another."},
        {"name": "Database", "description": "Where it stands."},
        {"name": "Health", "description": "For whoever runs it. No token is needed."},
        {"name": "Documents", "description": "What you read. No token is needed."},
    ])
}

/// The operations by their paths.
pub(super) fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in ALL {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        set(path, operation.method, operation.document());
    }
    paths
}

impl Operation {
    fn document(&self) -> Value {
        let example = example::of(self.id);
        let parameters = self.parameters.iter().map(|parameter| {
            let (name, _) = parameter.place();
            parameter.document(example.parameter(name))
        });
        let mut document = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": parameters.collect::<Vec<_>>(),
            "responses": self.responses(example),
        });
        if !self.description.is_empty() {
            set(&mut document, "description", self.description);
        }
        if let Some(body) = self.body {
            let mut content = json!({"schema": reference(body)});
            if let Some(example) = example.request() {
                set(&mut content, "example", example.clone());
            }
            let body = json!({"required": true, "content": {"application/json": content}});
            set(&mut document, "requestBody", body);
        }
        document
    }

    fn responses(&self, example: Example) -> Value {
        let answers = self.answers.iter().map(|answer| {
            let example = example.answer(answer.status);
            (answer.status.to_string(), answer.document(example))
        });
        let mut responses: Map<_, _> = answers.collect();
        let mut codes: Vec<_> = self.codes.iter().chain(&ANY).copied().collect();
        codes.sort_by_key(|code| code.status());
        for refused in codes.chunk_by(|one, next| one.status() == next.status()) {
            if let Some(first) = refused.first() {
                responses.insert(first.status().to_string(), problem(*first, refused));
            }
        }
        Value::Object(responses)
    }
}

impl Answer {
    fn document(&self, example: Option<&Value>) -> Value {
        let mut document = json!({
            "description": self.text,
            "headers": headers(self.headers),
        });
        let (kind, schema) = match self.content {
            Content::None => return document,
            Content::Json([one]) => ("application/json", reference(one)),
            Content::Json(some) => {
                let some: Vec<_> = some.iter().map(|name| reference(name)).collect();
                ("application/json", json!({ "oneOf": some }))
            }
            Content::Html => ("text/html", json!({"type": "string"})),
            Content::Document => ("application/json", json!({"type": "object"})),
        };
        let mut content = json!({ "schema": schema });
        if let Some(example) = example {
            set(&mut content, "example", example.clone());
        }
        set(&mut document, "content", json!({ kind: content }));
        document
    }
}

fn headers(own: &[Header]) -> Value {
    let all = [Header::RequestId].into_iter().chain(own.iter().copied());
    let named = all.map(|header| {
        let name = header.name();
        let reference = json!({ "$ref": format!("#/components/headers/{name}") });
        (name.to_owned(), reference)
    });
    Value::Object(named.collect())
}

/// The refusals of one status.
fn problem(first: Code, codes: &[Code]) -> Value {
    let lines = codes
        .iter()
        .map(|code| format!("`{}`: {}.", code.name(), code.title()));
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    let own: &[Header] = if first.is_passing() {
        &[Header::RetryAfter]
    } else {
        &[]
    };
    let narrowed = json!({
        "allOf": [
            reference("Problem"),
            {"properties": {"code": {"enum": names}, "status": {"const": first.status()}}},
        ],
    });
    json!({
        "description": lines.collect::<Vec<_>>().join("\n"),
        "headers": headers(own),
        "content": {"application/problem+json": {"schema": narrowed}},
    })
}
