//! `export`: all records in the order of their arrival.

use super::{Context, working::Working};
use crate::{
    args::Export,
    failure::{Exit, Failure},
};

/// Records after which the progress is shown anew.
const PROGRESS_RECORDS: u64 = 1024;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Export) -> Result<Exit, Failure> {
    let claims = context.claims()?;
    let shows = context.output.shows_progress() && !context.output.is_terminal();
    let counts = claims.stats()?;
    let total = counts.assertions + counts.votes + counts.epochs;
    let records = claims.records()?;
    let working = Working::new(shows, "records");
    let output = &mut context.output;
    let mut line = Vec::new();
    for (done, stored) in (0_u64..).zip(records) {
        let stored = stored?;
        if args.ids {
            output.line(stored.id)?;
        } else {
            line.clear();
            stored.record.write_json(&mut line);
            output.json_bytes(&line)?;
        }
        if done % PROGRESS_RECORDS == 0 {
            working.update(done, Some(total));
        }
    }
    working.clear();
    Ok(Exit::Fine)
}
