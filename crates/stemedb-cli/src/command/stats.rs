//! `stats`: counts, sequences and sizes.

use stemedb_server::wire::Stats;

use super::{Context, record::print_rows};
use crate::{
    failure::{Exit, Failure},
    output::Form,
    text::grouped,
};

/// Runs the command.
pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let stats = context.claims()?.stats()?;
    match context.output.form() {
        Form::Json => context.output.json(&stats)?,
        Form::People => print_rows(&mut context.output, &rows(stats))?,
    }
    Ok(Exit::Fine)
}

fn rows(stats: Stats) -> Vec<(&'static str, String)> {
    let Stats { journal, store, .. } = stats;
    let head_hash = journal.head_hash;
    vec![
        ("assertions", grouped(stats.assertions)),
        ("votes", grouped(stats.votes)),
        ("epochs", grouped(stats.epochs)),
        ("quarantined", grouped(stats.quarantined)),
        ("durable sequence", grouped(stats.durable_sequence)),
        ("applied sequence", grouped(stats.applied_sequence)),
        ("journal id", journal.id),
        (
            "journal head hash",
            head_hash.unwrap_or("none, there is no record".to_owned()),
        ),
        ("journal segments", grouped(journal.segments)),
        ("journal bytes", grouped(journal.bytes)),
        ("store kind", store.kind),
        ("store bytes", grouped(store.bytes)),
    ]
}
