//! What is said of every request: a span while it goes on, an event when its answer is sent or given up, and counts.
//!
//! Nothing of a body, a query or a path is said: the route is its template.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::guard::guard;
use crate::metric::{Metrics, Route, method_name};
use crate::problem::Told;
use crate::route::Around;
use crate::wire::Code;

mod body;
mod parent;

pub(crate) use parent::TraceIds;

use body::Counted;

/// Watches a request from its head to the last byte of its answer.
pub(crate) async fn trace(around: &Around, request: Request, next: Next) -> Response {
    let shared = &around.shared;
    let parent = shared.trace_ids.of(request.headers());
    let route = match around.need {
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
    let mut passage = Passage::begin(Arc::clone(&shared.metrics), &request, (route, span));
    let bytes_in = Arc::clone(&passage.bytes_in);
    // Ordering: it is read when the request is over.
    let come = move |bytes| {
        bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    };
    let request = request.map(|body| Body::new(Counted::new(body, come)));
    let answered = guard(around, request, (next, id)).instrument(passage.span.clone());
    let mut response = answered.await;
    let headers = response.headers_mut();
    headers.insert(parent::HEADER, parent.to_header());
    passage.answer(&response);
    // The request is over when its answer is gone.
    response.map(|body| Body::new(Counted::new(body, move |bytes| passage.send(bytes))))
}

/// A request on its way; it ends when this is dropped.
#[derive(Debug)]
struct Passage {
    metrics: Arc<Metrics>,
    span: Span,
    begun: Instant,
    route: Route,
    method: Method,
    answer: Option<Answered>,
    /// Bytes of the body of the request, and of that of the answer, as far as they came.
    bytes_in: Arc<AtomicU64>,
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
    fn begin(metrics: Arc<Metrics>, request: &Request, (route, span): (Route, Span)) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics,
            span,
            begun: Instant::now(),
            route,
            method: request.method().clone(),
            answer: None,
            bytes_in: Arc::default(),
            bytes_out: 0,
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
            self.metrics.add_problem(told.code);
            self.metrics.rejected.inc_by(told.rejected);
        }
        let counted = Some((answered.status, answered.took));
        self.metrics.add_request(&self.route, &self.method, counted);
        self.answer = Some(answered);
    }

    fn send(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    fn say(&self, answered: Answered) {
        // Ordering: whoever added to it is done, and nothing else is told by it.
        let bytes_in = self.bytes_in.load(Ordering::Relaxed);
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
        self.metrics.in_flight.dec();
        let _entered = self.span.enter();
        if let Some(answered) = self.answer {
            self.say(answered);
        } else {
            self.metrics.add_request(&self.route, &self.method, None);
            let seconds = self.begun.elapsed().as_secs_f64();
            tracing::info!(seconds, "the client went away before it was answered");
        }
    }
}
