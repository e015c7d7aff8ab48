//! The document of this interface.

use axum::{
    http::{StatusCode, Uri},
    response::Response,
};

use super::json_bytes;
use crate::openapi;
use crate::problem::Problem;
use crate::query::Query;

/// `GET /v1/openapi.json`.
pub(super) async fn json(uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    Ok(json_bytes(StatusCode::OK, openapi::json().into()))
}
