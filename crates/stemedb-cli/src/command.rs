//! The commands, one module each.

use std::path::Path;

use stemedb::{Builder, Database, Page, RecordId, Sequence, StoreKind};

use crate::{
    args::{Cli, Command, Part, StoreName},
    claims::Claims,
    config::{Origin, Settings},
    failure::{Exit, Failure, chain},
    output::Output,
    remote::{Client, Server, ServerUrl},
};

mod backup;
mod completions;
mod config;
mod epochs;
mod export;
mod get;
mod health;
mod ingest;
mod init;
mod journal;
mod keygen;
mod listing;
mod quarantine;
mod rebuild;
mod record;
mod restore;
mod serve;
mod sign;
mod stats;
mod store;
mod subject;
mod subjects;
mod token;
mod verify;
mod votes;
mod working;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) output: Output,
}

impl Context {
    /// The directory of the database.
    pub(crate) fn dir(&self) -> &Path {
        &self.settings.dir.value
    }

    /// The kind of store of a database that is created.
    pub(crate) fn store(&self) -> StoreKind {
        store_kind(self.settings.store.value)
    }

    /// The server that is asked in place of the directory, if one is.
    pub(crate) fn url(&self) -> Option<&ServerUrl> {
        self.settings.remote.url.value.as_ref()
    }

    /// Where the database is, as people are told.
    pub(crate) fn place(&self) -> String {
        match self.url() {
            Some(url) => url.to_string(),
            None => self.dir().display().to_string(),
        }
    }

    /// The database, which has to be there, wherever that is.
    pub(crate) fn claims(&self) -> Result<Claims, Failure> {
        Ok(match self.url() {
            Some(url) => Claims::There(Box::new(Server::new(self.client(url)?))),
            None => Claims::Here(Box::new(self.open()?)),
        })
    }

    /// Who asks the server at `url`.
    pub(crate) fn client(&self, url: &ServerUrl) -> Result<Client, Failure> {
        Client::new(url, &self.settings.remote)
    }

    /// Opens the database, which has to be there.
    pub(crate) fn open(&self) -> Result<Database, Failure> {
        self.open_with(self.builder())
    }

    /// Opens the database as `builder` says.
    pub(crate) fn open_with(&self, builder: Builder) -> Result<Database, Failure> {
        builder.open(self.dir()).map_err(|error| {
            if error.is_in_use() {
                let failure = Failure::new(Exit::Unavailable, chain(&error));
                failure.advise("stop it, or ask it over HTTP with --url")
            } else {
                error.into()
            }
        })
    }

    /// The settings with which a database is opened; it is not created.
    pub(crate) fn builder(&self) -> Builder {
        let settings = &self.settings;
        Database::builder()
            .store(self.store())
            .stream_cache_bytes_max(settings.stream_cache_bytes_max.value)
            .small_cache_bytes_max(settings.small_cache_bytes_max.value)
            .known_ids_bytes_max(settings.known_ids_bytes_max.value)
    }
}

/// Does what `cli` asks for.
pub(crate) fn run(cli: Cli, context: &mut Context) -> Result<Exit, Failure> {
    if context.settings.remote.url.origin == Origin::Flag && context.url().is_some() {
        refuse_local(&cli.command)?;
    }
    let exit = match cli.command {
        Command::Init(args) => init::run(context, &args),
        Command::Ingest(args) => ingest::run(context, args),
        Command::Get(args) => get::run(context, &args),
        Command::Subject(args) => subject::run(context, &args),
        Command::Subjects(args) => subjects::run(context, &args),
        Command::Votes(args) => votes::run(context, &args),
        Command::Epochs(args) => epochs::run(context, &args),
        Command::Export(args) => export::run(context, &args),
        Command::Stats => stats::run(context),
        Command::Serve(args) => serve::run(context, &args),
        Command::Health => health::run(context),
        Command::Token(command) => token::run(context, command),
        Command::Verify(args) => verify::run(context, &args),
        Command::Rebuild => rebuild::run(context),
        Command::Backup(args) => backup::run(context, &args),
        Command::Restore(args) => restore::run(context, args),
        Command::Quarantine(args) => quarantine::run(context, args),
        Command::Journal(args) => journal::run(context, args),
        Command::Store(args) => store::run(context, &args),
        Command::Keygen(args) => keygen::run(context, &args),
        Command::Sign(args) => sign::run(context, args),
        Command::Config => config::run(context),
        Command::Completions(args) => completions::run(context, &args),
    }?;
    context.output.flush()?;
    Ok(exit)
}

/// Refuses to ask a server for what is about files of this machine.
fn refuse_local(command: &Command) -> Result<(), Failure> {
    let (name, why, advice) = match command {
        Command::Init(_) => ("init", "creates files on this machine", SERVES),
        Command::Serve(_) => ("serve", "is the server", SERVES),
        Command::Token(_) => (
            "token",
            "changes a file beside the database",
            "run it where the server runs, which knows a new token within a second",
        ),
        Command::Verify(_) => (
            "verify",
            "reads the files of a database that nobody serves",
            "make a `backup --url`, which verifies every segment by hash, and `restore` it",
        ),
        Command::Rebuild => (
            "rebuild",
            "replaces files of a database that nobody serves",
            "make a `backup --url` and `restore` it, which builds a new store",
        ),
        Command::Restore(_) => (
            "restore",
            "creates files on this machine",
            "name a directory with --dir, and `serve` it",
        ),
        Command::Journal(_) => ("journal", LOOKS, COPIES),
        Command::Store(_) => ("store", LOOKS, COPIES),
        _ => return Ok(()),
    };
    let text = format!("--url: `{name}` {why}");
    Err(Failure::new(Exit::Usage, text).advise(advice))
}

const LOOKS: &str = "looks at files of this machine";
const COPIES: &str =
    "`stats` and `export` ask a server; or make a `backup --url`, and `restore` it";

/// Advice where somebody may have meant another machine.
const SERVES: &str = "leave out --url; `serve` creates the database that it serves";

const fn store_kind(name: StoreName) -> StoreKind {
    match name {
        StoreName::Hybrid => StoreKind::Hybrid,
        StoreName::Sled => StoreKind::Sled,
    }
}

/// The id that was given as an argument.
pub(crate) fn record_id(text: &str) -> Result<RecordId, Failure> {
    let id = text.parse();
    id.map_err(|error| Failure::caused(Exit::Usage, "ID", &error))
}

/// The sequence that was given as an argument.
pub(crate) fn sequence(number: u64) -> Result<Sequence, Failure> {
    let none = || Failure::new(Exit::Usage, "SEQ: sequences begin at 1, found 0");
    Sequence::new(number).ok_or_else(none)
}

/// The page of a list that was asked for.
pub(crate) fn page(part: &Part) -> Result<Page, Failure> {
    let as_of = part.as_of.map(sequence).transpose()?;
    let after = part.cursor.as_deref().map(str::parse).transpose();
    let after = after.map_err(|error: stemedb::Error| {
        Failure::from(error).advise("pass one as it was printed")
    })?;
    Ok(Page { as_of, after })
}
