//! What stands round every route: who sends a request and how often, the refusal at the end, the limit of time, and the catching of a panic.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::{
    extract::Request,
    http::HeaderValue,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tokio::time::timeout;

use crate::auth::{admit, check_head};
use crate::connection::Peer;
use crate::problem::{Asked, Problem};
use crate::route::{Answering, LIVE, Need};
use crate::state::Shared;
use crate::visit::{BodyWatch, Visit};
use crate::wire::Code;

#[cfg(test)]
mod tests;

/// Lets a request in, unless the server ends, or it may not be asked by whoever asks, or is asked too often.
pub(crate) fn let_in(
    shared: &Shared,
    need: Option<Need>,
    request: &mut Request,
    (id, body): (HeaderValue, BodyWatch),
) -> Result<(), Problem> {
    let is_probe = request.uri().path() == LIVE;
    if shared.shutdown.has_begun() && !is_probe {
        return Err(Problem::shutting_down());
    }
    check_head(request)?;
    let caller = shared.gate.caller(request.headers());
    let peer = request.extensions().get::<Peer>().copied();
    if !is_probe && !shared.rate.allows(&caller, peer) {
        let most = shared.settings.requests_per_second_max;
        let detail = format!("more than {most} requests a second; nothing of this one was done");
        return Err(Problem::new(Code::RateLimited, detail));
    }
    if let Some(scope) = need.and_then(|need| need.scope) {
        admit(&caller, scope, request)?;
    }
    request.extensions_mut().insert(Visit {
        caller,
        peer,
        id,
        body,
    });
    Ok(())
}

/// Waits for an answer, whatever happens in its route; a stream goes on behind the head of its answer, and has limits of its own.
pub(crate) async fn guard(
    shared: &Shared,
    (asked, body): (Asked, &BodyWatch),
    answering: Answering,
) -> Response {
    let seconds = shared.settings.request_seconds_max;
    let answered = async {
        let admitted = shared.room.admit(answering.await).await;
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
        Err(_) if body.is_awaited() => {
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
