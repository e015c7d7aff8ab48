//! The routes, one file for each resource.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::Response,
    routing::{get, post},
};
use serde::Serialize;

use crate::guard::guard;
use crate::problem::Problem;
use crate::state::Shared;
use crate::trace::trace;
use crate::wire::Code;

mod bulk;
mod change;
mod epoch;
mod health;
mod metric;
mod record;
mod stat;
mod subject;
mod vote;

/// Where it is told that the process lives.
pub(crate) const LIVE: &str = "/healthz/live";

/// All routes, with everything that stands round them.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/assertions", post(record::post_assertions))
        .route("/v1/votes", post(record::post_votes))
        .route("/v1/epochs", post(record::post_epochs).get(epoch::list))
        .route("/v1/records", post(bulk::post))
        .route("/v1/records/{id}", get(record::get))
        .route("/v1/assertions/{id}", get(record::get_assertion))
        .route("/v1/assertions/{id}/votes", get(vote::list))
        .route("/v1/epochs/{id}", get(epoch::chain))
        .route("/v1/subjects", get(subject::list))
        .route(
            "/v1/subjects/{subject}/assertions",
            get(subject::assertions),
        )
        .route("/v1/changes", get(change::get))
        .route("/v1/stats", get(stat::stats))
        .route("/v1/journal/head", get(stat::head))
        .route(LIVE, get(health::live))
        .route("/healthz/ready", get(health::ready))
        .route("/metrics", get(metric::scrape))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::clone(&shared), guard))
        .layer(from_fn_with_state(Arc::clone(&shared), trace))
        .with_state(shared)
}

async fn no_route(uri: Uri) -> Problem {
    let shown: String = uri.path().chars().take(80).collect();
    Problem::new(Code::NotFound, format!("there is no route {shown}"))
}

async fn no_method() -> Problem {
    let detail = "see the header `allow` for the methods of this route";
    Problem::new(Code::MethodNotAllowed, detail)
}

/// An answer of JSON that is written already.
fn json_bytes(status: StatusCode, json: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer of JSON.
fn json(status: StatusCode, answer: &impl Serialize) -> Result<Response, Problem> {
    match serde_json::to_vec(answer) {
        Ok(json) => Ok(json_bytes(status, json)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            Err(Problem::internal("an answer cannot be written"))
        }
    }
}
