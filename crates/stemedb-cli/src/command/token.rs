//! `token`: who may ask a server for what. It works beside a running server, which holds the lock of the database.

use serde::Serialize;
use stemedb_server::token::{NewToken, Token, TokenError, TokenFile};

use super::Context;
use crate::{
    args::{NewTokenArgs, TokenCommand},
    failure::{Exit, Failure},
    output::{Form, Output},
    text::{self, printable},
};

/// A token with `--json`.
#[derive(Debug, Serialize)]
struct Json<'a> {
    id: &'a str,
    name: &'a str,
    scopes: Vec<&'static str>,
    created_at: String,
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, command: TokenCommand) -> Result<Exit, Failure> {
    let file = TokenFile::of(context.dir());
    // A wrong directory would otherwise be one without tokens.
    if !context.dir().join("stemedb.marker").exists() {
        let text = format!("no database in {}", context.dir().display());
        return Err(Failure::new(Exit::NotFound, text).advise("`stemedb init` makes one"));
    }
    match command {
        TokenCommand::Create(args) => create(context, &file, args),
        TokenCommand::List => list(context, &file),
        TokenCommand::Revoke { id } => revoke(context, &file, &id),
    }
}

fn create(context: &mut Context, file: &TokenFile, args: NewTokenArgs) -> Result<Exit, Failure> {
    let scopes = args.scope.iter().map(|scope| scope.parse());
    let new = NewToken {
        name: args.name,
        scopes: scopes
            .collect::<Result<_, _>>()
            .map_err(|error| failure(&error))?,
        days: args.expires,
    };
    let (token, secret) = file.create(new).map_err(|error| failure(&error))?;
    match context.output.form() {
        Form::Json => context.output.json(&json(&token, Some(secret.reveal())))?,
        Form::People => context.output.line(secret.reveal())?,
    }
    let id = &token.id;
    context.output.note(format_args!(
        "this is shown once; who has it may do what it allows, until `stemedb token revoke {id}`"
    ));
    Ok(Exit::Fine)
}

fn list(context: &mut Context, file: &TokenFile) -> Result<Exit, Failure> {
    let listed = file.list().map_err(|error| failure(&error))?;
    let is_there = listed.is_some();
    let tokens = listed.unwrap_or_default();
    let output = &mut context.output;
    if output.form() == Form::Json {
        for token in &tokens {
            output.json(&json(token, None))?;
        }
        return Ok(Exit::Fine);
    }
    for token in &tokens {
        print(output, token)?;
    }
    let count = u64::try_from(tokens.len()).unwrap_or(u64::MAX);
    output.note(match (count, is_there) {
        (0, true) => "no tokens; a server refuses every request until there is one".to_owned(),
        (0, false) => "no tokens; a server answers whoever is on this machine".to_owned(),
        _ => text::counted(count, "token", "tokens"),
    });
    Ok(Exit::Fine)
}

fn print(output: &mut Output, token: &Token) -> Result<(), Failure> {
    let Json {
        scopes,
        created_at,
        expires_at,
        ..
    } = json(token, None);
    let (id, name) = (&token.id, printable(&token.name));
    let expires_at = expires_at.unwrap_or_else(|| "never".to_owned());
    let scopes = scopes.join(",");
    output.line(format_args!(
        "{id}  {scopes:16}  created {created_at}  expires {expires_at:24}  {name}"
    ))
}

fn revoke(context: &mut Context, file: &TokenFile, id: &str) -> Result<Exit, Failure> {
    let revoked = file.revoke(id).map_err(|error| failure(&error))?;
    match context.output.form() {
        Form::Json => context.output.json(&json(&revoked, None))?,
        Form::People => {
            let name = printable(&revoked.name);
            context.output.line(format_args!("revoked {id}  {name}"))?;
        }
    }
    Ok(Exit::Fine)
}

fn json<'a>(token: &'a Token, secret: Option<&'a str>) -> Json<'a> {
    Json {
        id: &token.id,
        name: &token.name,
        scopes: token.scopes.iter().map(|scope| scope.name()).collect(),
        created_at: text::time(token.created_at_ms),
        expires_at: token.expires_at_ms.map(text::time),
        token: secret,
    }
}

/// What the shell is told of an error.
pub(super) fn failure(error: &TokenError) -> Failure {
    let exit = match error {
        TokenError::UnknownId(_) => Exit::NotFound,
        TokenError::UnknownScope(_) | TokenError::NoScope | TokenError::Name { .. } => Exit::Usage,
        TokenError::Damaged { .. } => Exit::Corruption,
        _ => Exit::Unavailable,
    };
    let advice = match error {
        TokenError::UnknownId(_) => Some("`stemedb token list` shows what there is"),
        TokenError::Damaged { .. } => Some("restore it, or remove it and make new tokens"),
        TokenError::TooMany { .. } => Some("revoke one that is not needed"),
        _ => None,
    };
    let failure = Failure::new(exit, crate::failure::chain(error));
    match advice {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}
