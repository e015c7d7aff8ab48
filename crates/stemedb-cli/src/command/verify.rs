//! `verify`: whether every byte is what was written.

use serde::Serialize;
use stemedb::maintenance::{self, Problem, VerifyOptions, VerifyReport};

use super::{Context, record::print_rows, working::Working};
use crate::{
    args::Verify,
    failure::{Exit, Failure},
    output::{Form, Output, Style},
    text::{counted, grouped, printable},
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Json<'a> {
    ok: bool,
    segments: u64,
    groups: u64,
    records: u64,
    journal_bytes: u64,
    head_hash: Option<&'a str>,
    applied_sequence: u64,
    assertions: u64,
    votes: u64,
    epochs: u64,
    quarantined: u64,
    duplicates: u64,
    index_entries: u64,
    problems_count: u64,
    problems: Vec<Found<'a>>,
}

/// One problem.
#[derive(Debug, Serialize)]
struct Found<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    problem: &'a str,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Verify) -> Result<Exit, Failure> {
    let working = Working::new(context.output.shows_progress(), "steps");
    let options = VerifyOptions { quick: args.quick };
    let report = maintenance::verify(context.dir(), &options, &mut |progress| {
        working.show(&progress);
    });
    working.clear();
    let report = report?;
    match context.output.form() {
        Form::Json => context.output.json(&Json::of(&report))?,
        Form::People => print(&mut context.output, &report)?,
    }
    Ok(if report.is_ok() {
        Exit::Fine
    } else {
        Exit::Found
    })
}

impl<'a> Json<'a> {
    fn of(report: &'a VerifyReport) -> Self {
        let counts = report.counts;
        Self {
            ok: report.is_ok(),
            segments: report.segments,
            groups: report.groups,
            records: report.records,
            journal_bytes: report.journal_bytes,
            head_hash: report.head_hash.as_deref(),
            applied_sequence: report.applied_sequence,
            assertions: counts.assertions,
            votes: counts.votes,
            epochs: counts.epochs,
            quarantined: counts.quarantined,
            duplicates: counts.duplicates,
            index_entries: report.index_entries,
            problems_count: report.problems_count,
            problems: report.problems.iter().map(Found::of).collect(),
        }
    }
}

impl<'a> Found<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            file: problem.file.as_deref(),
            offset: problem.offset,
            key: problem.key.as_deref(),
            sequence: problem.sequence,
            problem: &problem.problem,
        }
    }

    /// Where it is, and what.
    fn line(&self) -> String {
        let mut places = Vec::new();
        places.extend(self.file.map(str::to_owned));
        places.extend(self.offset.map(|offset| format!("offset {offset}")));
        places.extend(self.key.map(|key| format!("key {key}")));
        places.extend(self.sequence.map(|sequence| format!("sequence {sequence}")));
        places.push(self.problem.to_owned());
        places.join(": ")
    }
}

/// How many problems there are, and how many of them are shown if not all are.
fn found(count: u64, shown: u64) -> String {
    let found = counted(count, "problem", "problems");
    if shown < count {
        format!("{found}, {} of them shown", grouped(shown))
    } else {
        found
    }
}

fn print(output: &mut Output, report: &VerifyReport) -> Result<(), Failure> {
    for problem in &report.problems {
        let line = Found::of(problem).line();
        output.line(printable(&line))?;
    }
    let verdict = match report.problems_count {
        0 => output.styled(Style::Bold, "no problems"),
        count => {
            let shown = u64::try_from(report.problems.len()).unwrap_or(u64::MAX);
            output.styled(Style::Warn, found(count, shown))
        }
    };
    output.line(verdict)?;
    let counts = report.counts;
    print_rows(
        output,
        &[
            ("segments", grouped(report.segments)),
            ("groups", grouped(report.groups)),
            ("records", grouped(report.records)),
            ("journal bytes", grouped(report.journal_bytes)),
            ("applied sequence", grouped(report.applied_sequence)),
            ("assertions", grouped(counts.assertions)),
            ("votes", grouped(counts.votes)),
            ("epochs", grouped(counts.epochs)),
            ("quarantined", grouped(counts.quarantined)),
            ("index entries", grouped(report.index_entries)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn problems_are_counted_and_named_as_shown_only_if_some_are_not() {
        assert_eq!(found(1, 1), "1 problem");
        assert_eq!(found(2, 2), "2 problems");
        assert_eq!(found(1200, 1000), "1,200 problems, 1,000 of them shown");
    }
}
