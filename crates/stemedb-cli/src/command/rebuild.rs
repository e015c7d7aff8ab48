//! `rebuild`: a new store from the journal.

use serde::Serialize;
use stemedb::maintenance;

use super::{Context, working::Working};
use crate::{
    failure::{Exit, Failure},
    output::Form,
    text::{counted, grouped, printable},
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Rebuilt {
    assertions: u64,
    votes: u64,
    epochs: u64,
    quarantined: u64,
    applied_sequence: u64,
    /// Where the old store was kept, if it was.
    kept: Option<String>,
    /// Last sequence that the old store had applied, where the journal no longer reaches it.
    lost_up_to: Option<u64>,
    /// Whether the marker of the database was written anew.
    marker_written: bool,
}

/// Runs the command.
pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let working = Working::new(context.output.shows_progress(), "records");
    let report = maintenance::rebuild(context.dir(), &mut |progress| working.show(&progress));
    working.clear();
    let report = report?;
    let rebuilt = Rebuilt {
        assertions: report.counts.assertions,
        votes: report.counts.votes,
        epochs: report.counts.epochs,
        quarantined: report.counts.quarantined,
        applied_sequence: report.applied_sequence,
        kept: report.kept.map(|path| path.display().to_string()),
        lost_up_to: report.lost_up_to,
        marker_written: report.marker_written,
    };
    match context.output.form() {
        Form::Json => context.output.json(&rebuilt)?,
        Form::People => {
            let counts = [
                counted(rebuilt.assertions, "assertion", "assertions"),
                counted(rebuilt.votes, "vote", "votes"),
                counted(rebuilt.epochs, "epoch", "epochs"),
                format!("{} in quarantine", grouped(rebuilt.quarantined)),
            ];
            let sequence = grouped(rebuilt.applied_sequence);
            let counts = counts.join(", ");
            context.output.line(format_args!(
                "a new store holds {counts}, up to sequence {sequence}"
            ))?;
        }
    }
    if let Some(kept) = &rebuilt.kept {
        context.output.note(format_args!(
            "the old store was kept in {}",
            printable(kept)
        ));
    }
    if rebuilt.marker_written {
        let note = format_args!("the marker of the database was written anew");
        context.output.note(note);
    }
    if let Some(lost) = rebuilt.lost_up_to {
        context.output.note(format_args!(
            "the old store had applied sequence {}, the journal ends at {}: the records between are lost",
            grouped(lost),
            grouped(rebuilt.applied_sequence)
        ));
        return Ok(Exit::Found);
    }
    Ok(Exit::Fine)
}
