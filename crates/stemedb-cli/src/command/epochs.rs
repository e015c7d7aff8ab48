//! `epochs`: all of them, or one with those that it supersedes.

use stemedb::{Record, Stored};

use super::{Context, listing, page, record, record_id};
use crate::{
    args::Epochs,
    failure::{Exit, Failure},
    output::{Form, Output},
    text,
};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Epochs) -> Result<Exit, Failure> {
    match &args.id {
        Some(id) => chain(context, id),
        None => list(context, args),
    }
}

fn chain(context: &mut Context, id: &str) -> Result<Exit, Failure> {
    let id = record_id(id)?;
    let chain = context.claims()?.view()?.epoch_chain(id)?;
    if chain.is_empty() {
        let text = format!("no epoch {id} in {}", context.place());
        return Err(Failure::new(Exit::NotFound, text));
    }
    for stored in &chain {
        match context.output.form() {
            Form::Json => record::json(&mut context.output, stored, None)?,
            Form::People => line(&mut context.output, stored)?,
        }
    }
    if let Some(missing) = chain.last().and_then(superseded) {
        context
            .output
            .note(format_args!("supersedes {missing}, which is not known yet"));
    }
    Ok(Exit::Fine)
}

fn superseded(stored: &Stored) -> Option<stemedb::RecordId> {
    match &stored.record {
        Record::Epoch(epoch) => epoch.supersedes,
        Record::Assertion(_) | Record::Vote(_) => None,
    }
}

fn list(context: &mut Context, args: &Epochs) -> Result<Exit, Failure> {
    let page = page(&args.part)?;
    let claims = context.claims()?;
    let view = claims.view()?;
    let output = &mut context.output;
    let printed = listing::print(
        view.epochs(&page)?,
        args.part.limit,
        |stored, cursor| match output.form() {
            Form::Json => record::json(output, stored, Some(cursor)),
            Form::People => line(output, stored),
        },
    )?;
    if output.form() == Form::People {
        output.note(text::counted(printed.count, "epoch", "epochs"));
        printed
            .more
            .iter()
            .for_each(|cursor| output.note(listing::continuation(cursor)));
    }
    Ok(Exit::Fine)
}

fn line(output: &mut Output, stored: &Stored) -> Result<(), Failure> {
    let Record::Epoch(epoch) = &stored.record else {
        return Ok(());
    };
    let starts = epoch
        .starts_at
        .map(|time| format!("  from {}", text::time(time.as_ms())));
    let supersedes = epoch
        .supersedes
        .map(|id| format!("  supersedes {}", text::short_id(id)));
    output.line(format_args!(
        "{}  {}  by {}{}{}",
        stored.id,
        text::printable(epoch.name.as_str()),
        text::printable(epoch.agent.as_str()),
        starts.unwrap_or_default(),
        supersedes.unwrap_or_default()
    ))
}
