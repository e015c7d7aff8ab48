//! The metrics, for Prometheus.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};

use crate::courtesy::Turns;
use crate::problem::Problem;
use crate::query::NoQuery;
use crate::read::block;
use crate::state::Shared;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /metrics`: one scrape at a time does work, and others wait for it.
pub(super) async fn scrape(
    State(shared): State<Arc<Shared>>,
    NoQuery: NoQuery,
) -> Result<Response, Problem> {
    let metrics = Arc::clone(&shared.metrics);
    let write = move || {
        let text = metrics.write();
        text.or(Err(Problem::internal("the metrics cannot be written")))
    };
    let text = block(&shared.scrapes, Turns::Usual, write).await?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    Ok(response)
}
