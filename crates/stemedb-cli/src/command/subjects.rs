//! `subjects`: names and how many assertions each has.

use serde::Serialize;

use super::{Context, listing, page};
use crate::{
    args::Subjects,
    failure::{Exit, Failure},
    output::Form,
    text,
};

/// One line with `--json`.
#[derive(Debug, Serialize)]
struct Json<'a> {
    subject: &'a str,
    assertions: u64,
    cursor: String,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Subjects) -> Result<Exit, Failure> {
    let page = page(&args.part)?;
    let claims = context.claims()?;
    let view = claims.view()?;
    let output = &mut context.output;
    let subjects = view.subjects(&args.prefix, &page)?;
    let printed = listing::print(subjects, args.part.limit, |entry, cursor| {
        let subject = entry.subject.as_str();
        let assertions = entry.assertions;
        match output.form() {
            Form::Json => output.json(&Json {
                subject,
                assertions,
                cursor: cursor.to_string(),
            }),
            Form::People => {
                let count = text::grouped(assertions);
                output.line(format_args!("{count:>12}  {}", text::printable(subject)))
            }
        }
    })?;
    if output.form() == Form::People {
        let count = text::counted(printed.count, "subject", "subjects");
        output.note(count);
        printed
            .more
            .iter()
            .for_each(|cursor| output.note(listing::continuation(cursor)));
    }
    Ok(Exit::Fine)
}
