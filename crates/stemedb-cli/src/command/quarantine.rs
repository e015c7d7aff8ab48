//! `quarantine`: what could not be applied, and why.

use serde::Serialize;
use stemedb::{Database, ErrorKind, Page, QuarantinedRecord, Receipt, RecordId, Sequence, Status};

use super::{Context, listing, page, sequence};
use crate::{
    args::{Part, Quarantine},
    failure::{Exit, Failure, chain},
    output::{Form, Output},
    text::{self, counted, printable},
};

/// Bytes of a record that stand on one line for people.
const DUMP_BYTES: usize = 16;

/// An entry with `--json`.
#[derive(Debug, Serialize)]
struct Json<'a> {
    sequence: Sequence,
    arrived_at: String,
    reason: &'a str,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
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
    new_sequence: Option<Sequence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Retried {
    fn admitted(sequence: Sequence, receipt: &Receipt) -> Self {
        let status = match receipt.status {
            Status::Stored => "stored",
            Status::AlreadyStored => "duplicate",
        };
        Self {
            sequence,
            status,
            id: Some(receipt.id),
            new_sequence: Some(receipt.sequence),
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
    let db = context.open()?;
    let view = db.view()?;
    let output = &mut context.output;
    let entries = view
        .quarantine(&page)?
        .map(|entry| entry.map_err(Failure::from));
    let printed = listing::print(entries, part.limit, |entry, cursor| match output.form() {
        Form::Json => output.json(&json(entry, Payload::Hidden, Some(cursor.to_string()))),
        Form::People => output.line(format_args!(
            "{:>12}  {}  {}",
            entry.sequence,
            text::time(entry.arrived_at_ms),
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

/// Whether an entry is shown with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Hidden,
    Shown,
}

fn json(entry: &QuarantinedRecord, payload: Payload, cursor: Option<String>) -> Json<'_> {
    Json {
        sequence: entry.sequence,
        arrived_at: text::time(entry.arrived_at_ms),
        reason: &entry.reason,
        bytes: entry.payload.len(),
        payload: (payload == Payload::Shown).then(|| text::hex(&entry.payload)),
        cursor,
    }
}

fn show(context: &mut Context, number: u64) -> Result<Exit, Failure> {
    let sequence = sequence(number)?;
    let db = context.open()?;
    let Some(entry) = db.view()?.quarantined(sequence)? else {
        let text = format!("sequence {sequence} is not in quarantine");
        let failure = Failure::new(Exit::NotFound, text);
        return Err(failure.advise("`stemedb quarantine list` shows what is"));
    };
    let output = &mut context.output;
    match output.form() {
        Form::Json => output.json(&json(&entry, Payload::Shown, None))?,
        Form::People => print(output, &entry)?,
    }
    Ok(Exit::Fine)
}

fn print(output: &mut Output, entry: &QuarantinedRecord) -> Result<(), Failure> {
    output.line(format_args!("sequence    {}", entry.sequence))?;
    output.line(format_args!(
        "arrived_at  {}",
        text::time(entry.arrived_at_ms)
    ))?;
    output.line(format_args!("reason      {}", printable(&entry.reason)))?;
    for (row, bytes) in entry.payload.chunks(DUMP_BYTES).enumerate() {
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
    let db = context.open()?;
    let sequences = if named.is_empty() { all(&db)? } else { named };
    if sequences.is_empty() {
        context.output.note("nothing is in quarantine");
    }
    let mut kept = 0;
    let mut last = None;
    for sequence in &sequences {
        let retried = match db.retry_quarantined(*sequence) {
            Ok(receipt) => {
                last = last.max(Some(receipt.sequence));
                Retried::admitted(*sequence, &receipt)
            }
            Err(error) if error.kind() == ErrorKind::Invalid => {
                kept += 1;
                Retried::refused(*sequence, chain(&error))
            }
            Err(error) => return Err(error.into()),
        };
        tell(&mut context.output, &retried)?;
    }
    if let Some(last) = last {
        db.wait_applied(last).wait()?;
    }
    db.close()?;
    Ok(match kept {
        0 => Exit::Fine,
        _ => Exit::Found,
    })
}

/// The sequences of all entries.
fn all(db: &Database) -> Result<Vec<Sequence>, Failure> {
    let view = db.view()?;
    let entries = view.quarantine(&Page::default())?;
    let mut sequences = Vec::new();
    for entry in entries {
        sequences.push(entry?.value.sequence);
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
