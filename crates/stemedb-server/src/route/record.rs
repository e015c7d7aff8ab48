//! Records: stored by their type, and read by their id.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use stemedb::{Record, RecordId, Stored};

use super::{Way, json};
use crate::body::{Form, JsonBody, Records, prepare};
use crate::courtesy::Turns;
use crate::intake::NotTaken;
use crate::limits::{BODY_BYTES_INLINE_MAX, ERRORS_LISTED_MAX};
use crate::problem::{Asked, OUTCOME_UNKNOWN, Problem};
use crate::query::{NoQuery, ONE, PathId, Query};
use crate::read::block;
use crate::state::Shared;
use crate::wire::{Code, Durability, ItemError, Receipt, Receipts, Status, StoredRecord};

/// Records never change.
const FOREVER: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");

type Answer = Result<Response, Problem>;

/// `POST` of records of one type: `/v1/assertions`, `/v1/votes`, `/v1/epochs`.
pub(super) fn post_of(type_name: &'static str) -> Way {
    super::post(
        async move |State(shared): State<Arc<Shared>>, NoQuery: NoQuery, body: JsonBody| {
            post(&shared, body, type_name).await
        },
    )
}

/// Stores the records of a body, or none of them where one is invalid; the answer comes when they are as durable as the database makes them.
///
/// A long array goes into the journal in several parts, of which the last ones may fail where the disk is full: the answer then
/// names the first of the records that were not stored.
async fn post(shared: &Shared, body: JsonBody, type_name: &'static str) -> Answer {
    let JsonBody { bytes, held } = body;
    let Records { form, prepared } = if bytes.len() <= BODY_BYTES_INLINE_MAX {
        prepare(&bytes.join(), type_name)?
    } else {
        let work = move || prepare(&bytes.join(), type_name);
        block(&shared.checks, Turns::Short, work).await?
    };
    let outcomes = shared.intake.store(prepared, held).await;
    let outcomes = outcomes.map_err(|not_taken| match not_taken {
        NotTaken::Ended if shared.shutdown.has_begun() => Problem::shutting_down(),
        NotTaken::Ended => Problem::new(
            Code::Unavailable,
            "nothing is taken any more; nothing was stored",
        ),
        NotTaken::OutcomeUnknown => Problem::new(Code::Internal, OUTCOME_UNKNOWN),
    })?;
    let receipts = receipts(outcomes, type_name)?;
    match (form, receipts.first()) {
        (Form::One, Some(receipt)) => one(receipt),
        _ => json(
            status(receipts.iter().map(outcome)),
            &Receipts { results: receipts },
        ),
    }
}

/// The receipts, if each record has one.
fn receipts(
    outcomes: Vec<stemedb::Result<stemedb::Receipt>>,
    type_name: &str,
) -> Result<Vec<Receipt>, Problem> {
    let mut receipts = Vec::with_capacity(outcomes.len());
    let (mut first, mut errors) = (None, Vec::new());
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(receipt) => receipts.push(Receipt::new(type_name, &receipt)),
            Err(error) => {
                let problem = first.get_or_insert_with(|| Problem::of(&error, Asked::Write));
                let detail = problem.detail.clone();
                errors.push(ItemError { index, detail });
            }
        }
    }
    let Some(mut problem) = first else {
        return Ok(receipts);
    };
    if !receipts.is_empty() || errors.len() > 1 {
        errors.truncate(ERRORS_LISTED_MAX);
        problem.errors = errors;
    }
    Err(problem)
}

/// 201 if any record is new, 202 if its durability was waived, 200 if none is.
pub(super) fn status(outcomes: impl IntoIterator<Item = (Status, Durability)>) -> StatusCode {
    let mut outcomes = outcomes.into_iter();
    match outcomes.find(|(status, _)| *status == Status::Stored) {
        None => StatusCode::OK,
        Some((_, Durability::Sync)) => StatusCode::CREATED,
        Some((_, Durability::Interval)) => StatusCode::ACCEPTED,
    }
}

fn outcome(receipt: &Receipt) -> (Status, Durability) {
    (receipt.status, receipt.durability)
}

fn one(receipt: &Receipt) -> Answer {
    let mut response = json(status([outcome(receipt)]), receipt)?;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(receipt.id));
    let location = format!("/v1/records/{}", receipt.id);
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `GET /v1/records/{id}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    PathId(id): PathId,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let stored = find(&shared, id, &uri).await?;
    let stored = stored.ok_or_else(|| not_found(id, "record"))?;
    show(stored, &headers)
}

/// `GET /v1/assertions/{id}`.
pub(super) async fn get_assertion(
    State(shared): State<Arc<Shared>>,
    PathId(id): PathId,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let stored = find(&shared, id, &uri).await?;
    let is_assertion = |stored: &Stored| matches!(stored.record, Record::Assertion(_));
    let stored = stored.filter(is_assertion);
    let stored = stored.ok_or_else(|| not_found(id, "assertion"))?;
    show(stored, &headers)
}

async fn find(shared: &Arc<Shared>, id: RecordId, uri: &Uri) -> Result<Option<Stored>, Problem> {
    let at = Query::of(uri, &ONE)?.at()?;
    let found = shared.read(at, move |view| {
        let found = view.get(id);
        found.map_err(|error| Problem::of(&error, Asked::Read))
    });
    found.await
}

/// A record, unless the client has it.
fn show(stored: Stored, headers: &HeaderMap) -> Answer {
    let id = stored.id;
    let mut response = if has(headers, id) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(StatusCode::OK, &StoredRecord::from(stored))?
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(id));
    headers.insert(header::CACHE_CONTROL, FOREVER);
    Ok(response)
}

/// Whether a client says that it has the record.
fn has(headers: &HeaderMap, id: RecordId) -> bool {
    let etag = format!("\"{id}\"");
    let given = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = given
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(str::trim);
    // A weak comparison is what a condition on reading asks for.
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn etag(id: RecordId) -> HeaderValue {
    HeaderValue::try_from(format!("\"{id}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// That there is no such record.
pub(super) fn not_found(id: RecordId, what: &str) -> Problem {
    Problem::new(Code::RecordNotFound, format!("there is no {what} {id}"))
}
