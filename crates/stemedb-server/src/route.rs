//! The routes, one file for each resource.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    handler::Handler,
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{self, MethodRouter},
};
use serde::Serialize;

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

/// Where it is told whether the database serves.
pub(crate) const READY: &str = "/healthz/ready";

/// All routes, with everything that stands round them.
///
/// It is one layer, and each route has its own: a layer of the router takes several allocations for each request, and moves all that
/// the layers in it hold.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let round = |need: Option<Need>| {
        let shared = Arc::clone(&shared);
        from_fn_with_state(Around { shared, need }, around)
    };
    let add = |router: Router<Arc<Shared>>, (need, method): (Need, Method)| {
        router.route(need.path, method.route_layer(round(Some(need))))
    };
    let router = routes().0.into_iter().fold(Router::new(), add);
    router
        .fallback(no_route.layer(round(None)))
        .method_not_allowed_fallback(no_method.layer(round(None)))
        .with_state(shared)
}

/// What stands round a route, or round the refusal where there is none.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) shared: Arc<Shared>,
    /// What the route needs; `None` round a refusal.
    pub(crate) need: Option<Need>,
}

async fn around(State(around): State<Around>, request: Request, next: Next) -> Response {
    trace(&around, request, next).await
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
        .open(READY, get(health::ready))
        .read("/metrics", get(metric::scrape))
        .open("/v1/openapi.json", get(openapi::json))
        .open("/v1/docs", get(openapi::page))
}

/// A method of a route, with its name, which a router does not tell.
struct Way {
    method: &'static str,
    router: Method,
}

type Method = MethodRouter<Arc<Shared>>;

fn get<H: Handler<T, Arc<Shared>>, T: 'static>(handler: H) -> Way {
    let router = routing::get(handler);
    Way {
        method: "get",
        router,
    }
}

fn post<H: Handler<T, Arc<Shared>>, T: 'static>(handler: H) -> Way {
    let router = routing::post(handler);
    Way {
        method: "post",
        router,
    }
}

/// What a method of a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) path: &'static str,
    /// Its name in lower case.
    pub(crate) method: &'static str,
    /// `None` where it is for everybody.
    pub(crate) scope: Option<Scope>,
}

/// Routes, each with what it needs: there is no way to add one without that. The document says the same, and has it from here.
#[derive(Default)]
struct Routes(Vec<(Need, Method)>);

impl Routes {
    /// Adds a route that reads what is stored.
    fn read(self, path: &'static str, way: Way) -> Self {
        self.add(path, way, Some(Scope::Read))
    }

    /// Adds a route that stores records.
    fn write(self, path: &'static str, way: Way) -> Self {
        self.add(path, way, Some(Scope::Write))
    }

    /// Adds a route that is for whoever runs the database.
    fn admin(self, path: &'static str, way: Way) -> Self {
        self.add(path, way, Some(Scope::Admin))
    }

    /// Adds a route that is for everybody.
    fn open(self, path: &'static str, way: Way) -> Self {
        self.add(path, way, None)
    }

    fn add(mut self, path: &'static str, way: Way, scope: Option<Scope>) -> Self {
        let Way { method, router } = way;
        let need = Need {
            path,
            method,
            scope,
        };
        self.0.push((need, router));
        self
    }
}

/// What each method of each route needs.
pub(crate) fn needs() -> Vec<Need> {
    routes().0.into_iter().map(|(need, _)| need).collect()
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
fn json_bytes(status: StatusCode, json: impl Into<Body>) -> Response {
    let mut response = Response::new(json.into());
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
