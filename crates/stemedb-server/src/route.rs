//! The routes, one file for each resource.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    handler::Handler,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{self, MethodRouter},
};
use serde::Serialize;

use crate::problem::Problem;
use crate::state::Shared;
use crate::token::Scope;
use crate::trace;
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
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let add = |router: Router<Arc<Shared>>, (need, method): (Need, Method)| {
        router.route(need.path, method)
    };
    let router = routes().0.into_iter().fold(Router::new(), add);
    router
        .fallback(Guarded::refusal(no_route))
        .method_not_allowed_fallback(Guarded::refusal(no_method))
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
        .open(READY, get(health::ready))
        .read("/metrics", get(metric::scrape))
        .open("/v1/openapi.json", get(openapi::json))
        .open("/v1/docs", get(openapi::page))
}

/// A handler with everything that stands round it.
///
/// A layer would do the same for several allocations more: those of a service that is cloned and boxed for each request.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<H> {
    handler: H,
    /// What it needs; `None` where it refuses.
    need: Option<Need>,
}

impl<H> Guarded<H> {
    /// A handler of requests for which there is no route.
    pub(crate) fn refusal(handler: H) -> Self {
        let need = None;
        Self { handler, need }
    }
}

/// An answer on its way out of a handler.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

impl<H, T> Handler<T, Arc<Shared>> for Guarded<H>
where
    H: Handler<T, Arc<Shared>, Future = Answering>,
    T: 'static,
{
    type Future = Answering;

    fn call(self, request: Request, shared: Arc<Shared>) -> Answering {
        let (passage, let_in) = trace::begin(shared, self.need, request);
        let answering = match let_in {
            Ok(request) => self.handler.call(request, Arc::clone(&passage.shared)),
            Err(problem) => Box::pin(ready(problem.into_response())),
        };
        Box::pin(trace::answer(passage, answering))
    }
}

/// A method of a route, with its name, which a router does not tell.
struct Way {
    method: &'static str,
    make: Box<dyn FnOnce(Need) -> Method>,
}

type Method = MethodRouter<Arc<Shared>>;

fn get<H, T>(handler: H) -> Way
where
    H: Handler<T, Arc<Shared>, Future = Answering>,
    T: 'static,
{
    Way::new("get", handler, routing::get)
}

fn post<H, T>(handler: H) -> Way
where
    H: Handler<T, Arc<Shared>, Future = Answering>,
    T: 'static,
{
    Way::new("post", handler, routing::post)
}

impl Way {
    fn new<H: 'static>(
        method: &'static str,
        handler: H,
        route: impl FnOnce(Guarded<H>) -> Method + 'static,
    ) -> Self {
        let make = move |need| {
            let need = Some(need);
            route(Guarded { handler, need })
        };
        let make = Box::new(make);
        Self { method, make }
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
        let Way { method, make } = way;
        let need = Need {
            path,
            method,
            scope,
        };
        self.0.push((need, make(need)));
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

/// Fields of the head of an answer, and room for one more: a map that grows is made anew.
const ANSWER_FIELDS: usize = 10;

/// What most answers take.
const ANSWER_BYTES: usize = 256;

/// An answer of JSON that is written already.
fn json_bytes(status: StatusCode, json: impl Into<Body>) -> Response {
    let mut response = Response::new(json.into());
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(ANSWER_FIELDS);
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer of JSON.
fn json(status: StatusCode, answer: &impl Serialize) -> Result<Response, Problem> {
    let mut written = Vec::with_capacity(ANSWER_BYTES);
    match serde_json::to_writer(&mut written, answer) {
        Ok(()) => Ok(json_bytes(status, written)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            Err(Problem::internal("an answer cannot be written"))
        }
    }
}
