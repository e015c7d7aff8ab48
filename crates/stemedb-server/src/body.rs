//! The body of a write: from bytes to records that were checked, named and verified.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use stemedb::{Prepared, Record};
use tokio::task::spawn_blocking;

use crate::courtesy::let_others_run;
use crate::held::Held;
use crate::inlet::Inlet;
use crate::limits::{
    ARRAY_RECORDS_MAX, BODY_BYTES_RESERVED, ERRORS_LISTED_MAX, JSON_DEPTH_MAX, SCANNED_BYTES,
};
use crate::problem::{Asked, Problem};
use crate::state::Shared;
use crate::wire::{Code, ItemError};

mod rope;
#[cfg(test)]
mod tests;

use rope::Rope;

/// A body of JSON, with its share of the memory that all bodies may take.
#[derive(Debug)]
pub(crate) struct JsonBody {
    pub(crate) bytes: Rope,
    pub(crate) held: Held,
}

impl FromRequest<Arc<Shared>> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        check_form(request.headers())?;
        let bytes_max = shared.settings.body_bytes_max;
        let said = said_length(request.headers());
        if said > Some(bytes_max) {
            return Err(too_large(bytes_max));
        }
        let mut inlet = Inlet::new(request, &shared.settings);
        let (mut held, mut bytes) = (Held::default(), Rope::default());
        while let Some(more) = inlet.next().await.map_err(unreadable)? {
            let length = bytes.len() + more.len();
            if length > bytes_max {
                // To give back megabytes takes long as well. They are held until then.
                drop(spawn_blocking(move || drop((bytes, held))));
                return Err(too_large(bytes_max));
            }
            if length > bytes.capacity() {
                let capacity = next_capacity(bytes.capacity(), length, said.unwrap_or(bytes_max));
                shared.bodies.grow(&mut held, capacity).await;
                bytes.grow(capacity);
            }
            bytes.extend(&more);
        }
        Ok(Self { bytes, held })
    }
}

/// How much memory a body gets that has less than `length`, and may come to `most`: all that a short one needs, and of a long one
/// no more than twice what came of it, since a length that is said costs nothing.
fn next_capacity(capacity: usize, length: usize, most: usize) -> usize {
    let wanted = if most <= BODY_BYTES_RESERVED {
        most
    } else {
        most.min(capacity.saturating_mul(2))
    };
    wanted.max(length)
}

fn said_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("a body has at most {bytes_max} bytes; send more in several requests");
    Problem::new(Code::BodyTooLarge, detail)
}

fn unreadable(problem: Problem) -> Problem {
    let detail = format!("{}; nothing was stored", problem.detail);
    Problem { detail, ..problem }
}

/// Refuses what is not said to be JSON, and what is compressed.
fn check_form(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return refuse("send JSON, and say so: -H 'content-type: application/json'");
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_) => refuse("send the body as it is, without a content-encoding"),
    }
}

/// Whether a body was one record or an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    One,
    Array,
}

/// The records of a body.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) form: Form,
    pub(crate) prepared: Vec<Prepared>,
}

/// Reads and checks all records of a body, which are of the type `type_name`; if one is refused, all are.
pub(crate) fn prepare(body: &[u8], type_name: &'static str) -> Result<Records, Problem> {
    check_depth(body)?;
    // Nearly every body is one record, and sound. What is wrong with another is found out below.
    let one = read(body, type_name).ok();
    if let Some(Ok(one)) = one.as_ref().map(Prepared::new) {
        return Ok(Records {
            form: Form::One,
            prepared: vec![one],
        });
    }
    let_others_run();
    let (form, texts) = split(body)?;
    let (mut places, mut records, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (index, text) in texts.iter().enumerate() {
        let_others_run();
        match read(text.get().as_bytes(), type_name) {
            Ok(record) => {
                places.push(index);
                records.push(Ok::<_, stemedb::Error>(record));
            }
            Err(detail) => errors.push(ItemError { index, detail }),
        }
    }
    let mut prepared = Vec::with_capacity(records.len());
    for (index, checked) in places
        .into_iter()
        .zip(Prepared::all_or(records, let_others_run))
    {
        match checked {
            Ok(record) => prepared.push(record),
            Err(error) => match error.invalid() {
                Some(invalid) => errors.push(ItemError {
                    index,
                    detail: invalid.to_string(),
                }),
                // Nothing was handed in yet, so that the outcome is known.
                None => return Err(Problem::of(&error, Asked::Read)),
            },
        }
    }
    if errors.is_empty() {
        return Ok(Records { form, prepared });
    }
    errors.sort_unstable_by_key(|error| error.index);
    Err(refusal(form, texts.len(), errors))
}

/// The refusal of a body in which records are invalid.
fn refusal(form: Form, count: usize, mut errors: Vec<ItemError>) -> Problem {
    if form == Form::One {
        let detail = errors.pop().map(|error| error.detail).unwrap_or_default();
        return Problem {
            rejected: 1,
            ..Problem::new(Code::InvalidRecord, detail)
        };
    }
    let invalid = errors.len();
    errors.truncate(ERRORS_LISTED_MAX);
    let listed = match errors.len() {
        listed if listed < invalid => format!("; the first {listed} are listed"),
        _ => String::new(),
    };
    let detail = format!("{invalid} of {count} records are invalid, and none is stored{listed}");
    Problem {
        errors,
        rejected: invalid as u64,
        ..Problem::new(Code::InvalidRecord, detail)
    }
}

/// The texts of the records of a body.
fn split(body: &[u8]) -> Result<(Form, Vec<&RawValue>), Problem> {
    let syntax = |error: serde_json::Error| Problem::new(Code::InvalidJson, error.to_string());
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'[') {
        let text = serde_json::from_slice(body).map_err(syntax)?;
        return Ok((Form::One, vec![text]));
    }
    let Elements { texts, count } = serde_json::from_slice(body).map_err(syntax)?;
    match count {
        0 => {
            let detail = "the array is empty; send at least one record";
            Err(Problem::new(Code::InvalidRecord, detail))
        }
        count if count > ARRAY_RECORDS_MAX => {
            let detail = format!(
                "the array has {count} records, at most {ARRAY_RECORDS_MAX} are allowed; send more in several requests"
            );
            Err(Problem::new(Code::BodyTooLarge, detail))
        }
        _ => Ok((Form::Array, texts)),
    }
}

/// Refuses what is long and nested deeper than any record, before the parser follows it to its end: `serde_json` limits the depth of what it
/// reads, but not of a text that it keeps as it is, or of what it ignores.
fn check_depth(body: &[u8]) -> Result<(), Problem> {
    if body.len() <= SCANNED_BYTES {
        return Ok(());
    }
    let (mut depth, mut looked_at) = (0_usize, SCANNED_BYTES);
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        let index = body.len() - bytes.len() - 1;
        if index >= looked_at {
            let_others_run();
            looked_at = index + SCANNED_BYTES;
        }
        match byte {
            b'"' => pass_text(&mut bytes),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            let detail = format!(
                "it is nested deeper than {JSON_DEPTH_MAX} levels at byte {index}, which no record is, or a quotation mark is missing before"
            );
            return Err(Problem::new(Code::InvalidRecord, detail));
        }
    }
    Ok(())
}

/// Goes behind the end of a text.
fn pass_text(bytes: &mut std::slice::Iter<'_, u8>) {
    let mut looked_at = bytes.len();
    loop {
        let mut part = bytes.by_ref().take(SCANNED_BYTES);
        match part.find(|byte| matches!(byte, b'"' | b'\\')) {
            // What is escaped ends no text.
            Some(b'\\') => _ = bytes.next(),
            None if !bytes.as_slice().is_empty() => {}
            _ => return,
        }
        if looked_at - bytes.len() >= SCANNED_BYTES {
            let_others_run();
            looked_at = bytes.len();
        }
    }
}

/// The elements of an array, as far as an array may go.
struct Elements<'a> {
    texts: Vec<&'a RawValue>,
    count: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Elements<'de>, A::Error> {
        let mut texts = Vec::new();
        while texts.len() < ARRAY_RECORDS_MAX {
            let_others_run();
            match array.next_element()? {
                Some(text) => texts.push(text),
                None => break,
            }
        }
        let mut count = texts.len();
        while array.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
            if count.is_multiple_of(ARRAY_RECORDS_MAX) {
                let_others_run();
            }
        }
        Ok(Elements { texts, count })
    }
}

/// Reads one record, whose type is that of the route unless it says another one.
fn read(text: &[u8], type_name: &'static str) -> Result<Record, String> {
    let record = Record::from_json_of(type_name, text).map_err(|invalid| invalid.to_string())?;
    match record.type_name() {
        found if found == type_name => Ok(record),
        found => Err(format!(
            "type: this route takes records of type {type_name}, found {found}"
        )),
    }
}
