//! `subject`: what is claimed about it, and who disagrees.

use stemedb::{Listed, Page, Predicate, Record, Sequence, Stored, Subject};

use super::{Context, listing, page, record};
use crate::{
    args::OneSubject,
    claims::View,
    failure::{Exit, Failure},
    output::{Form, Output},
    text::{grouped, printable},
};

mod group;
mod show;

/// Assertions that are gathered for one picture, unless `--limit` says otherwise.
const GATHERED_MAX: u64 = 100_000;

/// Names that are proposed in place of one that is not known.
const NEAR_MAX: usize = 5;

/// Assertions among which predicates are looked for that can be proposed.
const SEARCHED_MAX: usize = 10_000;

/// Characters by which a name is near another: what both begin with.
const NEAR_CHARS: usize = 4;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &OneSubject) -> Result<Exit, Failure> {
    let subject = Subject::new(args.name.as_str())?;
    let predicate = args.predicate.as_deref().map(Predicate::new).transpose()?;
    let page = page(&args.part)?;
    let claims = context.claims()?;
    let view = claims.view()?;
    let mut found = view
        .assertions(&subject, predicate.as_ref(), &page)?
        .peekable();
    if found.peek().is_none() {
        // Behind the last entry of a list there is nothing, which is no error.
        if page.after.is_some() {
            return Ok(Exit::Fine);
        }
        return Err(unknown(&view, &subject, predicate.as_ref(), page.as_of)?);
    }
    let output = &mut context.output;
    if output.form() == Form::Json {
        listing::print(found, args.part.limit, |stored, cursor| {
            record::json(output, stored, Some(cursor))
        })?;
        return Ok(Exit::Fine);
    }
    picture(output, &subject, found, args.part.limit)
}

/// Shows the whole picture to people.
fn picture(
    output: &mut Output,
    subject: &Subject,
    found: impl Iterator<Item = Result<Listed<Stored>, Failure>>,
    limit: Option<u64>,
) -> Result<Exit, Failure> {
    let mut groups = group::Groups::default();
    let limit = limit.unwrap_or(GATHERED_MAX);
    let printed = listing::print(found, Some(limit), |stored, _| {
        if let Record::Assertion(assertion) = &stored.record {
            groups.add(stored.id, assertion);
        }
        Ok(())
    })?;
    show::print(output, subject.as_str(), &groups)?;
    if let Some(cursor) = printed.more {
        let count = grouped(printed.count);
        output.note(format_args!("these are {count} assertions of more"));
        output.note(listing::continuation(&cursor));
    }
    Ok(Exit::Fine)
}

/// Says that nothing is claimed, and which names are near.
fn unknown(
    view: &View<'_>,
    subject: &Subject,
    predicate: Option<&Predicate>,
    as_of: Option<Sequence>,
) -> Result<Failure, Failure> {
    let name = printable(subject.as_str());
    let about = predicate.map(|it| format!(" with predicate \"{}\"", printable(it.as_str())));
    let text = format!(
        "nothing is claimed about \"{name}\"{}",
        about.unwrap_or_default()
    );
    let failure = Failure::new(Exit::NotFound, text);
    let page = Page { as_of, after: None };
    if predicate.is_some() {
        let known = predicates(view, subject, &page)?;
        if !known.is_empty() {
            let known = format!("it has predicates {}", known.join(", "));
            return Ok(failure.advise(&known));
        }
    }
    let near = near(view, subject, &page)?;
    Ok(if near.is_empty() {
        failure.advise("`stemedb subjects` lists what there is")
    } else {
        failure.advise(&format!("there are {}", near.join(", ")))
    })
}

/// The first few predicates of a subject.
fn predicates(view: &View<'_>, subject: &Subject, page: &Page) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    let found = view.assertions(subject, None, page)?;
    for entry in found.take(SEARCHED_MAX) {
        let Record::Assertion(assertion) = entry?.value.record else {
            continue;
        };
        let name = format!("\"{}\"", printable(assertion.predicate.as_str()));
        // They come in order, so one that was seen is the last one seen.
        if names.last() == Some(&name) {
            continue;
        }
        if names.len() == NEAR_MAX {
            names.push("...".to_owned());
            break;
        }
        names.push(name);
    }
    Ok(names)
}

/// A few subjects that begin like this one.
fn near(view: &View<'_>, subject: &Subject, page: &Page) -> Result<Vec<String>, Failure> {
    let prefix: String = subject.as_str().chars().take(NEAR_CHARS).collect();
    let mut names = Vec::new();
    for entry in view.subjects(&prefix, page)?.take(NEAR_MAX) {
        names.push(format!("\"{}\"", printable(entry?.value.subject.as_str())));
    }
    Ok(names)
}
