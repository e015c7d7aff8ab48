//! `backup`: a copy of the journal on another disk, brought up to date.

use serde::Serialize;
use stemedb::backup::BackupReport;

use super::{Context, record::print_rows, working::Working};
use crate::{
    args::Backup,
    failure::{Exit, Failure},
    output::{Form, Style},
    text::{grouped, printable},
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Made {
    journal: String,
    last_sequence: u64,
    head_hash: Option<String>,
    kept_segments: u64,
    copied_segments: u64,
    copied_bytes: u64,
    mended: Vec<Mended>,
}

/// A segment of the earlier backup that was damaged, and was copied again.
#[derive(Debug, Serialize)]
struct Mended {
    file: String,
    offset: u64,
    found: String,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Backup) -> Result<Exit, Failure> {
    let claims = context.claims()?;
    let working = Working::new(context.output.shows_progress(), "bytes");
    let made = claims.backup(&args.destination, &mut |progress| working.show(&progress));
    working.clear();
    let made = Made::of(made?);
    claims.close()?;
    print(context, &made)?;
    for Mended {
        file,
        offset,
        found,
    } in &made.mended
    {
        let place = printable(file);
        let note = format!("{place} offset {offset}: {found}; it was copied again");
        context
            .output
            .note(context.output.styled(Style::Warn, note));
    }
    Ok(if made.mended.is_empty() {
        Exit::Fine
    } else {
        Exit::Found
    })
}

impl Made {
    fn of(report: BackupReport) -> Self {
        let mended = report.mended.into_iter().map(|damaged| Mended {
            file: damaged.file,
            offset: damaged.offset,
            found: damaged.fault,
        });
        Self {
            journal: report.journal,
            last_sequence: report.last_sequence,
            head_hash: report.head_hash,
            kept_segments: report.kept_segments,
            copied_segments: report.copied_segments,
            copied_bytes: report.copied_bytes,
            mended: mended.collect(),
        }
    }
}

fn print(context: &mut Context, made: &Made) -> Result<(), Failure> {
    if context.output.form() == Form::Json {
        return context.output.json(made);
    }
    let head_hash = made.head_hash.as_deref();
    let rows = [
        ("journal", made.journal.clone()),
        ("last sequence", grouped(made.last_sequence)),
        (
            "head hash",
            head_hash.unwrap_or("none, there is no record").to_owned(),
        ),
        ("segments kept", grouped(made.kept_segments)),
        ("segments copied", grouped(made.copied_segments)),
        ("bytes copied", grouped(made.copied_bytes)),
    ];
    print_rows(&mut context.output, &rows)
}
