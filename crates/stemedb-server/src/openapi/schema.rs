//! The schemas: those of answers come from the types, those of records say what their rules are.

use serde_json::{Map, Value, json};
use stemedb::limits::{
    AGENT_BYTES_MAX, DESCRIPTION_BYTES_MAX, EPOCH_NAME_BYTES_MAX, PREDICATE_BYTES_MAX,
    QUOTE_BYTES_MAX, REFERENCE_BYTES_MAX, SOURCE_BYTES_MAX, SUBJECT_BYTES_MAX, TIMESTAMP_MS_MAX,
};
use utoipa::{PartialSchema, ToSchema, openapi};

use crate::limits::{ARRAY_RECORDS_MAX, ERRORS_LISTED_MAX, PAGE_ITEMS_MAX};
use crate::wire::{self, Code};

/// Names a schema that is written here, for types that refer to it.
macro_rules! written {
    ($($name:ident),+) => {
        $(
            #[derive(Debug)]
            pub(crate) struct $name;

            impl PartialSchema for $name {
                fn schema() -> openapi::RefOr<openapi::Schema> {
                    openapi::Ref::from_schema_name(stringify!($name)).into()
                }
            }

            impl ToSchema for $name {}
        )+
    };
}

written!(RecordId, StoredRecord);

/// Every schema by its name.
pub(super) fn all() -> Map<String, Value> {
    let mut schemas = Map::new();
    derived(&mut schemas);
    records(&mut schemas);
    pages(&mut schemas);
    schemas.insert("Code".to_owned(), codes());
    for (name, list, items_max) in [
        ("Problem", "/properties/errors", ERRORS_LISTED_MAX),
        ("Receipts", "/properties/results", ARRAY_RECORDS_MAX),
        ("VotePage", "/properties/items", PAGE_ITEMS_MAX),
        ("VotePage", "/properties/cursors", PAGE_ITEMS_MAX),
    ] {
        if let Some(list) = schemas
            .get_mut(name)
            .and_then(|schema| schema.pointer_mut(list))
        {
            set(list, "maxItems", items_max);
        }
    }
    schemas
}

/// Sets a key of an object.
pub(super) fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value.into());
    }
}

/// What refers to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn derived(schemas: &mut Map<String, Value>) {
    fn add<T: ToSchema>(schemas: &mut Map<String, Value>) {
        let schema = serde_json::to_value(T::schema()).unwrap_or_default();
        schemas.insert(T::name().into_owned(), schema);
    }
    add::<wire::Receipt>(schemas);
    add::<wire::Receipts>(schemas);
    add::<wire::Durability>(schemas);
    add::<wire::Status>(schemas);
    add::<wire::VotePage>(schemas);
    add::<wire::VoteTotals>(schemas);
    add::<wire::Chain>(schemas);
    add::<wire::SubjectCount>(schemas);
    add::<wire::Stats>(schemas);
    add::<wire::Journal>(schemas);
    add::<wire::Store>(schemas);
    add::<wire::Head>(schemas);
    add::<wire::Quarantined>(schemas);
    add::<wire::Retried>(schemas);
    add::<wire::Segments>(schemas);
    add::<wire::Segment>(schemas);
    add::<wire::Readiness>(schemas);
    add::<wire::Problem>(schemas);
    add::<wire::ItemError>(schemas);
    add::<wire::BulkLine>(schemas);
    add::<wire::BulkResult>(schemas);
    add::<wire::Fate>(schemas);
    add::<wire::BulkEnd>(schemas);
    add::<wire::ChangeLine>(schemas);
    add::<wire::ChangeEnd>(schemas);
    add::<wire::Heartbeat>(schemas);
}

/// The codes, each with its status: no answer has a code with another one.
fn codes() -> Value {
    let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    let by_name = |value: fn(Code) -> Value| -> Map<_, _> {
        let named = Code::ALL
            .iter()
            .map(|code| (code.name().to_owned(), value(*code)));
        named.collect()
    };
    json!({
        "type": "string",
        "description": "What went wrong, for programs. A code never changes its meaning, and each has one status.",
        "enum": names,
        "x-status": by_name(|code| code.status().into()),
        "x-title": by_name(|code| code.title().into()),
    })
}

fn pages(schemas: &mut Map<String, Value>) {
    for (name, item, text) in [
        ("RecordPage", "StoredRecord", "A part of a list of records."),
        (
            "SubjectPage",
            "SubjectCount",
            "A part of the list of subjects.",
        ),
        (
            "QuarantinePage",
            "Quarantined",
            "A part of the records that could not be applied.",
        ),
    ] {
        let page = json!({
            "type": "object",
            "description": text,
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {
                    "type": "array",
                    "description": "The items, in the order of the list.",
                    "items": reference(item),
                    "maxItems": PAGE_ITEMS_MAX,
                },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "What goes on behind them, as the parameter `cursor`; `null` at the end of the list.",
                },
                "cursors": {
                    "type": "array",
                    "description": "What goes on behind each of the items, in their order; where `cursors` asked for it.",
                    "items": {"type": "string"},
                    "maxItems": PAGE_ITEMS_MAX,
                },
            },
        });
        schemas.insert(name.to_owned(), page);
    }
}

/// A name: not empty, without control characters.
pub(super) fn name(bytes_max: usize, text: &str) -> Value {
    json!({
        "type": "string",
        "description": format!("{text} At most {bytes_max} bytes of UTF-8."),
        "minLength": 1,
        "maxLength": bytes_max,
        "pattern": "^[^\\u0000-\\u001f\\u007f]+$",
    })
}

fn text(bytes_max: usize, text: &str) -> Value {
    json!({
        "type": "string",
        "description": format!("{text} At most {bytes_max} bytes of UTF-8."),
        "maxLength": bytes_max,
    })
}

fn hex(digits: usize, text: &str) -> Value {
    json!({
        "type": "string",
        "description": text,
        "pattern": format!("^[0-9a-f]{{{digits}}}$"),
    })
}

fn time(text: &str) -> Value {
    json!({
        "type": "integer",
        "format": "int64",
        "description": format!("{text} Unix milliseconds, as the writer claims, written as a whole number without fraction or exponent."),
        "minimum": 0,
        "maximum": TIMESTAMP_MS_MAX,
    })
}

fn unit(least: i64, text: &str) -> Value {
    json!({"type": "number", "format": "double", "description": text, "minimum": least, "maximum": 1})
}

/// The records: as they are sent, and as they are shown.
fn records(schemas: &mut Map<String, Value>) {
    let id = hex(
        64,
        "The id of a record: BLAKE3-256 of its canonical bytes, as lower-case hex digits.",
    );
    schemas.insert("RecordId".to_owned(), id);
    schemas.insert("StoredObject".to_owned(), stored_object());
    schemas.insert("Object".to_owned(), object());
    for shape in [assertion(), vote(), epoch()] {
        schemas.insert(shape.title.to_owned(), shape.sent());
        schemas.insert(format!("Stored{}", shape.title), shape.stored());
        let sent = reference(shape.title);
        let body = json!({
            "description": "One record, or an array, of which nothing is stored if one is invalid.",
            "oneOf": [
                sent,
                {"type": "array", "items": sent, "minItems": 1, "maxItems": ARRAY_RECORDS_MAX},
            ],
        });
        schemas.insert(format!("{}Body", shape.title), body);
    }
    let any = json!({
        "description": "A record of any type, which it has to say.",
        "oneOf": [reference("Assertion"), reference("Vote"), reference("Epoch")],
        "required": ["type"],
    });
    schemas.insert("Record".to_owned(), any);
    let stored = json!({
        "description": "A stored record: what the database knows of it, and the fields of the record beside it.",
        "oneOf": [reference("StoredAssertion"), reference("StoredVote"), reference("StoredEpoch")],
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                "assertion": "#/components/schemas/StoredAssertion",
                "vote": "#/components/schemas/StoredVote",
                "epoch": "#/components/schemas/StoredEpoch",
            },
        },
    });
    schemas.insert("StoredRecord".to_owned(), stored);
}

fn stored_object() -> Value {
    let only = |key: &str, value: Value| {
        json!({
            "type": "object",
            "required": [key],
            "properties": {key: value},
            "additionalProperties": false,
        })
    };
    json!({
        "description": "What an assertion states.",
        "oneOf": [
            only("text", json!({"type": "string"})),
            only("number", json!({"type": "number", "format": "double"})),
            only("boolean", json!({"type": "boolean"})),
            only("reference", name(REFERENCE_BYTES_MAX, "The name of another subject.")),
        ],
    })
}

fn object() -> Value {
    json!({
        "description": "What an assertion states. A bare text, number or boolean stands for the object with that one key. \
            A number is a finite double; an integer that no double holds is refused.",
        "oneOf": [
            reference("StoredObject"),
            {"type": "string"},
            {"type": "number", "format": "double"},
            {"type": "boolean"},
        ],
    })
}

/// A type of record.
struct Shape {
    type_name: &'static str,
    title: &'static str,
    text: &'static str,
    required: Vec<(&'static str, Value)>,
    optional: Vec<(&'static str, Value)>,
}

const DID_KEY: &str = "^did:key:";
const ED25519_KEY: &str = "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$";

impl Shape {
    /// As it is sent: the type is that of the route and may be left out, and so may be what is `null`.
    fn sent(&self) -> Value {
        let mut properties = Map::new();
        properties.insert("type".to_owned(), json!({"const": self.type_name}));
        for (key, schema) in &self.required {
            properties.insert((*key).to_owned(), schema.clone());
        }
        for (key, schema) in &self.optional {
            let mut schema = schema.clone();
            nullable(&mut schema);
            properties.insert((*key).to_owned(), schema);
        }
        let required: Vec<_> = self.required.iter().map(|(key, _)| *key).collect();
        json!({
            "type": "object",
            "description": self.text,
            "required": required,
            "properties": properties,
            "additionalProperties": false,
            "if": {"properties": {"agent": {"pattern": DID_KEY}}},
            "then": {
                "required": ["signature"],
                "properties": {"agent": {"pattern": ED25519_KEY}, "signature": {"type": "string"}},
            },
            "else": {"properties": {"signature": {"type": "null"}}},
        })
    }

    /// As it is shown: what is absent is left out.
    fn stored(&self) -> Value {
        let known = [
            ("id", reference("RecordId")),
            (
                "sequence",
                json!({
                    "type": "integer",
                    "format": "int64",
                    "description": "The sequence of its first arrival.",
                    "minimum": 1,
                }),
            ),
            (
                "arrived_at",
                json!({
                    "type": "string",
                    "format": "date-time",
                    "description": "When it arrived, by the clock of the machine that wrote the journal.",
                }),
            ),
            ("type", json!({"const": self.type_name})),
        ];
        let mut required: Vec<_> = known.iter().map(|(key, _)| *key).collect();
        let mut properties = Map::from_iter(known.map(|(key, schema)| (key.to_owned(), schema)));
        for (key, schema) in &self.required {
            properties.insert((*key).to_owned(), schema.clone());
            required.push(key);
        }
        for (key, schema) in &self.optional {
            properties.insert((*key).to_owned(), schema.clone());
        }
        if self.type_name == "assertion" {
            properties.insert("object".to_owned(), reference("StoredObject"));
            required.push("confidence");
        }
        json!({
            "type": "object",
            "description": self.text,
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// Lets a schema be `null` too.
fn nullable(schema: &mut Value) {
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
    if let Some(one) = schema.get_mut("type") {
        *one = json!([one.take(), "null"]);
    }
}

fn agent() -> Value {
    let text = "Who stands behind the record. A `did:key:z6Mk..` is an Ed25519 key, which has to sign its records; \
        any other `did:key:` is refused.";
    name(AGENT_BYTES_MAX, text)
}

fn signature() -> Value {
    let text = "Ed25519 (ZIP-215) over `stemedb-signature-v1`, a zero byte and the 32 bytes of the id. \
        It is required of an agent that is a key, and refused of any other.";
    hex(128, text)
}

fn assertion() -> Shape {
    let lifecycle = json!({
        "type": "string",
        "description": "How far it has come in the process of its writers.",
        "enum": ["proposed", "under_review", "approved", "deprecated", "rejected"],
        "default": "proposed",
    });
    let mut confidence = unit(0, "How sure the agent is.");
    set(&mut confidence, "default", 1.0);
    Shape {
        type_name: "assertion",
        title: "Assertion",
        text: "An agent states something of a subject.",
        required: vec![
            ("subject", name(SUBJECT_BYTES_MAX, "What it is about.")),
            (
                "predicate",
                name(
                    PREDICATE_BYTES_MAX,
                    "Which property of the subject it states.",
                ),
            ),
            ("object", reference("Object")),
            ("agent", agent()),
        ],
        optional: vec![
            ("confidence", confidence),
            (
                "source",
                name(SOURCE_BYTES_MAX, "Where the agent has it from."),
            ),
            (
                "source_hash",
                hex(64, "The hash of the source as the agent saw it."),
            ),
            ("quote", text(QUOTE_BYTES_MAX, "The words of the source.")),
            ("timestamp", time("When it was stated.")),
            (
                "epoch",
                hex(64, "The id of the epoch in which it is stated."),
            ),
            (
                "parent",
                hex(
                    64,
                    "The id of the assertion that it follows from or replaces.",
                ),
            ),
            ("lifecycle", lifecycle),
            ("signature", signature()),
        ],
    }
}

fn vote() -> Shape {
    Shape {
        type_name: "vote",
        title: "Vote",
        text: "An agent speaks for or against an assertion.",
        required: vec![
            (
                "assertion",
                hex(64, "The id of the assertion; it need not be known yet."),
            ),
            ("agent", agent()),
            (
                "weight",
                unit(-1, "How much for (positive) or against (negative)."),
            ),
        ],
        optional: vec![
            ("timestamp", time("When the vote was given.")),
            ("signature", signature()),
        ],
    }
}

fn epoch() -> Shape {
    Shape {
        type_name: "epoch",
        title: "Epoch",
        text: "An agent defines a period or a state of knowledge, in which assertions are stated.",
        required: vec![
            ("name", name(EPOCH_NAME_BYTES_MAX, "Its name.")),
            ("agent", agent()),
        ],
        optional: vec![
            ("description", text(DESCRIPTION_BYTES_MAX, "What it is.")),
            ("supersedes", hex(64, "The id of the epoch before it.")),
            ("starts_at", time("When it begins.")),
            ("signature", signature()),
        ],
    }
}
