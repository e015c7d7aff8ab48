//! `ingest`: records from files into the database.

use serde::Serialize;
use stemedb::{Create, Database};

use crate::{
    args::Ingest,
    clock::Stopwatch,
    command::Context,
    failure::{Exit, Failure},
    input,
    output::{self, Form, Talk},
    remote::ServerUrl,
    text::{counted, grouped, rate},
};

mod load;
mod outlet;
mod parse;
mod place;
mod progress;
mod read;
mod target;
mod upload;

use load::{End, Load, OnReject};
use outlet::Outlets;
use progress::Progress;
use target::{Sequences, Target};
use upload::Uploader;

/// Bytes of groups that the store may be behind the journal; what it is behind takes memory. A quarter of it is a batch.
const BEHIND_BYTES_MAX: u64 = 128 << 20;

/// What became of the lines so far; only what is known for certain is counted.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    pub(crate) rejected: u64,
    pub(crate) assertions: u64,
    pub(crate) votes: u64,
    pub(crate) epochs: u64,
}

impl Tally {
    /// All lines that are accounted for.
    pub(crate) const fn lines(&self) -> u64 {
        self.stored + self.duplicates + self.rejected
    }
}

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Summary {
    lines: u64,
    stored: u64,
    duplicates: u64,
    rejected: u64,
    assertions: u64,
    votes: u64,
    epochs: u64,
    durable_sequence: Option<u64>,
    applied_sequence: Option<u64>,
    elapsed_ms: u64,
}

/// Runs the command.
pub(crate) fn run(context: &mut Context, args: Ingest) -> Result<Exit, Failure> {
    let stopwatch = Stopwatch::start();
    let total_bytes = input::check(&args.files)?;
    let here = context.url().is_none().then(|| context.dir());
    place::check(&args, here)?;
    let bar = if context.output.shows_progress() {
        Progress::shown(total_bytes)
    } else {
        Progress::hidden()
    };
    let target = match context.url() {
        Some(url) => reach(context, url, &bar)?,
        None => Target::Here(Box::new(open(context)?)),
    };
    // Only who holds the database may begin the files of another ingest anew.
    let outlets = Outlets::create(&args)?;
    let on_reject = if args.stop_on_error {
        OnReject::Stop
    } else {
        OnReject::GoOn
    };
    let mut load = Load::new(&target, outlets, bar, on_reject);
    let loaded = load.run(args.files);
    let End {
        tally,
        last,
        damaged,
        unshown,
    } = load.end();
    if unshown > 0 {
        context.output.note(format_args!(
            "{} more rejected lines are not shown; --results FILE tells all",
            grouped(unshown)
        ));
    }
    let sequences = target.sequences(last);
    let answered = answer(context, tally, sequences, stopwatch);
    let closed = target.close();
    loaded.and(answered).and(closed)?;
    Ok(match tally.rejected + damaged {
        0 => Exit::Fine,
        _ => Exit::Found,
    })
}

fn open(context: &Context) -> Result<Database, Failure> {
    let builder = context.builder().create(Create::IfMissing);
    let db = context.open_with(builder.behind_bytes_max(BEHIND_BYTES_MAX))?;
    if db.was_created() {
        let note = format!("created a database in {}", context.place());
        context.output.note(note);
    }
    Ok(db)
}

/// Finds the server, which is asked by one client, and sent to by another.
fn reach(context: &Context, url: &ServerUrl, bar: &Progress) -> Result<Target, Failure> {
    let (bar, talk) = (bar.clone(), context.settings.talk());
    let note = move |text: String| {
        if talk == Talk::Normal {
            bar.suspended(|| output::say(&text));
        }
    };
    Ok(Target::There {
        uploader: Uploader::start(context.client(url)?, note)?,
        client: Box::new(context.client(url)?),
    })
}

fn answer(
    context: &mut Context,
    tally: Tally,
    sequences: Sequences,
    stopwatch: Stopwatch,
) -> Result<(), Failure> {
    let summary = Summary {
        lines: tally.lines(),
        stored: tally.stored,
        duplicates: tally.duplicates,
        rejected: tally.rejected,
        assertions: tally.assertions,
        votes: tally.votes,
        epochs: tally.epochs,
        durable_sequence: sequences.durable,
        applied_sequence: sequences.applied,
        elapsed_ms: stopwatch.elapsed_ms(),
    };
    match context.output.form() {
        Form::Json => context.output.json(&summary)?,
        Form::People => {
            let place = context.place();
            for line in summary.for_people(&place) {
                context.output.line(crate::text::printable(&line))?;
            }
        }
    }
    context.output.flush()
}

impl Summary {
    fn for_people(&self, place: &str) -> Vec<String> {
        let by_type = [
            counted(self.assertions, "assertion", "assertions"),
            counted(self.votes, "vote", "votes"),
            counted(self.epochs, "epoch", "epochs"),
        ];
        let durable = self.durable_sequence.map(grouped);
        let durable = durable.map(|upto| format!("durable up to sequence {upto}, "));
        let readable = self.applied_sequence.map(grouped);
        let readable = readable.map(|upto| format!("readable up to {upto}, "));
        vec![
            format!(
                "{} read in {} ms ({} a second)",
                counted(self.lines, "line", "lines"),
                grouped(self.elapsed_ms),
                grouped(rate(self.lines, self.elapsed_ms))
            ),
            format!(
                "  stored      {} ({})",
                grouped(self.stored),
                by_type.join(", ")
            ),
            format!("  duplicates  {}", grouped(self.duplicates)),
            format!("  rejected    {}", grouped(self.rejected)),
            format!(
                "{}{}in {place}",
                durable.unwrap_or_default(),
                readable.unwrap_or_default()
            ),
        ]
    }
}
