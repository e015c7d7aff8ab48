//! `init`: an empty database.

use serde::Serialize;
use stemedb::Create;

use super::{Context, store_kind};
use crate::{
    args::Init,
    failure::{Exit, Failure},
    output::Form,
    text,
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    dir: String,
    created: bool,
    store: &'a str,
    journal: &'a str,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Init) -> Result<Exit, Failure> {
    let dir = context.dir().display().to_string();
    let store = args.store.map_or_else(|| context.store(), store_kind);
    let builder = context.builder().create(Create::IfMissing).store(store);
    let db = builder.open(context.dir())?;
    let created = db.was_created();
    let stats = db.stats()?;
    db.close()?;
    if args.store.is_some() && stats.store.kind != store.name() {
        let text = format!(
            "{dir} is a database with a {} store already; name another directory",
            stats.store.kind
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    let output = &mut context.output;
    match output.form() {
        Form::Json => output.json(&Answer {
            dir,
            created,
            store: stats.store.kind,
            journal: &stats.journal.id,
        })?,
        Form::People => {
            let done = if created {
                "created"
            } else {
                "there is already"
            };
            let kind = stats.store.kind;
            let line = format!("{done} a database in {dir} with a {kind} store");
            output.line(text::printable(&line))?;
        }
    }
    Ok(Exit::Fine)
}
