//! Where the database stands.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};

use super::json;
use crate::courtesy::Turns;
use crate::problem::{Asked, Problem};
use crate::query::NoQuery;
use crate::read::block;
use crate::state::Shared;
use crate::wire::{Head, Stats};

/// `GET /v1/stats`.
pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    NoQuery: NoQuery,
) -> Result<Response, Problem> {
    let database = Arc::clone(&shared.database);
    let read = move || {
        let stats = database.stats();
        stats.map_err(|error| Problem::of(&error, Asked::Read))
    };
    let stats = block(&shared.reads, Turns::Usual, read).await?;
    json(StatusCode::OK, &Stats::from(&stats))
}

/// `GET /v1/journal/head`.
pub(super) async fn head(
    State(shared): State<Arc<Shared>>,
    NoQuery: NoQuery,
) -> Result<Response, Problem> {
    json(StatusCode::OK, &Head::from(shared.database.head()))
}
