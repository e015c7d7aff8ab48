//! Records that could not be applied.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use stemedb::{QuarantinedRecord, Sequence};

use super::{json, json_bytes, record::status};
use crate::courtesy::Turns;
use crate::page::Page;
use crate::problem::{Asked, Problem};
use crate::query::{LIST, NoQuery, PathNumber, Query, cannot_list};
use crate::read::block;
use crate::state::Shared;
use crate::wire::{Code, Quarantined, Retried};

#[cfg(test)]
mod tests;

/// `GET /v1/quarantine`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::of(&uri, &LIST)?;
    let (page, limit) = (query.page()?, query.limit()?);
    let read = shared.read(query.at()?, move |view| {
        let entries = view
            .quarantine(&page)
            .map_err(|error| cannot_list(&error))?;
        let item = |entry: QuarantinedRecord| Quarantined::without_payload(&entry);
        Page::write(entries, limit, item)
    });
    Ok(json_bytes(StatusCode::OK, read.await?.into_json()))
}

/// `GET /v1/quarantine/{sequence}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    PathNumber(number): PathNumber,
    uri: Uri,
) -> Result<Response, Problem> {
    let sequence = sequence(number)?;
    let at = Query::of(&uri, &["min_sequence"])?.at()?;
    let read = shared.read(at, move |view| {
        let entry = view.quarantined(sequence);
        entry.map_err(|error| Problem::of(&error, Asked::Read))
    });
    let entry = read.await?.ok_or_else(|| not_quarantined(number))?;
    json(StatusCode::OK, &Quarantined::from(entry))
}

/// `POST /v1/quarantine/{sequence}/retry`.
pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    PathNumber(number): PathNumber,
    NoQuery: NoQuery,
) -> Result<Response, Problem> {
    let sequence = sequence(number)?;
    if shared.shutdown.has_begun() {
        return Err(Problem::shutting_down());
    }
    let database = Arc::clone(&shared.database);
    let retry = move || {
        let receipt = database.retry_quarantined(sequence);
        receipt.map_err(|error| Problem::of(&error, Asked::Write))
    };
    let retried = Retried::from(&block(&shared.retries, Turns::Usual, retry).await?);
    json(status([(retried.status, retried.durability)]), &retried)
}

fn sequence(number: u64) -> Result<Sequence, Problem> {
    Sequence::new(number).ok_or_else(|| not_quarantined(number))
}

fn not_quarantined(number: u64) -> Problem {
    let detail = format!("sequence {number} is not in quarantine");
    Problem::new(Code::RecordNotFound, detail)
}
