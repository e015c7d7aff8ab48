//! Subjects, and what is asserted of one.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};

use super::json_bytes;
use crate::page::Page;
use crate::problem::Problem;
use crate::query::{PathSubject, Query, cannot_list};
use crate::state::Shared;
use crate::wire::{StoredRecord, SubjectCount};

const SUBJECTS: [&str; 6] = [
    "prefix",
    "limit",
    "cursor",
    "cursors",
    "as_of",
    "min_sequence",
];
const ASSERTIONS: [&str; 6] = [
    "predicate",
    "limit",
    "cursor",
    "cursors",
    "as_of",
    "min_sequence",
];

/// `GET /v1/subjects`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::of(&uri, &SUBJECTS)?;
    let prefix = query.prefix("prefix")?;
    let (page, limit) = (query.page()?, query.limit()?);
    let read = shared.read(query.at()?, move |view| {
        let subjects = view.subjects(&prefix, &page);
        let subjects = subjects.map_err(|error| cannot_list(&error))?;
        Page::write(subjects, limit, SubjectCount::from)
    });
    Ok(json_bytes(StatusCode::OK, read.await?.into_json()))
}

/// `GET /v1/subjects/{subject}/assertions`.
pub(super) async fn assertions(
    State(shared): State<Arc<Shared>>,
    PathSubject(subject): PathSubject,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::of(&uri, &ASSERTIONS)?;
    let predicate = query.predicate()?;
    let (page, limit) = (query.page()?, query.limit()?);
    let read = shared.read(query.at()?, move |view| {
        let assertions = view.assertions(&subject, predicate.as_ref(), &page);
        let assertions = assertions.map_err(|error| cannot_list(&error))?;
        Page::write(assertions, limit, StoredRecord::from)
    });
    Ok(json_bytes(StatusCode::OK, read.await?.into_json()))
}
