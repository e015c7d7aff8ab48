//! Counts of requests and of what came of them, and the text that a scrape is answered with.
//!
//! What each metric means stands in docs/METRICS.md. Labels take values of a small set only: a route is its template, and never a path.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::{
    extract::MatchedPath,
    http::{Method, StatusCode},
};
use prometheus_client::encoding::{EncodeLabelSet, text::encode_registry};
use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
};
use prometheus_client::registry::Registry;

use crate::wire::Code;

mod sheet;
mod source;
mod text;

pub(crate) use source::Source;

#[cfg(test)]
mod tests;

/// Stands before every name.
const PREFIX: &str = "stemedb";
/// The route of requests for which there is none.
const NO_ROUTE: &str = "none";
/// Upper bounds of the time that requests take, in seconds.
const REQUEST_SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// What the server counts itself, and where the rest is read from.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Requests whose answer was not sent to its end.
    pub(crate) in_flight: Gauge,
    /// Records that break a rule.
    pub(crate) rejected: Counter,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    problems: Family<ProblemLabels, Counter>,
    registry: Registry,
}

/// The template of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route(Cow<'static, str>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Cow<'static, str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: Cow<'static, str>,
    method: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    code: &'static str,
}

impl Metrics {
    pub(crate) fn new(source: Source) -> Self {
        let bounded = || Histogram::new(REQUEST_SECONDS);
        let mut metrics = Self {
            in_flight: Gauge::default(),
            rejected: Counter::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(bounded),
            problems: Family::default(),
            registry: Registry::with_prefix(PREFIX),
        };
        metrics.register(source);
        for code in Code::ALL {
            // A series that is there from the start shows its first increase.
            drop(metrics.problems_of(code));
        }
        metrics
    }

    fn register(&mut self, source: Source) {
        let source = source.counting(self.rejected.clone());
        self.registry.register_collector(Box::new(source));
        self.registry.register(
            "http_requests",
            "Requests by route, method and class of status",
            self.requests.clone(),
        );
        self.registry.register(
            "http_request_duration_seconds",
            "Time from the head of a request to the head of its answer",
            self.request_seconds.clone(),
        );
        self.registry.register(
            "http_requests_in_flight",
            "Requests whose answer was not sent to its end",
            self.in_flight.clone(),
        );
        self.registry.register(
            "http_problems",
            "Answers that were problems, and streams that ended with one, by code",
            self.problems.clone(),
        );
    }

    fn problems_of(&self, code: Code) -> Counter {
        let code = code.name();
        self.problems.get_or_create_owned(&ProblemLabels { code })
    }

    /// Counts a request that was answered, or whose client went away before.
    pub(crate) fn add_request(
        &self,
        route: &Route,
        method: &Method,
        answer: Option<(StatusCode, Duration)>,
    ) {
        let Route(route) = route.clone();
        let labels = RequestLabels {
            route: route.clone(),
            method: method_name(method),
            class: class(answer.map(|(status, _)| status)),
        };
        self.requests.get_or_create(&labels).inc();
        if let Some((_, took)) = answer {
            let seconds = self.request_seconds.get_or_create(&RouteLabels { route });
            seconds.observe(took.as_secs_f64());
        }
    }

    /// Counts an answer that was a problem, or a stream that ended with one.
    pub(crate) fn add_problem(&self, code: Code) {
        self.problems_of(code).inc();
    }

    /// Everything as it stands now. It waits for locks of the database, and for nothing else.
    pub(crate) fn write(&self) -> Result<String, fmt::Error> {
        let mut written = String::new();
        encode_registry(&mut written, &self.registry)?;
        Ok(text::of_prometheus(&written))
    }
}

impl Route {
    /// The one with this template.
    pub(crate) const fn of(template: &'static str) -> Self {
        Self(Cow::Borrowed(template))
    }

    /// The one that a router found, if it found one.
    pub(crate) fn matched(path: Option<&MatchedPath>) -> Self {
        let template = path.map(|path| path.as_str().to_owned().into());
        Self(template.unwrap_or(Cow::Borrowed(NO_ROUTE)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a method; those that no route knows share one.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        None => "none",
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(_) => "5xx",
    }
}
