//! The commands, one module each.

use std::path::Path;

use stemedb::{Builder, Database, Page, RecordId, Sequence, StoreKind};

use crate::{
    args::{Cli, Command, Part, StoreName},
    config::Settings,
    failure::{Exit, Failure},
    output::Output,
};

mod backup;
mod completions;
mod config;
mod epochs;
mod export;
mod get;
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

    /// Opens the database, which has to be there.
    pub(crate) fn open(&self) -> Result<Database, Failure> {
        Ok(self.builder().open(self.dir())?)
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
