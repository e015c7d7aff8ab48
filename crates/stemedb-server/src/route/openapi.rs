//! The document of this interface, for programs and for people.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::json_bytes;
use crate::openapi::{self, page};
use crate::problem::Problem;
use crate::query::NoQuery;
use crate::room::OfProgram;

/// `GET /v1/openapi.json`.
pub(super) async fn json(NoQuery: NoQuery) -> Result<Response, Problem> {
    Ok(of_program(json_bytes(StatusCode::OK, openapi::json())))
}

/// `GET /v1/docs`.
pub(super) async fn page(NoQuery: NoQuery) -> Result<Response, Problem> {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let answer = (StatusCode::OK, headers, page::html());
    Ok(of_program(answer.into_response()))
}

/// An answer whose body is not copied.
fn of_program(mut answer: Response) -> Response {
    answer.extensions_mut().insert(OfProgram);
    answer
}
