//! The feed of changes: every record behind a sequence, in order, and those that come later as they come.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    response::Response,
};
use stemedb::Sequence;
use tracing::Instrument as _;

use crate::courtesy::among_others;
use crate::outlet::outlet;
use crate::problem::{Asked, Problem};
use crate::query::{FEED, Query, bad, past};
use crate::state::Shared;
use crate::visit::Visit;
use crate::wire::Code;

mod feed;
mod filter;
mod form;

use feed::Feed;
use filter::Filter;
use form::Form;

/// How a client says what it was given last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /v1/changes`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Result<Response, Problem> {
    let query = Query::of(request.uri(), &FEED)?;
    let filter = Filter::of(&query)?;
    let headers = request.headers();
    let form = Form::of(headers);
    // What was read already counts for more than where the client began.
    let since = last_event_id(headers)?.or(query.since()?).unwrap_or(0);
    let applied = check_since(&shared, since)?;
    let until = match query.flag("live")? {
        Some(false) => Some(applied),
        Some(true) | None => None,
    };
    let (outlet, body) = outlet(shared.settings.stall_seconds_max);
    // Who asks for the head alone is given no feed.
    if request.method() != Method::HEAD {
        let place = shared.feeds.take(visit.client());
        let place =
            place.map_err(|full| Problem::new(Code::Unavailable, format!("feeds: {full}")))?;
        let feed = Feed {
            shared,
            caller: visit.caller,
            outlet,
            form,
            filter,
            until,
            given: since,
            upto: since,
            applied: since,
        };
        let run = async move {
            feed.run().await;
            drop(place);
        };
        tokio::spawn(among_others(run).in_current_span());
    }
    Ok(respond(body, form))
}

fn respond(body: Body, form: Form) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form.content_type());
    // Proxies that gather what they pass on would hold events back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let given = headers.get(LAST_EVENT_ID);
    let text = given.map(|id| id.to_str().unwrap_or("?"));
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| past("last-event-id", text)).transpose()
}

/// Refuses a sequence that the database has not reached: the client has read another one, or one that was reset since. Gives the last one that can be read.
fn check_since(shared: &Shared, since: u64) -> Result<u64, Problem> {
    let view = shared.database.view();
    let view = view.map_err(|error| Problem::of(&error, Asked::Read))?;
    let applied = view.applied().map_or(0, Sequence::get);
    let last = applied.max(shared.intake.acknowledged_upto());
    if since > last {
        return Err(bad(format!(
            "since: {since} is behind the last sequence, which is {last}; was it given out by this database?"
        )));
    }
    Ok(applied)
}
