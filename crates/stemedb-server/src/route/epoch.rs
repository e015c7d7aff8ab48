//! Epochs: all of them, and one with those that it supersedes.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use stemedb::{Record, RecordId, View};

use super::{json_bytes, record::not_found};
use crate::limits::PAGE_ITEMS_DEFAULT;
use crate::page::Page;
use crate::problem::{Asked, Problem};
use crate::query::{LIST, ONE, PathId, Query, cannot_list};
use crate::state::Shared;
use crate::wire::StoredRecord;

/// `GET /v1/epochs`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::of(&uri, &LIST)?;
    let (page, limit) = (query.page()?, query.limit()?);
    let read = shared.read(query.at()?, move |view| {
        let epochs = view.epochs(&page).map_err(|error| cannot_list(&error))?;
        Page::write(epochs, limit, StoredRecord::from)
    });
    Ok(json_bytes(StatusCode::OK, read.await?.into_json()))
}

/// `GET /v1/epochs/{id}`.
///
/// It is no record that never changes: an epoch at the end of the chain may come later.
pub(super) async fn chain(
    State(shared): State<Arc<Shared>>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let at = Query::of(&uri, &ONE)?.at()?;
    let read = shared.read(at, move |view| walk(view, id));
    let chain = read.await?.ok_or_else(|| not_found(id, "epoch"))?;
    Ok(json_bytes(StatusCode::OK, chain.into_json()))
}

/// Walks from an epoch back as far as a page goes; `None` where that epoch is not stored.
fn walk(view: &View, id: RecordId) -> Result<Option<Page>, Problem> {
    let mut page = Page::begin();
    let (mut ahead, mut missing) = (Some(id), None);
    // An id is a hash over the one it supersedes, so that a chain cannot come back to itself.
    while let Some(id) = ahead.filter(|_| page.has_room(PAGE_ITEMS_DEFAULT)) {
        let found = view.get(id);
        let found = found.map_err(|error| Problem::of(&error, Asked::Read))?;
        ahead = match found.as_ref().map(|stored| &stored.record) {
            Some(Record::Epoch(epoch)) => epoch.supersedes,
            Some(Record::Assertion(_) | Record::Vote(_)) | None => {
                missing = Some(id);
                break;
            }
        };
        if let Some(stored) = found {
            page.push(&StoredRecord::from(stored))?;
        }
    }
    if page.is_empty() {
        return Ok(None);
    }
    let next = ahead.filter(|_| missing.is_none());
    let [missing, next] = [missing, next].map(|id| id.map(|id| id.to_string()));
    let page = page.end().with("missing", &missing)?.with("next", &next)?;
    Ok(Some(page))
}
