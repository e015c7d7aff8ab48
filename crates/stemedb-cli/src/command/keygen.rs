//! `keygen`: a new Ed25519 key.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde::Serialize;
use stemedb::SigningKey;

use super::Context;
use crate::{
    args::Keygen,
    failure::{Exit, Failure},
    file, input,
    output::Form,
    text::printable,
};

/// The answer with `--json`.
#[derive(Debug, Serialize)]
struct Made<'a> {
    agent: &'a str,
    file: &'a str,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Keygen) -> Result<Exit, Failure> {
    let name = input::name(&args.file);
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::caused(Exit::Unavailable, "cannot get random bytes", &error))?;
    let key = SigningKey::from_bytes(secret);
    write(&args.file, secret).map_err(|error| {
        let failure = Failure::file(Exit::Unavailable, &name, &error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failure.advise("a key is never overwritten, name a new file")
            }
            _ => failure,
        }
    })?;
    let agent = key.did();
    let made = Made {
        agent: agent.as_str(),
        file: &name,
    };
    match context.output.form() {
        Form::Json => context.output.json(&made)?,
        Form::People => context.output.line(made.agent)?,
    }
    context.output.note(format_args!(
        "{} holds the secret; whoever has it speaks as this agent",
        printable(&name)
    ));
    Ok(Exit::Fine)
}

fn write(path: &Path, secret: [u8; 32]) -> io::Result<()> {
    let mut file = file::create_secret(path)?;
    // A record id has the same text form: 64 lower-case hex digits.
    writeln!(file, "{}", stemedb::RecordId::from_bytes(secret))?;
    file.sync_all()
}
