//! Whether the server lives, and whether it serves.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use stemedb::{Health, Page, RecordId};

use super::json;
use crate::problem::{Asked, Problem};
use crate::query::{At, Query};
use crate::state::Shared;
use crate::wire::{Code, Readiness};

/// `GET /healthz/live`: the process answers, also while it ends.
pub(super) async fn live(uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    answer("live", None)
}

/// `GET /healthz/ready`: reads from every engine, and asks whether writes are still made durable.
pub(super) async fn ready(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    let read = shared.read(At::default(), |view| {
        let nothing = RecordId::from_bytes([0; 32]);
        let failed = |error: stemedb::Error| Problem::of(&error, Asked::Read);
        view.get(nothing).map_err(failed)?;
        let first = view.epochs(&Page::default()).map_err(failed)?.next();
        first.transpose().map_err(failed)
    });
    read.await?;
    if !shared.intake.is_open() {
        return Err(not_ready("no records are taken any more", None));
    }
    match shared.database.health() {
        Health::Good => answer("ready", None),
        Health::Stalled(stall) => answer("stalled", Some(stall.text)),
        Health::NotWritable(error) => {
            Err(not_ready("no records are accepted any more", Some(&error)))
        }
        Health::NotApplying(error) => {
            Err(not_ready("records are not applied any more", Some(&error)))
        }
        _ => Err(not_ready("the database is not well", None)),
    }
}

fn answer(status: &str, detail: Option<String>) -> Result<Response, Problem> {
    let status = status.to_owned();
    json(StatusCode::OK, &Readiness { status, detail })
}

fn not_ready(reason: &str, error: Option<&stemedb::Error>) -> Problem {
    let mut detail = reason.to_owned();
    if let Some(error) = error {
        tracing::error!(error = crate::problem::chain(error), reason);
        if let Some(advice) = error.advice() {
            detail = format!("{detail}; {advice}");
        }
    }
    Problem::new(Code::Unavailable, detail)
}
