//! The routes, one file for each resource.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::Response,
    routing::{MethodRouter, get, post},
};
use serde::Serialize;

use crate::auth::require;
use crate::guard::guard;
use crate::problem::Problem;
use crate::state::Shared;
use crate::token::Scope;
use crate::trace::trace;
use crate::wire::Code;

mod backup;
mod bulk;
mod change;
mod epoch;
mod health;
mod metric;
mod openapi;
mod quarantine;
mod record;
mod stat;
mod subject;
mod vote;

/// Where it is told that the process lives.
pub(crate) const LIVE: &str = "/healthz/live";

/// All routes, with everything that stands round them.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    routes()
        .router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::clone(&shared), guard))
        .layer(from_fn_with_state(Arc::clone(&shared), trace))
        .with_state(shared)
}

/// The routes alone.
fn routes() -> Routes {
    let id = "/v1/assertions/{id}";
    let votes = "/v1/assertions/{id}/votes";
    let of_subject = "/v1/subjects/{subject}/assertions";
    let retry = "/v1/quarantine/{sequence}/retry";
    Routes::default()
        .write("/v1/assertions", record::post_of("assertion"))
        .write("/v1/votes", record::post_of("vote"))
        .write("/v1/epochs", record::post_of("epoch"))
        .read("/v1/epochs", get(epoch::list))
        .write("/v1/records", post(bulk::post))
        .read("/v1/records/{id}", get(record::get))
        .read(id, get(record::get_assertion))
        .read(votes, get(vote::list))
        .read("/v1/epochs/{id}", get(epoch::chain))
        .read("/v1/subjects", get(subject::list))
        .read(of_subject, get(subject::assertions))
        .read("/v1/changes", get(change::get))
        .read("/v1/quarantine", get(quarantine::list))
        .read("/v1/quarantine/{sequence}", get(quarantine::get))
        .admin(retry, post(quarantine::retry))
        .admin("/v1/backup", get(backup::segments))
        .admin("/v1/backup/segments/{number}", get(backup::bytes))
        .read("/v1/stats", get(stat::stats))
        .read("/v1/journal/head", get(stat::head))
        .open(LIVE, get(health::live))
        .open("/healthz/ready", get(health::ready))
        .read("/metrics", get(metric::scrape))
        .open("/v1/openapi.json", get(openapi::json))
        .open("/v1/docs", get(openapi::page))
}

/// Routes, each with what it needs: there is no way to add one without that. And their paths, which a router does not tell.
#[derive(Default)]
struct Routes {
    router: Router<Arc<Shared>>,
    paths: Vec<&'static str>,
}

impl Routes {
    /// Adds a route that reads what is stored.
    fn read(self, path: &'static str, method: MethodRouter<Arc<Shared>>) -> Self {
        self.needs(Scope::Read, path, method)
    }

    /// Adds a route that stores records.
    fn write(self, path: &'static str, method: MethodRouter<Arc<Shared>>) -> Self {
        self.needs(Scope::Write, path, method)
    }

    /// Adds a route that is for whoever runs the database.
    fn admin(self, path: &'static str, method: MethodRouter<Arc<Shared>>) -> Self {
        self.needs(Scope::Admin, path, method)
    }

    fn needs(self, scope: Scope, path: &'static str, method: MethodRouter<Arc<Shared>>) -> Self {
        self.open(path, method.route_layer(from_fn_with_state(scope, require)))
    }

    /// Adds a route that is for everybody.
    fn open(mut self, path: &'static str, method: MethodRouter<Arc<Shared>>) -> Self {
        self.router = self.router.route(path, method);
        self.paths.push(path);
        self
    }
}

/// The paths of all routes.
#[cfg(test)]
pub(crate) fn paths() -> Vec<&'static str> {
    routes().paths
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
