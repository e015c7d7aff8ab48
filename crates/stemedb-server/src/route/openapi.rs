//! The document of this interface, for programs and for people.

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};

use super::json_bytes;
use crate::openapi::{self, page};
use crate::problem::Problem;
use crate::query::Query;

/// `GET /v1/openapi.json`.
pub(super) async fn json(uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    Ok(json_bytes(StatusCode::OK, openapi::json().into()))
}

/// `GET /v1/docs`.
pub(super) async fn page(uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((StatusCode::OK, headers, page::html()).into_response())
}
