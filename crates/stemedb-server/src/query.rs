//! The parameters of a request: which there are, each once, and what they mean.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{Uri, request::Parts},
};
use stemedb::{ErrorKind, Page, PageCursor, Predicate, RecordId, RecordType, Sequence, Subject};

use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::page::{Cursors, Extent};
use crate::problem::{Asked, Problem};
use crate::wire::Code;

#[cfg(test)]
mod tests;

/// The parameters of a part of a list.
pub(crate) const LIST: [&str; 5] = ["limit", "cursor", "cursors", "as_of", "min_sequence"];
/// The parameters of a feed.
pub(crate) const FEED: [&str; 4] = ["since", "subject_prefix", "type", "live"];
/// The parameters of one record.
pub(crate) const ONE: [&str; 2] = ["as_of", "min_sequence"];

/// The parameters of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

/// That a request has no parameters. Nothing of it is kept: the buffer that a head was read into is used again once nobody has a part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::of(&parts.uri, &[]).map(|_| Self)
    }
}

/// As of when a read is answered, and in whose company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// Only what had arrived by this sequence.
    pub(crate) as_of: Option<Sequence>,
    /// Not before this sequence can be read.
    pub(crate) min_sequence: Option<Sequence>,
    /// Whether much is asked for, which has to wait for its turn.
    pub(crate) is_long: bool,
}

impl At {
    /// The same, for whoever asks for much.
    pub(crate) fn long(self) -> Self {
        Self {
            is_long: true,
            ..self
        }
    }

    /// The sequence that has to be readable first.
    pub(crate) fn wanted(self) -> Option<Sequence> {
        self.as_of.max(self.min_sequence)
    }
}

impl Query {
    /// Reads the query of `uri`, which may have the parameters in `known` and no others.
    pub(crate) fn of(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        let pairs = uri.query().unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let malformed = || bad(format!("{name}: not percent-encoded UTF-8"));
            let name = decode(&name.replace('+', " ")).ok_or_else(malformed)?;
            let value = decode(&value.replace('+', " ")).ok_or_else(malformed)?;
            if !known.contains(&name.as_str()) {
                let known = match known {
                    [] => "there are none here".to_owned(),
                    known => format!("known are {}", known.join(", ")),
                };
                return Err(bad(format!("{}: unknown parameter; {known}", shown(&name))));
            }
            if parameters.iter().any(|(given, _)| *given == name) {
                return Err(bad(format!("{name}: given twice")));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        parameters
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// As of when to answer.
    pub(crate) fn at(&self) -> Result<At, Problem> {
        Ok(At {
            as_of: self.sequence("as_of")?,
            min_sequence: self.sequence("min_sequence")?,
            is_long: self.items_max()? > PAGE_ITEMS_DEFAULT,
        })
    }

    fn sequence(&self, name: &str) -> Result<Option<Sequence>, Problem> {
        let parse = |text: &str| {
            let sequence = number(text).and_then(Sequence::new);
            sequence.ok_or_else(|| bad(format!("{name}: \"{}\" is no sequence", shown(text))))
        };
        self.value(name).map(parse).transpose()
    }

    /// How much a page gives.
    pub(crate) fn limit(&self) -> Result<Extent, Problem> {
        Ok(Extent {
            items_max: self.items_max()?,
            cursors: match self.flag("cursors")? {
                Some(true) => Cursors::OfEach,
                None | Some(false) => Cursors::OfNext,
            },
        })
    }

    fn items_max(&self) -> Result<usize, Problem> {
        let Some(text) = self.value("limit") else {
            return Ok(PAGE_ITEMS_DEFAULT);
        };
        let limit = number(text).and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| (1..=PAGE_ITEMS_MAX).contains(limit));
        let refused = || format!("limit: \"{}\" is outside 1..={PAGE_ITEMS_MAX}", shown(text));
        limit.ok_or_else(|| bad(refused()))
    }

    /// Where a list begins.
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        let cursor = self.value("cursor").map(str::parse::<PageCursor>);
        Ok(Page {
            as_of: self.at()?.as_of,
            after: cursor.transpose().map_err(|error| bad_cursor(&error))?,
        })
    }

    /// The property that is asked for.
    pub(crate) fn predicate(&self) -> Result<Option<Predicate>, Problem> {
        let predicate = self.value("predicate").map(Predicate::new).transpose();
        predicate.map_err(|invalid| bad(invalid.to_string()))
    }

    /// Behind which sequence a feed begins; 0 is before all.
    pub(crate) fn since(&self) -> Result<Option<u64>, Problem> {
        let since = self.value("since");
        since.map(|text| past("since", text)).transpose()
    }

    /// A number, if it is given.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, Problem> {
        let parse = |text: &str| {
            number(text).ok_or_else(|| bad(format!("{name}: \"{}\" is no number", shown(text))))
        };
        self.value(name).map(parse).transpose()
    }

    /// Whether something is wanted, if it is said.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        let parse = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(bad(format!(
                "{name}: \"{}\" is neither true nor false",
                shown(text)
            ))),
        };
        self.value(name).map(parse).transpose()
    }

    /// The type of record that is asked for.
    pub(crate) fn record_type(&self) -> Result<Option<RecordType>, Problem> {
        let parse = |text: &str| match text {
            "assertion" => Ok(RecordType::Assertion),
            "vote" => Ok(RecordType::Vote),
            "epoch" => Ok(RecordType::Epoch),
            _ => Err(bad(format!(
                "type: \"{}\" is none of assertion, vote, epoch",
                shown(text)
            ))),
        };
        self.value("type").map(parse).transpose()
    }

    /// What names of subjects begin with, by the parameter `name`; empty where it is not given.
    pub(crate) fn prefix(&self, name: &str) -> Result<String, Problem> {
        let prefix = self.value(name).unwrap_or_default();
        if prefix.is_empty() {
            return Ok(String::new());
        }
        // No name begins with what is no name itself, and behind the name in a key stands more.
        match Subject::new(prefix) {
            Ok(_) => Ok(prefix.to_owned()),
            Err(invalid) => Err(bad(format!("{name}: {}", invalid.reason()))),
        }
    }
}

/// The last variable part of a path: the id of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathId(pub(crate) RecordId);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_part(parts, state).await?;
        let id = text.parse();
        id.map(Self).map_err(|invalid: stemedb::Invalid| {
            Problem::new(Code::BadPath, format!("id: {invalid}"))
        })
    }
}

/// The variable part of a path: a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathNumber(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for PathNumber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_part(parts, state).await?;
        let refused = || Problem::new(Code::BadPath, format!("\"{}\" is no number", shown(&text)));
        number(&text).map(Self).ok_or_else(refused)
    }
}

/// The last variable part of a path: the name of a subject.
#[derive(Clone, Debug)]
pub(crate) struct PathSubject(pub(crate) Subject);

impl<S: Send + Sync> FromRequestParts<S> for PathSubject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_part(parts, state).await?;
        let subject = Subject::new(text);
        subject
            .map(Self)
            .map_err(|invalid| Problem::new(Code::BadPath, invalid.to_string()))
    }
}

/// The one variable part of the path.
async fn path_part<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let malformed = || Problem::new(Code::BadPath, "the path is not percent-encoded UTF-8");
    // The router leaves a per cent sign alone that begins no escape, and a name may hold one: such a path has two readings.
    decode(parts.uri.path()).ok_or_else(malformed)?;
    let parameters = RawPathParams::from_request_parts(parts, state).await;
    let parameters = parameters.map_err(|rejection| {
        tracing::debug!(%rejection, "a path was refused");
        malformed()
    })?;
    let part = parameters.iter().next().map(|(_, part)| part.to_owned());
    part.ok_or_else(|| Problem::internal("the route has no variable part"))
}

/// The bytes behind percent-encoding, if every per cent sign begins an escape and they are UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A sequence, or 0, behind which something begins.
pub(crate) fn past(name: &str, text: &str) -> Result<u64, Problem> {
    let refused = || bad(format!("{name}: \"{}\" is no sequence", shown(text)));
    number(text).ok_or_else(refused)
}

/// A number as digits and nothing else.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// `text`, shortened, without control characters.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let shown = text.chars().take(CHARS_MAX);
    shown.flat_map(char::escape_default).collect()
}

pub(crate) fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(Code::BadQuery, detail)
}

/// The refusal of a cursor.
fn bad_cursor(error: &stemedb::Error) -> Problem {
    Problem::new(Code::BadCursor, error.to_string())
}

/// Why a list cannot begin: all that can be invalid about it by then is its cursor.
pub(crate) fn cannot_list(error: &stemedb::Error) -> Problem {
    match error.kind() {
        ErrorKind::Invalid => bad_cursor(error),
        _ => Problem::of(error, Asked::Read),
    }
}
