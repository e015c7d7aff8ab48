//! Uploads: lines of records in, a line for each of them out, both as streams.
//!
//! ```text
//! body --> undo the encoding, cut --> check, name --> intake --> results --> client
//!            (decode, split)            (check)     (pipeline)   (report)
//! ```
//!
//! Every stage is bounded, and a stage that is full holds back the one before it: a client that does not read its results is not read
//! from. Results are a beginning of the lines, in their order: where an upload breaks off, every line behind the last result may be
//! sent again.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tracing::Instrument as _;

use crate::courtesy::among_others;
use crate::inlet::Inlet;
use crate::outlet::outlet;
use crate::problem::Problem;
use crate::query::NoQuery;
use crate::state::Shared;
use crate::visit::Visit;
use crate::wire::Code;

mod check;
mod decode;
mod pipeline;
mod report;

use decode::{Cutter, Encoding};
use pipeline::Upload;

/// How lines of JSON are called.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// What an upload may be called.
const ACCEPTED: [&str; 2] = [NDJSON, "application/jsonl"];

/// `POST /v1/records`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    NoQuery: NoQuery,
    request: Request,
) -> Result<Response, Problem> {
    let encoding = check_form(request.headers())?;
    let is_asked_for = request.headers().contains_key(header::EXPECT);
    let place = shared.uploads.take(visit.client());
    let place = place.map_err(|full| {
        let detail = format!("uploads: {full}; nothing of this one was stored");
        Problem::new(Code::Unavailable, detail)
    })?;
    let cutter = Cutter::new(encoding).map_err(|error| {
        tracing::error!(%error, "a decoder cannot be made");
        Problem::internal("a decoder cannot be made")
    })?;
    let mut inlet = Inlet::new(request, &shared.settings);
    // Behind the head of the answer nobody would ask for the body any more.
    if is_asked_for {
        inlet.ask().await?;
    }
    let (outlet, body) = outlet(shared.settings.stall_seconds_max);
    let upload = Upload {
        shared,
        visit,
        outlet,
        place,
    };
    tokio::spawn(among_others(upload.run(inlet, cutter)).in_current_span());
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(NDJSON);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Refuses what is not said to be lines of JSON; gives how they are compressed.
fn check_form(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let refuse = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let is_known = |name: &str| essence.eq_ignore_ascii_case(name);
    if !ACCEPTED.iter().any(|name| is_known(name)) {
        return refuse(
            "send one record as JSON on each line, and say so: -H 'content-type: application/x-ndjson'",
        );
    }
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = text(header::CONTENT_ENCODING).unwrap_or("identity").trim();
    match (Encoding::of(encoding), encodings.nth(1)) {
        (Some(encoding), None) => Ok(encoding),
        _ => refuse("the content-encoding may be gzip, zstd or identity"),
    }
}
