//! The document is complete, says what the server does, and is the one that is published.
//!
//! `STEMEDB_GOLDEN=write cargo test -p stemedb-server openapi` writes `docs/openapi.json` anew; it is reviewed like code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stemedb::{Create, Database};
use tower::ServiceExt as _;

use super::json;
use super::operation::{ALL, Operation};
use super::page::encoded;
use crate::route::Need;
use crate::token::{NewToken, Scope, TokenFile};
use crate::wire::{
    BulkLine, Chain, Code, Head, Page, Quarantined, Readiness, Receipt, Receipts, Segments, Stats,
    StoredRecord, SubjectCount, VotePage,
};
use crate::{Service, Settings, service};

fn writes() -> bool {
    std::env::var("STEMEDB_GOLDEN").is_ok_and(|value| value == "write")
}

fn home(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[test]
fn the_published_document_is_the_served_one() {
    let path = home("../../docs/openapi.json");
    if writes() {
        write_file(&path, json());
        return;
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert!(
        published == json(),
        "docs/openapi.json is not what is served; write it anew"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the document is kept in the repository"
)]
fn write_file(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn routes_and_documented_paths_are_the_same() {
    let needs = crate::route::needs();
    let routes: BTreeSet<_> = needs.iter().map(|need| (need.path, need.method)).collect();
    let documented: BTreeSet<_> = ALL.iter().map(|row| (row.path, row.method)).collect();
    assert_eq!(routes, documented);
    assert_eq!(routes.len(), needs.len());
}

/// Asks for each operation without a token and with one of each scope: who is let in is who the document says.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_says_of_tokens_is_so() {
    let directory = tempfile::tempdir().unwrap();
    let (database, _) = served(&directory);
    let file = TokenFile::of(database.directory());
    let tokens = Scope::ALL.map(|scope| {
        let new = NewToken {
            name: "test".to_owned(),
            scopes: vec![scope],
            days: None,
        };
        (scope, file.create(new).unwrap().1)
    });
    let service = service(database, &Settings::default()).unwrap();
    let document: Value = serde_json::from_str(json()).unwrap();
    for row in ALL {
        let operation = &document["paths"][row.path][row.method];
        let needed = operation["security"][0]["bearer"][0].as_str();
        for status in ["401", "403", "421"] {
            let is_told = operation["responses"].get(status).is_some();
            assert_eq!(is_told, needed.is_some(), "{} {status}", row.id);
        }
        let uri = format!("{}?unknown=1", row.path.replace(['{', '}'], ""));
        let status_with = async |token: Option<&str>| {
            let request = Request::builder().method(row.method.to_uppercase().as_str());
            let request = match token {
                Some(token) => request.header("authorization", format!("Bearer {token}")),
                None => request,
            };
            let request = request.uri(&uri).body(Body::empty()).unwrap();
            service.router().oneshot(request).await.unwrap().status()
        };
        assert_eq!(
            status_with(None).await == 401,
            needed.is_some(),
            "{}",
            row.id
        );
        for (scope, secret) in &tokens {
            let is_refused = status_with(Some(secret.reveal())).await == 403;
            let is_enough =
                *scope == Scope::Admin || needed.is_none_or(|name| name == scope.name());
            assert_eq!(is_refused, !is_enough, "{} with {scope}", row.id);
        }
    }
}

/// A new database behind its service.
fn served(directory: &tempfile::TempDir) -> (Arc<Database>, Service) {
    let builder = Database::builder().create(Create::IfMissing);
    let database = Arc::new(builder.open(directory.path().join("data")).unwrap());
    let service = service(Arc::clone(&database), &Settings::default()).unwrap();
    (database, service)
}

async fn ask(router: Router, method: &str, uri: &str, body: &str) -> (u16, Option<String>, String) {
    let request = Request::builder().method(method).uri(uri);
    let is_lines = body.ends_with('\n');
    let kind = if is_lines {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    let request = request.header("content-type", kind);
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let allowed = head.headers.get("allow");
    let allowed = allowed.map(|methods| methods.to_str().unwrap().to_owned());
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (head.status.as_u16(), allowed, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_of_routes_and_documented_ones_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (_database, service) = served(&directory);
    for Need { path, .. } in crate::route::needs() {
        let uri = path.replace(['{', '}'], "");
        let (_, allowed, text) = ask(service.router(), "TRACE", &uri, "").await;
        let allowed = allowed.expect(&text).to_lowercase();
        let allowed: BTreeSet<_> = allowed.split(',').filter(|name| *name != "head").collect();
        let documented = ALL.iter().filter(|row| row.path == path);
        let documented: BTreeSet<_> = documented.map(|row| row.method).collect();
        assert_eq!(allowed, documented, "{path}");
    }
}

/// The request of an example: its target and its body.
fn request(operation: &Operation, example: &Value) -> (String, String) {
    let (mut uri, mut query) = (operation.path.to_owned(), Vec::new());
    for (name, value) in example["parameters"].as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let value = encoded(&value);
        let place = format!("{{{name}}}");
        if uri.contains(&place) {
            uri = uri.replace(&place, &value);
        } else {
            query.push(format!("{name}={value}"));
        }
    }
    let body = example.get("request");
    let body = body.map(|body| {
        body.as_str()
            .map_or_else(|| body.to_string(), str::to_owned)
    });
    (
        format!("{uri}?{}", query.join("&")),
        body.unwrap_or_default(),
    )
}

/// What no two databases have in common, as the example shows it.
fn mask(answer: &mut Value, shown: &Value) {
    const OWN: [&str; 7] = [
        "arrived_at",
        "journal",
        "id",
        "hash",
        "head_hash",
        "end_hash",
        "bytes",
    ];
    match (answer, shown) {
        (Value::Object(fields), Value::Object(shown)) => {
            let is_head = fields.contains_key("head_hash") || fields.contains_key("hash");
            for (name, value) in fields {
                let Some(shown) = shown.get(name) else {
                    continue;
                };
                let own = OWN.contains(&name.as_str()) && (name != "id" || is_head);
                if own && !value.is_object() && !shown.is_null() {
                    *value = shown.clone();
                } else {
                    mask(value, shown);
                }
            }
        }
        (Value::Array(items), Value::Array(shown)) => {
            let pairs = items.iter_mut().zip(shown);
            pairs.for_each(|(item, shown)| mask(item, shown));
        }
        _ => {}
    }
}

/// Replays the examples in the order of the operations: each is what a new database answers.
#[tokio::test(flavor = "multi_thread")]
async fn examples_are_what_the_server_answers() {
    let directory = tempfile::tempdir().unwrap();
    let (_database, service) = served(&directory);
    let path = home("src/openapi/example.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut examples: Value = serde_json::from_str(&text).unwrap();
    for operation in ALL {
        let Some(example) = examples.get_mut(operation.id) else {
            continue;
        };
        // A feed does not end.
        if example.get("status").is_none() {
            continue;
        }
        let (uri, body) = request(operation, example);
        let method = operation.method.to_uppercase();
        let (status, _, text) = ask(service.router(), &method, &uri, &body).await;
        let mut answer = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
        mask(&mut answer, &example["answer"]);
        if writes() {
            example["answer"] = answer;
            example["status"] = status.into();
        } else {
            assert_eq!(example["status"], status, "{text}");
            assert_eq!(example["answer"], answer, "{}", operation.id);
        }
    }
    if writes() {
        write_file(&path, &format!("{examples:#}\n"));
    }
}

/// Whether a value is what a type reads, and nothing less: what it writes again is the same.
fn is<T: DeserializeOwned + serde::Serialize>(value: &Value) -> bool {
    let text = value.to_string();
    serde_json::from_str::<T>(&text).is_ok_and(|read| serde_json::to_value(read).unwrap() == *value)
}

#[test]
fn examples_are_of_the_types_that_they_are_said_to_be() {
    let examples: Value = serde_json::from_str(include_str!("example.json")).unwrap();
    for (operation, example) in examples.as_object().unwrap() {
        let read: fn(&Value) -> bool = match operation.as_str() {
            "store_assertions" | "store_epochs" => is::<Receipt>,
            "store_votes" => is::<Receipts>,
            "get_record" | "get_assertion" => is::<StoredRecord>,
            "list_votes" => is::<VotePage>,
            "list_subjects" => is::<Page<SubjectCount>>,
            "list_assertions" | "list_epochs" => is::<Page<StoredRecord>>,
            "get_epoch" => is::<Chain>,
            "get_stats" => is::<Stats>,
            "get_journal_head" => is::<Head>,
            "get_live" | "get_ready" => is::<Readiness>,
            "store_records" => |text| {
                let mut lines = text.as_str().unwrap().lines();
                lines.all(|line| is::<BulkLine>(&serde_json::from_str(line).unwrap()))
            },
            "list_quarantine" => is::<Page<Quarantined>>,
            "get_backup" => is::<Segments>,
            "get_changes" => continue,
            other => panic!("{other}: of what type is its example?"),
        };
        assert!(read(&example["answer"]), "{operation}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(items) => items.iter().for_each(|item| check(document, item)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(json()).unwrap();
    check(&document, &document);
}

#[test]
fn every_code_is_listed_with_its_status() {
    let document: Value = serde_json::from_str(json()).unwrap();
    let codes = &document["components"]["schemas"]["Code"];
    for code in Code::ALL {
        assert!(
            codes["enum"]
                .as_array()
                .unwrap()
                .contains(&code.name().into())
        );
        assert_eq!(codes["x-status"][code.name()], code.status());
    }
}
