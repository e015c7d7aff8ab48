//! `quarantine`: what could not be applied, and why.

use serde::Serialize;
use stemedb::{Page, RecordId, Sequence};
use stemedb_server::wire::{self, Quarantined, Status};

use super::{Context, listing, page, sequence};
use crate::{
    args::{Part, Quarantine},
    claims::{Claims, Retry},
    failure::{Exit, Failure},
    output::{Form, Output},
    text::{self, counted, printable},
};

/// Bytes of a record that stand on one line for people.
const DUMP_BYTES: usize = 16;

/// An entry with `--json`.
#[derive(Debug, Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    entry: &'a Quarantined,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// What became of an entry that was tried again, with `--json`.
#[derive(Debug, Serialize)]
struct Retried {
    sequence: Sequence,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<RecordId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Retried {
    fn admitted(sequence: Sequence, retried: &wire::Retried) -> Self {
        let status = match retried.status {
            Status::Stored => "stored",
            Status::AlreadyStored => "duplicate",
        };
        Self {
            sequence,
            status,
            id: Some(retried.id),
            new_sequence: Some(retried.sequence),
            reason: None,
        }
    }

    fn refused(sequence: Sequence, reason: String) -> Self {
        Self {
            sequence,
            status: "kept",
            id: None,
            new_sequence: None,
            reason: Some(reason),
        }
    }
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: Quarantine) -> Result<Exit, Failure> {
    match args {
        Quarantine::List(part) => list(context, &part),
        Quarantine::Show { sequence } => show(context, sequence),
        Quarantine::Retry { sequences } => retry(context, &sequences),
    }
}

fn list(context: &mut Context, part: &Part) -> Result<Exit, Failure> {
    let page = page(part)?;
    let claims = context.claims()?;
    let view = claims.view()?;
    let output = &mut context.output;
    let entries = view.quarantine(&page)?;
    let printed = listing::print(entries, part.limit, |entry, cursor| match output.form() {
        Form::Json => output.json(&Json {
            entry,
            cursor: Some(cursor.to_string()),
        }),
        Form::People => output.line(format_args!(
            "{:>12}  {}  {}",
            entry.sequence,
            printable(&entry.arrived_at),
            printable(&entry.reason)
        )),
    })?;
    if output.form() == Form::People {
        output.note(counted(
            printed.count,
            "record in quarantine",
            "records in quarantine",
        ));
        printed
            .more
            .iter()
            .for_each(|cursor| output.note(listing::continuation(cursor)));
    }
    Ok(match printed.count {
        0 => Exit::Fine,
        _ => Exit::Found,
    })
}

fn show(context: &mut Context, number: u64) -> Result<Exit, Failure> {
    let sequence = sequence(number)?;
    let Some(entry) = context.claims()?.view()?.quarantined(sequence)? else {
        let text = format!("sequence {sequence} is not in quarantine");
        let failure = Failure::new(Exit::NotFound, text);
        return Err(failure.advise("`stemedb quarantine list` shows what is"));
    };
    let output = &mut context.output;
    match output.form() {
        Form::Json => output.json(&Json {
            entry: &entry,
            cursor: None,
        })?,
        Form::People => print(output, &entry)?,
    }
    Ok(Exit::Fine)
}

fn print(output: &mut Output, entry: &Quarantined) -> Result<(), Failure> {
    output.line(format_args!("sequence    {}", entry.sequence))?;
    output.line(format_args!("arrived_at  {}", printable(&entry.arrived_at)))?;
    output.line(format_args!("reason      {}", printable(&entry.reason)))?;
    let payload = bytes_of(entry.payload.as_deref().unwrap_or_default())?;
    for (row, bytes) in payload.chunks(DUMP_BYTES).enumerate() {
        let shown: String = bytes.iter().map(|byte| visible(*byte)).collect();
        let width = 2 * DUMP_BYTES;
        let hex = text::hex(bytes);
        output.line(format_args!(
            "{:08x}  {hex:width$}  {shown}",
            row * DUMP_BYTES
        ))?;
    }
    Ok(())
}

/// The bytes that hex digits stand for.
fn bytes_of(hex: &str) -> Result<Vec<u8>, Failure> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    let text = "the bytes of the record are not given in hex";
    bytes
        .filter(|_| rest.is_empty())
        .ok_or_else(|| Failure::new(Exit::Corruption, text))
}

fn visible(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte)
    } else {
        '.'
    }
}

fn retry(context: &mut Context, numbers: &[u64]) -> Result<Exit, Failure> {
    let named = numbers.iter().map(|number| sequence(*number));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let claims = context.claims()?;
    let sequences = if named.is_empty() {
        all(&claims)?
    } else {
        named
    };
    if sequences.is_empty() {
        context.output.note("nothing is in quarantine");
    }
    let mut kept = 0;
    let mut last = None;
    for sequence in &sequences {
        let retried = match claims.retry(*sequence)? {
            Retry::Admitted(retried) => {
                last = last.max(Sequence::new(retried.sequence));
                Retried::admitted(*sequence, &retried)
            }
            Retry::Kept(reason) => {
                kept += 1;
                Retried::refused(*sequence, reason)
            }
        };
        tell(&mut context.output, &retried)?;
    }
    if let Some(last) = last {
        claims.wait_applied(last)?;
    }
    claims.close()?;
    Ok(match kept {
        0 => Exit::Fine,
        _ => Exit::Found,
    })
}

/// The sequences of all entries.
fn all(claims: &Claims) -> Result<Vec<Sequence>, Failure> {
    let entries = claims.view()?.quarantine(&Page::default())?;
    let mut sequences = Vec::new();
    for entry in entries {
        sequences.push(sequence(entry?.value.sequence)?);
    }
    Ok(sequences)
}

fn tell(output: &mut Output, retried: &Retried) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return output.json(retried);
    }
    let Retried {
        sequence, status, ..
    } = retried;
    let detail = match (&retried.reason, retried.new_sequence) {
        (Some(reason), _) => printable(reason).into_owned(),
        (None, Some(new)) => format!("as sequence {new}"),
        (None, None) => String::new(),
    };
    output.line(format_args!("{sequence:>12}  {status}  {detail}"))
}
