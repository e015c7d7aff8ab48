//! `stats`: counts, sequences and sizes.

use serde::Serialize;

use super::{Context, record::print_rows};
use crate::{
    failure::{Exit, Failure},
    output::Form,
    text::grouped,
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Json<'a> {
    assertions: u64,
    votes: u64,
    epochs: u64,
    quarantined: u64,
    durable_sequence: u64,
    applied_sequence: u64,
    journal: Journal<'a>,
    store: Store<'a>,
}

#[derive(Debug, Serialize)]
struct Journal<'a> {
    id: &'a str,
    head_hash: Option<&'a str>,
    segments: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Store<'a> {
    kind: &'a str,
    bytes: u64,
}

/// Runs the command.
pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let db = context.open()?;
    let stats = db.stats()?;
    let counts = stats.counts;
    let json = Json {
        assertions: counts.assertions,
        votes: counts.votes,
        epochs: counts.epochs,
        quarantined: counts.quarantined,
        durable_sequence: stats.durable_sequence,
        applied_sequence: stats.applied_sequence,
        journal: Journal {
            id: &stats.journal.id,
            head_hash: stats.journal.head_hash.as_deref(),
            segments: stats.journal.segments,
            bytes: stats.journal.bytes,
        },
        store: Store {
            kind: stats.store.kind,
            bytes: stats.store.bytes,
        },
    };
    match context.output.form() {
        Form::Json => context.output.json(&json)?,
        Form::People => print_rows(&mut context.output, &json.rows())?,
    }
    Ok(Exit::Fine)
}

impl Json<'_> {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let head_hash = self.journal.head_hash.unwrap_or("none, there is no record");
        vec![
            ("assertions", grouped(self.assertions)),
            ("votes", grouped(self.votes)),
            ("epochs", grouped(self.epochs)),
            ("quarantined", grouped(self.quarantined)),
            ("durable sequence", grouped(self.durable_sequence)),
            ("applied sequence", grouped(self.applied_sequence)),
            ("journal id", self.journal.id.to_owned()),
            ("journal head hash", head_hash.to_owned()),
            ("journal segments", grouped(self.journal.segments)),
            ("journal bytes", grouped(self.journal.bytes)),
            ("store kind", self.store.kind.to_owned()),
            ("store bytes", grouped(self.store.bytes)),
        ]
    }
}
