//! `votes`: who is for and who is against an assertion.

use stemedb::{Record, Stored};

use super::{Context, listing, page, record, record_id};
use crate::{
    args::Votes,
    failure::{Exit, Failure},
    output::{Form, Output, Style},
    text,
};

/// The sums of what was printed.
#[derive(Debug, Default)]
struct Totals {
    votes_for: u64,
    votes_against: u64,
    neutral: u64,
    weight: f64,
}

impl Totals {
    fn add(&mut self, weight: f64) {
        *if weight > 0.0 {
            &mut self.votes_for
        } else if weight < 0.0 {
            &mut self.votes_against
        } else {
            &mut self.neutral
        } += 1;
        self.weight += weight;
    }

    fn line(&self) -> String {
        format!(
            "{} for, {} against, {} neutral; weights sum to {}",
            text::grouped(self.votes_for),
            text::grouped(self.votes_against),
            text::grouped(self.neutral),
            // Sums of decimal fractions would show their binary tails.
            (self.weight * 1e6).round() / 1e6
        )
    }
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Votes) -> Result<Exit, Failure> {
    let id = record_id(&args.id)?;
    let page = page(&args.part)?;
    let claims = context.claims()?;
    let view = claims.view()?;
    let assertion = view.get(id)?;
    let mut votes = view.votes(id, &page)?.peekable();
    match &assertion {
        None if votes.peek().is_none() => {
            let text = format!("no assertion {id}, and no vote on one of that name");
            return Err(Failure::new(Exit::NotFound, text));
        }
        Some(stored) if !matches!(stored.record, Record::Assertion(_)) => {
            let text = format!(
                "{id} is a record of type {}, not an assertion",
                stored.record.type_name()
            );
            return Err(Failure::new(Exit::NotFound, text));
        }
        _ => {}
    }
    let output = &mut context.output;
    if output.form() == Form::People {
        head(output, assertion.as_ref())?;
    }
    let mut totals = Totals::default();
    let printed = listing::print(votes, args.part.limit, |stored, cursor| {
        if output.form() == Form::Json {
            return record::json(output, stored, Some(cursor));
        }
        let Record::Vote(vote) = &stored.record else {
            return Ok(());
        };
        totals.add(vote.weight.get());
        let when = vote
            .timestamp
            .map(|time| format!("  {}", text::time(time.as_ms())));
        output.line(format_args!(
            "  {:>5}  {}{}",
            vote.weight,
            text::printable(vote.agent.as_str()),
            when.unwrap_or_default()
        ))
    })?;
    if output.form() == Form::People {
        output.line(totals.line())?;
        printed
            .more
            .iter()
            .for_each(|cursor| output.note(listing::continuation(cursor)));
    }
    Ok(Exit::Fine)
}

/// What is voted on.
fn head(output: &mut Output, assertion: Option<&Stored>) -> Result<(), Failure> {
    let Some(Record::Assertion(it)) = assertion.map(|stored| &stored.record) else {
        return output.line("the assertion itself is not known yet");
    };
    let said = format!(
        "{}  {}  {}",
        text::printable(it.subject.as_str()),
        text::printable(it.predicate.as_str()),
        text::object(&it.object)
    );
    let said = output.styled(Style::Bold, said);
    output.line(said)?;
    output.line(format_args!("says {}", text::printable(it.agent.as_str())))
}
