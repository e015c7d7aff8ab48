//! What is said of every request: a span while it goes on, an event when its answer is sent or given up, and counts.
//!
//! Nothing of a body, a query or a path is said: the route is its template.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method, StatusCode},
    response::Response,
};
use tokio::time::Instant;
use tracing::Span;

use crate::guard::{guard, let_in};
use crate::metric::{Metrics, Route, method_name};
use crate::problem::{Asked, Problem, Told, render};
use crate::route::{Answering, Need};
use crate::state::Shared;
use crate::visit::BodyWatch;
use crate::wire::Code;

mod body;
mod parent;

pub(crate) use parent::TraceIds;

use body::Counted;
use parent::TraceParent;

/// Begins to watch a request, and lets it in or refuses it.
pub(crate) fn begin(
    shared: Arc<Shared>,
    need: Option<Need>,
    mut request: Request,
) -> (Passage, Result<Request, Problem>) {
    let passage = Passage::begin(shared, need, &request);
    let let_in = passage.span.in_scope(|| {
        let (id, body) = (passage.id.clone(), passage.body.clone());
        let_in(&passage.shared, need, &mut request, (id, body))
    });
    (passage, let_in.map(|()| request))
}

/// Watches a request until the last byte of its answer is gone.
pub(crate) async fn answer(mut passage: Passage, answering: Answering) -> Response {
    let response = {
        let kind = (passage.asked(), &passage.body);
        let mut guarded = pin!(guard(&passage.shared, kind, answering));
        poll_fn(|cx| passage.span.in_scope(|| guarded.as_mut().poll(cx))).await
    };
    let mut response = render(response, passage.id.clone());
    let headers = response.headers_mut();
    headers.insert(parent::HEADER, passage.parent.to_header());
    passage.answer(&response);
    // The request is over when its answer is gone.
    response.map(|body| Body::new(Counted::new(body, move |bytes| passage.send(bytes))))
}

/// A request on its way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) shared: Arc<Shared>,
    span: Span,
    begun: Instant,
    route: Route,
    method: Method,
    parent: TraceParent,
    id: HeaderValue,
    body: BodyWatch,
    answer: Option<Answered>,
    /// Bytes of the body of the answer, as far as they went.
    bytes_out: u64,
}

/// What is known of an answer when its head is there.
#[derive(Clone, Copy, Debug)]
struct Answered {
    status: StatusCode,
    code: Option<Code>,
    took: Duration,
}

impl Passage {
    fn begin(shared: Arc<Shared>, need: Option<Need>, request: &Request) -> Self {
        let parent = shared.trace_ids.of(request.headers());
        let route = match need {
            Some(need) => Route::of(need.path),
            // A route that does not know the method.
            None => Route::matched(request.extensions().get::<MatchedPath>()),
        };
        let id = shared.request_ids.of(request.headers());
        // It is there at every level, so that whatever is said meanwhile can be told to be of this request.
        let span = tracing::error_span!(
            "request",
            method = method_name(request.method()),
            route = route.as_str(),
            request_id = id.to_str().unwrap_or_default(),
            trace_id = parent.trace_id(),
            span_id = parent.span_id(),
        );
        shared.metrics.in_flight.inc();
        Self {
            shared,
            span,
            begun: Instant::now(),
            route,
            method: request.method().clone(),
            parent,
            id,
            body: BodyWatch::default(),
            answer: None,
            bytes_out: 0,
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    fn asked(&self) -> Asked {
        if self.method == Method::POST {
            Asked::Write
        } else {
            Asked::Read
        }
    }

    /// Counts an answer whose body is still to be sent.
    fn answer(&mut self, response: &Response) {
        let told = response.extensions().get::<Told>();
        let answered = Answered {
            status: response.status(),
            code: told.map(|told| told.code),
            took: self.begun.elapsed(),
        };
        if let Some(told) = told {
            self.metrics().add_problem(told.code);
            self.metrics().rejected.inc_by(told.rejected);
        }
        let counted = Some((answered.status, answered.took));
        self.metrics()
            .add_request(&self.route, &self.method, counted);
        self.answer = Some(answered);
    }

    fn send(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    fn say(&self, answered: Answered) {
        let bytes_in = self.body.bytes();
        let bytes_out = self.bytes_out;
        let Answered { status, code, took } = answered;
        let (status, code) = (status.as_u16(), code.map(Code::name));
        let seconds = took.as_secs_f64();
        match status {
            503 => tracing::warn!(status, code, seconds, bytes_in, bytes_out, "answered"),
            500.. => tracing::error!(status, code, seconds, bytes_in, bytes_out, "answered"),
            _ => tracing::info!(status, code, seconds, bytes_in, bytes_out, "answered"),
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.metrics().in_flight.dec();
        let _entered = self.span.enter();
        if let Some(answered) = self.answer {
            self.say(answered);
        } else {
            self.metrics().add_request(&self.route, &self.method, None);
            let seconds = self.begun.elapsed().as_secs_f64();
            tracing::info!(seconds, "the client went away before it was answered");
        }
    }
}
