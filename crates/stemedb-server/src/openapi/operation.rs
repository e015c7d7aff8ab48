//! The operations: one row for each method of each route.

use serde_json::{Map, Value, json};

use super::{
    example::{self, Example},
    parameter::{Header, Parameter},
    schema::{reference, set},
};
use crate::route::{LIVE, Need, READY, needs};
use crate::token::Scope;
use crate::wire::Code;

use Code::{
    BadHeader, Corruption, CrossOrigin, Forbidden, Internal, Misdirected, NoSpace, RateLimited,
    RequestTimeout, ShuttingDown, Unauthenticated, Unavailable,
};

mod table;

pub(super) use table::{ALL, tags};

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
    body: Option<Body>,
    answers: &'static [Answer],
    /// With what it is refused, beside what any request can be refused with.
    codes: &'static [Code],
}

/// What a request brings.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// JSON of this schema.
    Json(&'static str),
    /// Lines of JSON, each of this schema.
    Lines(&'static str),
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
    /// Bytes of any kind.
    Bytes,
    /// Metrics in the text form of Prometheus.
    Text,
    /// Lines of JSON, each of this schema.
    Lines(&'static str),
    /// The same as lines, or as server-sent events.
    Feed(&'static str),
}

/// How lines of JSON are called.
const NDJSON: &str = "application/x-ndjson";

/// What any request may meet.
const ANY: [Code; 6] = [
    BadHeader,
    RequestTimeout,
    Unavailable,
    NoSpace,
    Corruption,
    Internal,
];

/// What any request may meet but the one for the life of the process.
const BUT_LIVE: [Code; 2] = [RateLimited, ShuttingDown];

/// What a request may meet that needs a token, or none because this machine alone reaches the server.
const GUARDED: [Code; 3] = [Unauthenticated, Forbidden, Misdirected];

/// The operations by their paths.
pub(super) fn paths() -> Map<String, Value> {
    let needs = needs();
    let mut paths = Map::new();
    for operation in ALL {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        let is_of = |need: &&Need| (need.path, need.method) == (operation.path, operation.method);
        // A row without a route does not come past the tests.
        let scope = needs.iter().find(is_of).and_then(|need| need.scope);
        set(path, operation.method, operation.document(scope));
    }
    paths
}

/// How a client says who it is.
pub(super) fn schemes() -> Value {
    json!({
        SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "stdb_ID_SECRET",
            "description": "A token of `stemedb token create`. Each operation names the scope that the token must have; \
                `admin` is all of them. A server that only its own machine reaches, and that has no tokens, asks for none.",
        },
    })
}

/// The name of the one scheme.
const SCHEME: &str = "bearer";

/// What an operation needs: a token, unless the server asks for none.
fn security(scope: Option<Scope>) -> Value {
    scope.map_or(json!([]), |scope| json!([{ SCHEME: [scope.name()] }, {}]))
}

impl Operation {
    fn document(&self, scope: Option<Scope>) -> Value {
        let example = example::of(self.id);
        let parameters = self.parameters.iter().map(|parameter| {
            let (name, _) = parameter.place();
            parameter.document(example.parameter(name))
        });
        let mut document = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "security": security(scope),
            "parameters": parameters.collect::<Vec<_>>(),
            "responses": self.responses(example, scope),
        });
        if !self.description.is_empty() {
            set(&mut document, "description", self.description);
        }
        if let Some(body) = self.body {
            let (kind, schema) = match body {
                Body::Json(schema) => ("application/json", reference(schema)),
                Body::Lines(line) => (NDJSON, lines(line)),
            };
            let mut content = json!({ "schema": schema });
            if let Some(example) = example.request() {
                set(&mut content, "example", example.clone());
            }
            let body = json!({"required": true, "content": { kind: content }});
            set(&mut document, "requestBody", body);
        }
        document
    }

    /// Everything that it may be refused with, by status.
    fn codes(&self, scope: Option<Scope>) -> Vec<Code> {
        let mut codes: Vec<_> = self.codes.iter().chain(&ANY).copied().collect();
        if self.path != LIVE {
            codes.extend(BUT_LIVE);
        }
        if scope.is_some() {
            codes.extend(GUARDED);
            if self.method != "get" {
                codes.push(CrossOrigin);
            }
        }
        codes.sort_by_key(|code| self.status(*code));
        codes
    }

    /// With which status it answers a code.
    fn status(&self, code: Code) -> u16 {
        match code {
            NoSpace | Corruption if self.path == READY => Unavailable.status(),
            _ => code.status(),
        }
    }

    fn responses(&self, example: Example, scope: Option<Scope>) -> Value {
        let answers = self.answers.iter().map(|answer| {
            let example = example.answer(answer.status);
            (answer.status.to_string(), answer.document(example))
        });
        let mut responses: Map<_, _> = answers.collect();
        let codes = self.codes(scope);
        for refused in codes.chunk_by(|one, next| self.status(*one) == self.status(*next)) {
            if let Some(first) = refused.first() {
                let status = self.status(*first);
                responses.insert(status.to_string(), problem(status, refused));
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
            Content::Lines(line) => (NDJSON, lines(line)),
            Content::Feed(line) => {
                let events = json!({"text/event-stream": {"schema": lines(line)}, NDJSON: {"schema": lines(line)}});
                set(&mut document, "content", events);
                return document;
            }
            Content::Html => ("text/html", json!({"type": "string"})),
            Content::Bytes => ("application/octet-stream", json!({})),
            Content::Text => ("text/plain", json!({"type": "string"})),
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

/// Text of which each line is JSON of one schema, which `x-line-schema` names: schemas cannot say it.
fn lines(name: &str) -> Value {
    json!({"type": "string", "contentMediaType": NDJSON, "x-line-schema": reference(name)})
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
fn problem(status: u16, codes: &[Code]) -> Value {
    let lines = codes
        .iter()
        .map(|code| format!("`{}`: {}.", code.name(), code.title()));
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    let own: &[Header] = if codes.contains(&Unauthenticated) {
        &[Header::Authenticate]
    } else if codes.iter().all(|code| code.is_passing()) {
        &[Header::RetryAfter]
    } else {
        &[]
    };
    let narrowed = json!({
        "allOf": [
            reference("Problem"),
            {"properties": {"code": {"enum": names}, "status": {"const": status}}},
        ],
    });
    json!({
        "description": lines.collect::<Vec<_>>().join("\n"),
        "headers": headers(own),
        "content": {"application/problem+json": {"schema": narrowed}},
    })
}
