//! Problems: one form for everything that goes wrong.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use stemedb::{Error, ErrorKind, error_chain};

use crate::limits::RETRY_AFTER_SECONDS;
use crate::request_id;
use crate::wire::{Code, ItemError, Problem as Document};

#[cfg(test)]
mod tests;

/// What a client is told whose records may have been stored.
pub(crate) const OUTCOME_UNKNOWN: &str =
    "outcome unknown; send it again: the id is the hash of the content";

/// What a request asks of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Read,
    Write,
}

/// Why a request is not answered as it wanted.
///
/// As a response it has no body yet: [`render`] gives it one, with the id of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) status: u16,
    pub(crate) detail: String,
    pub(crate) errors: Vec<ItemError>,
    /// How many records broke a rule; no part of the answer.
    pub(crate) rejected: u64,
}

/// What is known of a problem once its answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: Code,
    pub(crate) rejected: u64,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            rejected: 0,
        }
    }

    /// A failure of this program.
    pub(crate) fn internal(detail: &str) -> Self {
        Self::new(Code::Internal, detail)
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(
            Code::ShuttingDown,
            "the server is shutting down; nothing of this request was stored",
        )
    }

    /// What an error of the database means for a request. The whole of it goes to the log: its text may name files of this machine.
    pub(crate) fn of(error: &Error, asked: Asked) -> Self {
        let code = code_of(error, asked);
        // It is no failure, and nobody reads it.
        if error.kind() == ErrorKind::GivenUp {
            return Self::new(code, error_chain(error));
        }
        if !tells_of_server(code) {
            return Self::new(code, error_chain(error));
        }
        tracing::error!(
            code = code.name(),
            error = error_chain(error),
            "a request failed"
        );
        let mut detail = words_for(error).to_owned();
        if let Some(advice) = error.advice() {
            detail = format!("{detail}; {advice}");
        }
        let problem = Self::new(code, detail);
        // The journal keeps nothing of a record that it has no room for; a sync that failed for want of room is of another kind.
        if code == Code::NoSpace && error.kind() == ErrorKind::Unavailable {
            return problem;
        }
        problem.after(asked)
    }

    /// Adds what a writer has to know where the server is at fault.
    pub(crate) fn after(mut self, asked: Asked) -> Self {
        if asked == Asked::Write {
            self.detail = format!("{}; {OUTCOME_UNKNOWN}", self.detail);
        }
        self
    }

    /// What a client reads of it.
    pub(crate) fn document(&self, request_id: &str) -> Document {
        Document {
            r#type: format!("urn:stemedb:problem:{}", self.code.name()),
            title: self.code.title().to_owned(),
            status: self.status,
            detail: self.detail.clone(),
            code: self.code,
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every answer the id of its request, and a problem its body.
pub(crate) fn render(mut response: Response, request_id: HeaderValue) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let document = problem.document(request_id.to_str().unwrap_or_default());
        *response.body_mut() = serde_json::to_vec(&document).unwrap_or_default().into();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if problem.code.is_passing() {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        if problem.code == Code::Unauthenticated {
            let wanted = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, wanted);
        }
        if problem.code == Code::ShuttingDown {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let Problem { code, rejected, .. } = problem;
        response.extensions_mut().insert(Told { code, rejected });
    }
    let headers = response.headers_mut();
    let uncached = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(uncached);
    headers.insert(request_id::HEADER, request_id);
    response
}

/// The code for an error.
pub(crate) fn code_of(error: &Error, asked: Asked) -> Code {
    if error.is_no_space() {
        return Code::NoSpace;
    }
    code_for(error.kind(), asked)
}

/// The code for a kind of error. A kind that is not known yet is a failure of this program.
const fn code_for(kind: ErrorKind, asked: Asked) -> Code {
    match (kind, asked) {
        (ErrorKind::Invalid, Asked::Read) => Code::BadQuery,
        (ErrorKind::Invalid, Asked::Write) => Code::InvalidRecord,
        (ErrorKind::NotFound, _) => Code::RecordNotFound,
        (
            ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::Closed | ErrorKind::GivenUp,
            _,
        ) => Code::Unavailable,
        (ErrorKind::Corruption, _) => Code::Corruption,
        (ErrorKind::Unsupported | ErrorKind::Internal | _, _) => Code::Internal,
    }
}

const fn tells_of_server(code: Code) -> bool {
    code.status() >= 500
}

/// What an error is, without anything of this machine.
fn words_for(error: &Error) -> &'static str {
    if error.is_no_space() {
        return "the disk is full";
    }
    match error.kind() {
        ErrorKind::Conflict => "something else was faster",
        ErrorKind::Unavailable => "the database cannot do this now",
        ErrorKind::Closed => "the database accepts nothing more",
        ErrorKind::Corruption => "what is stored does not verify",
        ErrorKind::Unsupported => "what is stored was written by a newer program",
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Internal | _ => "an internal failure",
    }
}
