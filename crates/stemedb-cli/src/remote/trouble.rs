//! Why a server did not answer as it should.

use stemedb_server::wire::{Code, Problem};

use super::ServerUrl;
use crate::failure::{Exit, Failure};

/// Why there is no answer that can be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It cannot be reached, or fell silent, or broke off.
    Lost(String),
    /// Somebody on the way says that it cannot be asked now.
    Busy {
        /// The status of the answer.
        status: u16,
        /// Seconds after which it would like to be asked again.
        retry_after: Option<u64>,
    },
    /// It says why not.
    Refused {
        /// What it says.
        problem: Box<Problem>,
        /// Seconds after which it would like to be asked again.
        retry_after: Option<u64>,
    },
    /// It says what no server of this kind says.
    Strange(String),
}

impl Trouble {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Busy { .. } => true,
            Self::Refused { problem, .. } => problem.code.is_passing(),
            Self::Strange(_) => false,
        }
    }

    /// The code by which the server refused, if it did.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { problem, .. } => Some(problem.code),
            Self::Lost(_) | Self::Busy { .. } | Self::Strange(_) => None,
        }
    }

    /// Seconds after which the server would like to be asked again.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Refused { retry_after, .. } | Self::Busy { retry_after, .. } => *retry_after,
            Self::Lost(_) | Self::Strange(_) => None,
        }
    }

    /// What people and the shell are told of it.
    pub(crate) fn failure(self, url: &ServerUrl) -> Failure {
        match self {
            Self::Lost(text) => Failure::new(Exit::Unavailable, format!("{url}: {text}")),
            Self::Busy { status, .. } => {
                let text = format!("{url}: it answers with the status {status}");
                Failure::new(Exit::Unavailable, text).advise("try again later")
            }
            Self::Strange(text) => {
                let failure = Failure::new(Exit::Unavailable, format!("{url}: {text}"));
                failure.advise("is that a StemeDB server, and of this version?")
            }
            Self::Refused { problem, .. } => refused(&problem, url),
        }
    }
}

fn refused(problem: &Problem, url: &ServerUrl) -> Failure {
    let Problem {
        code,
        detail,
        request_id,
        status,
        ..
    } = problem;
    let exit = exit_for(*code);
    let text = match code {
        // In the words in which the library says it.
        Code::BadCursor | Code::RecordNotFound => return Failure::new(exit, detail),
        _ if *status >= 500 => format!("{url}: {detail} (request {request_id})"),
        _ => format!("{url}: {detail}"),
    };
    let failure = Failure::new(exit, text);
    match advice_for(*code) {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

/// The exit that stands for a code.
const fn exit_for(code: Code) -> Exit {
    match code {
        Code::RecordNotFound => Exit::NotFound,
        Code::InvalidJson
        | Code::InvalidRecord
        | Code::InvalidEncoding
        | Code::BodyTooLarge
        | Code::BadPath
        | Code::BadQuery
        | Code::BadCursor => Exit::Usage,
        Code::Unauthenticated
        | Code::Forbidden
        | Code::CrossOrigin
        | Code::Misdirected
        | Code::RateLimited
        | Code::NotYetApplied
        | Code::BodyTimeout
        | Code::RequestTimeout
        | Code::ShuttingDown
        | Code::Unavailable
        | Code::NoSpace
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::UnsupportedMediaType
        | Code::BadHeader => Exit::Unavailable,
        // A code that is not known yet is no promise that the data is sound.
        Code::Corruption | Code::Internal | _ => Exit::Corruption,
    }
}

/// The next step, where there is one to name that the server has not named.
const fn advice_for(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some(
            "name a file with --token-file, or set STEMEDB_TOKEN; whoever runs the server makes one with `stemedb token create`",
        ),
        Code::Forbidden => Some("use a token that allows it"),
        Code::RateLimited
        | Code::BodyTimeout
        | Code::RequestTimeout
        | Code::ShuttingDown
        | Code::Unavailable => Some("try again later"),
        Code::NotFound | Code::MethodNotAllowed => {
            Some("the server may be older than this program, or the URL lead past it")
        }
        Code::Corruption => Some("whoever runs the server should look at its log"),
        Code::Internal => Some("the log of the server says more"),
        _ => None,
    }
}
