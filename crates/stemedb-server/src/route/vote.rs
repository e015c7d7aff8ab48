//! The votes on an assertion.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use stemedb::{Record, RecordId, View};

use super::{json_bytes, record::not_found};
use crate::page::Page;
use crate::problem::{Asked, Problem};
use crate::query::{LIST, PathId, Query, cannot_list};
use crate::state::Shared;
use crate::wire::StoredRecord;

/// `GET /v1/assertions/{id}/votes`.
///
/// Votes on an assertion that is not stored yet are shown; one of another type, or unknown to all, is not found.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::of(&uri, &LIST)?;
    let (page, limit) = (query.page()?, query.limit()?);
    // The totals are those of all votes, however many there are.
    let at = query.at()?.long();
    let known = Arc::clone(&shared);
    let read = shared.read(at, move |view| {
        let totals = known.totals.of(id, view, &known.database)?;
        check_assertion(view, id, totals.count)?;
        let votes = view.votes(id, &page).map_err(|error| cannot_list(&error))?;
        Page::write(votes, limit, StoredRecord::from)?.with("totals", &totals)
    });
    Ok(json_bytes(StatusCode::OK, read.await?.into_json()))
}

fn check_assertion(view: &View, id: RecordId, votes: u64) -> Result<(), Problem> {
    let found = view.get(id);
    match found.map_err(|error| Problem::of(&error, Asked::Read))? {
        Some(stored) if matches!(stored.record, Record::Assertion(_)) => Ok(()),
        None if votes > 0 => Ok(()),
        _ => Err(not_found(id, "assertion")),
    }
}
