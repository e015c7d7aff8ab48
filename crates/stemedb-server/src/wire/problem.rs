//! The form of everything that goes wrong: RFC 9457.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not answered as it wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:stemedb:problem:` and the code.
    pub r#type: String,
    /// The code in words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What is wrong with this request, and what to do.
    pub detail: String,
    /// What programs match on.
    pub code: Code,
    /// The id of the request, as in the header `x-request-id`.
    pub request_id: String,
    /// The faults of single records of an array, the first hundred of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ItemError>,
}

/// What is wrong with one record of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemError {
    /// Its place in the array, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub detail: String,
}

/// What went wrong, for programs. A code never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The body is no JSON.
    InvalidJson,
    /// A record breaks a rule; nothing was stored.
    InvalidRecord,
    /// The body, or the array in it, is too long.
    BodyTooLarge,
    /// The body is not said to be what the route takes, or is compressed in a way that it does not take.
    UnsupportedMediaType,
    /// The body is not encoded as it says, or broke off.
    InvalidEncoding,
    /// There is no such route.
    NotFound,
    /// There is no such record.
    RecordNotFound,
    /// The route knows other methods only.
    MethodNotAllowed,
    /// A part of the path is no id or no name.
    BadPath,
    /// A parameter is unknown, repeated or malformed.
    BadQuery,
    /// The cursor is not one that this list gave out.
    BadCursor,
    /// A field of the head is missing, or given twice.
    BadHeader,
    /// A token is needed, and none was sent that is one.
    Unauthenticated,
    /// The token does not allow this.
    Forbidden,
    /// A page of another site asks to store something.
    CrossOrigin,
    /// The request is for another host.
    Misdirected,
    /// This client asks too often.
    RateLimited,
    /// The sequence that was asked for cannot be read yet.
    NotYetApplied,
    /// The body came too slowly; of a body of JSON nothing was stored.
    BodyTimeout,
    /// The request took too long.
    RequestTimeout,
    /// The server is about to end.
    ShuttingDown,
    /// The database or the disk cannot serve now.
    Unavailable,
    /// The disk is full, or a quota used up. Whoever runs the server has to make room and start it again.
    NoSpace,
    /// What is stored does not verify.
    Corruption,
    /// A failure of this program.
    Internal,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 25] = [
        Self::InvalidJson,
        Self::InvalidRecord,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidEncoding,
        Self::NotFound,
        Self::RecordNotFound,
        Self::MethodNotAllowed,
        Self::BadPath,
        Self::BadQuery,
        Self::BadCursor,
        Self::BadHeader,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::CrossOrigin,
        Self::Misdirected,
        Self::RateLimited,
        Self::NotYetApplied,
        Self::BodyTimeout,
        Self::RequestTimeout,
        Self::ShuttingDown,
        Self::Unavailable,
        Self::NoSpace,
        Self::Corruption,
        Self::Internal,
    ];

    /// Its text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The status of an answer with it; readiness is refused with 503, whatever the code.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The code in words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self.status(), 408 | 429 | 503)
    }

    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidJson => ("invalid_json", 400, "The body is no JSON"),
            Self::InvalidRecord => ("invalid_record", 422, "A record is invalid"),
            Self::BodyTooLarge => ("body_too_large", 413, "The body is too large"),
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                415,
                "The body is not said to be JSON",
            ),
            Self::InvalidEncoding => (
                "invalid_encoding",
                400,
                "The body is not encoded as it says",
            ),
            Self::NotFound => ("not_found", 404, "There is no such route"),
            Self::RecordNotFound => ("record_not_found", 404, "There is no such record"),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "The route knows other methods"),
            Self::BadPath => ("bad_path", 400, "The path is malformed"),
            Self::BadQuery => ("bad_query", 400, "The query is malformed"),
            Self::BadCursor => ("bad_cursor", 400, "The cursor is not of this list"),
            Self::BadHeader => ("bad_header", 400, "The head is malformed"),
            Self::Unauthenticated => ("unauthenticated", 401, "A token is needed"),
            Self::Forbidden => ("forbidden", 403, "The token does not allow this"),
            Self::CrossOrigin => ("cross_origin", 403, "Another site may not ask for this"),
            Self::Misdirected => ("misdirected", 421, "The request is for another host"),
            Self::RateLimited => ("rate_limited", 429, "This client asks too often"),
            Self::NotYetApplied => ("not_yet_applied", 503, "The sequence cannot be read yet"),
            Self::BodyTimeout => ("body_timeout", 408, "The body came too slowly"),
            Self::RequestTimeout => ("request_timeout", 503, "The request took too long"),
            Self::ShuttingDown => ("shutting_down", 503, "The server is shutting down"),
            Self::Unavailable => ("unavailable", 503, "The database cannot serve now"),
            Self::NoSpace => ("no_space", 507, "The disk is full"),
            Self::Corruption => ("corruption", 500, "What is stored does not verify"),
            Self::Internal => ("internal", 500, "An internal failure"),
        }
    }
}
