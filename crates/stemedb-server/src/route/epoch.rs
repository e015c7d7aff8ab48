//! Epochs: all of them, and one with those that it supersedes.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use stemedb::{Record, Stored};

use super::{json, json_bytes, record::not_found};
use crate::page::Page;
use crate::problem::{Asked, Problem};
use crate::query::{LIST, ONE, PathId, Query, cannot_list};
use crate::state::Shared;
use crate::wire::{Chain, StoredRecord};

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
    let read = shared.read(at, move |view| {
        let chain = view.epoch_chain(id);
        chain.map_err(|error| Problem::of(&error, Asked::Read))
    });
    let chain = read.await?;
    let last = chain.last().ok_or_else(|| not_found(id, "epoch"))?;
    let missing = supersedes(last).map(|id| id.to_string());
    let items = chain.into_iter().map(StoredRecord::from).collect();
    json(StatusCode::OK, &Chain { items, missing })
}

fn supersedes(stored: &Stored) -> Option<stemedb::RecordId> {
    match &stored.record {
        Record::Epoch(epoch) => epoch.supersedes,
        Record::Assertion(_) | Record::Vote(_) => None,
    }
}
