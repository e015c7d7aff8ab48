//! The OpenAPI document: what every route takes and answers.
//!
//! Its operations are one table ([`operation`]); the schemas of answers come from the types of [`wire`](crate::wire), and the examples are what the
//! server answers, which a test sees to.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value, json};

mod example;
mod operation;
pub(crate) mod page;
mod parameter;
pub(crate) mod schema;

#[cfg(test)]
mod tests;

/// The document.
#[derive(Debug, Serialize)]
struct Document {
    openapi: &'static str,
    info: Value,
    tags: Value,
    paths: Map<String, Value>,
    components: Value,
}

static JSON: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
});

/// The document as JSON.
pub(crate) fn json() -> &'static str {
    &JSON
}

fn document() -> Document {
    Document {
        openapi: "3.1.0",
        info: json!({
            "title": "StemeDB",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A database for claims: who said what, from which source, how sure, and never overwritten.",
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE")},
        }),
        tags: operation::tags(),
        paths: operation::paths(),
        components: json!({
            "schemas": schema::all(),
            "headers": parameter::headers(),
            "securitySchemes": operation::schemes(),
        }),
    }
}

const DESCRIPTION: &str = "\
An answer of 201 or 200 to a write is an acknowledgement: it waited for what its `durability` says. \
A retry is harmless: the id of a record is the hash of what it says, so that the same record again is answered with the same id and \
sequence.

Whatever goes wrong is answered with `application/problem+json` (RFC 9457) and a stable `code`; \
a method that a route does not know with 405. A head that is no HTTP is answered with 400, 414 or 431 and no body. Parameters that a route does not know, \
and those that are given twice, are refused.

Lists come in pages: `next_cursor` of one is the `cursor` of the next, and it is `null` at the end. A page ends after 4 MiB too, \
so that it may have fewer items than `limit`.";
