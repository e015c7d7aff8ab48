//! `restore`: a database from a backup.

use serde::Serialize;
use stemedb::backup::{RestoreOptions, restore};

use super::{Context, record::print_rows, working::Working};
use crate::{
    args::Restore,
    failure::{Exit, Failure},
    output::Form,
    text::grouped,
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Restored {
    journal: String,
    last_sequence: u64,
    head_hash: Option<String>,
    segments: u64,
    bytes: u64,
    assertions: u64,
    votes: u64,
    epochs: u64,
    quarantined: u64,
    duplicates: u64,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: Restore) -> Result<Exit, Failure> {
    let working = Working::new(context.output.shows_progress(), "segments");
    let options = RestoreOptions { head: args.head };
    let report = restore(&args.source, context.dir(), &options, &mut |progress| {
        working.show(&progress);
    });
    working.clear();
    let report = report?;
    let restored = Restored {
        journal: report.journal,
        last_sequence: report.last_sequence,
        head_hash: report.head_hash,
        segments: report.segments,
        bytes: report.bytes,
        assertions: report.counts.assertions,
        votes: report.counts.votes,
        epochs: report.counts.epochs,
        quarantined: report.counts.quarantined,
        duplicates: report.counts.duplicates,
    };
    match context.output.form() {
        Form::Json => context.output.json(&restored)?,
        Form::People => print_rows(&mut context.output, &restored.rows())?,
    }
    Ok(Exit::Fine)
}

impl Restored {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let head_hash = self.head_hash.as_deref();
        vec![
            ("journal", self.journal.clone()),
            ("last sequence", grouped(self.last_sequence)),
            (
                "head hash",
                head_hash.unwrap_or("none, there is no record").to_owned(),
            ),
            ("segments", grouped(self.segments)),
            ("bytes", grouped(self.bytes)),
            ("assertions", grouped(self.assertions)),
            ("votes", grouped(self.votes)),
            ("epochs", grouped(self.epochs)),
            ("in quarantine", grouped(self.quarantined)),
            ("duplicates", grouped(self.duplicates)),
        ]
    }
}
