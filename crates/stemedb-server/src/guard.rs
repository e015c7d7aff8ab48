//! What stands round every route: who sends a request and how often, the refusal at the end, the limit of time, and the catching of a panic.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tokio::time::timeout;

use crate::auth::{admit, check_head};
use crate::connection::Peer;
use crate::inlet::BodyWait;
use crate::problem::{Asked, Problem, render};
use crate::request_id::RequestId;
use crate::route::Around;
use crate::wire::Code;

#[cfg(test)]
mod tests;

/// Answers a request, whatever happens in its route; a stream goes on behind the head of its answer, and has limits of its own.
pub(crate) async fn guard(
    around: &Around,
    mut request: Request,
    (next, id): (Next, HeaderValue),
) -> Response {
    request.extensions_mut().insert(RequestId(id.clone()));
    let response = answer(around, request, next).await;
    render(response, id)
}

/// Finds out who asks, whether not too often, and for what it may.
fn ask(around: &Around, request: &mut Request) -> Result<(), Problem> {
    let shared = &around.shared;
    check_head(request)?;
    let caller = shared.gate.caller(request.headers());
    let peer = request.extensions().get::<Peer>().copied();
    let is_probe = request.uri().path() == crate::route::LIVE;
    if !is_probe && !shared.rate.allows(&caller, peer) {
        let most = shared.settings.requests_per_second_max;
        let detail = format!("more than {most} requests a second; nothing of this one was done");
        return Err(Problem::new(Code::RateLimited, detail));
    }
    if let Some(scope) = around.need.and_then(|need| need.scope) {
        admit(&caller, scope, request)?;
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

async fn answer(around: &Around, mut request: Request, next: Next) -> Response {
    let shared = &around.shared;
    if shared.shutdown.has_begun() && request.uri().path() != crate::route::LIVE {
        return Problem::shutting_down().into_response();
    }
    if let Err(problem) = ask(around, &mut request) {
        return problem.into_response();
    }
    let asked = if request.method() == Method::POST {
        Asked::Write
    } else {
        Asked::Read
    };
    let wait = BodyWait::default();
    request.extensions_mut().insert(wait.clone());
    let seconds = shared.settings.request_seconds_max;
    let answered = async {
        let admitted = shared.room.admit(next.run(request).await).await;
        admitted.unwrap_or_else(|problem| problem.after(asked).into_response())
    };
    // What a handler shares with others is behind locks of tokio, which know no poison, or belongs to the database, which has its own.
    let caught = AssertUnwindSafe(answered).catch_unwind();
    match timeout(Duration::from_secs(seconds), caught).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            let problem = Problem::internal("an internal failure");
            problem.after(asked).into_response()
        }
        Err(_) if wait.goes_on() => {
            let detail = format!("the body had not come after {seconds} s; nothing was stored");
            Problem::new(Code::BodyTimeout, detail).into_response()
        }
        Err(_) => {
            let detail = format!("the request took longer than {seconds} s");
            let problem = Problem::new(Code::RequestTimeout, detail);
            problem.after(asked).into_response()
        }
    }
}
