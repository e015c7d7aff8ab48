//! What the program can be asked, and its help.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, sync::LazyLock};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::log::{LogFilter, LogFormat, parse_filter};

mod example;

/// The version, with the commit if the build was told of it.
static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("STEMEDB_COMMIT") {
    Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
    None => env!("CARGO_PKG_VERSION").to_owned(),
});

/// A database for claims: who said what, from which source, how sure, and never overwritten.
#[derive(Debug, Parser)]
#[command(
    name = "stemedb",
    version = VERSION.as_str(),
    after_help = example::PROGRAM,
    max_term_width = 100,
    disable_help_subcommand = false
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes, before or after its name.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// The directory of the database [default: ./stemedb-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The server to ask in place of a directory
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A file whose first line is the token that the server wants
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate authorities in PEM, to believe in place of those of this machine
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Answer with one JSON document, or one a line for lists
    #[arg(long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL")]
    pub(crate) json: Option<bool>,
    /// Say nothing but the answer and errors
    #[arg(short, long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL")]
    pub(crate) quiet: Option<bool>,
    /// The settings file [default: stemedb.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// One thing to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an empty database
    #[command(after_help = example::INIT)]
    Init(Init),
    /// Take records in from NDJSON, plain, gzip or zstd
    #[command(after_help = example::INGEST)]
    Ingest(Ingest),
    /// Show a record of any type
    #[command(after_help = example::GET)]
    Get(OneId),
    /// Show what is claimed about a subject, and who disagrees
    #[command(after_help = example::SUBJECT)]
    Subject(OneSubject),
    /// List subjects and how many assertions each has
    #[command(after_help = example::SUBJECTS)]
    Subjects(Subjects),
    /// Show the votes on an assertion
    #[command(after_help = example::VOTES)]
    Votes(Votes),
    /// List epochs, or one with those that it supersedes
    #[command(after_help = example::EPOCHS)]
    Epochs(Epochs),
    /// Write all records in the order of their arrival, as NDJSON
    #[command(after_help = example::EXPORT)]
    Export(Export),
    /// Show counts, sequences and sizes
    #[command(after_help = example::STATS)]
    Stats,
    /// Answer over HTTP until told to stop
    #[command(after_help = example::SERVE)]
    Serve(Serve),
    /// Ask a server whether it serves
    #[command(after_help = example::HEALTH)]
    Health,
    /// Make, list and revoke tokens, by which a server knows who asks
    #[command(subcommand, after_help = example::TOKEN)]
    Token(TokenCommand),
    /// Check the whole database without changing it
    #[command(after_help = example::VERIFY)]
    Verify(Verify),
    /// Build a new store from the journal
    #[command(after_help = example::REBUILD)]
    Rebuild,
    /// Copy what is new in the journal to a backup
    #[command(after_help = example::BACKUP)]
    Backup(Backup),
    /// Build a database from a backup
    #[command(after_help = example::RESTORE)]
    Restore(Restore),
    /// Look at records that could not be applied
    #[command(subcommand, after_help = example::QUARANTINE)]
    Quarantine(Quarantine),
    /// Look at the journal as it lies on disk
    #[command(subcommand, after_help = example::JOURNAL)]
    Journal(Journal),
    /// Look at the store as it lies on disk
    #[command(subcommand, after_help = example::STORE)]
    Store(Store),
    /// Make an Ed25519 key and print the agent that it is
    #[command(after_help = example::KEYGEN)]
    Keygen(Keygen),
    /// Sign records: NDJSON in, signed NDJSON out
    #[command(after_help = example::SIGN)]
    Sign(Sign),
    /// Show the settings in force and where each is from
    #[command(after_help = example::CONFIG)]
    Config,
    /// Print the completions of a shell
    #[command(after_help = example::COMPLETIONS)]
    Completions(Completions),
}

impl Command {
    /// Whether the command depends on settings beyond its own flags.
    pub(crate) const fn needs_settings(&self) -> bool {
        !matches!(self, Self::Keygen(_) | Self::Completions(_))
    }
}

/// A kind of store, as it is written on the command line and in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreName {
    /// fjall for the stream, redb for what is small
    Hybrid,
    /// sled, the weakest backend
    Sled,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The kind of store [default: hybrid]
    #[arg(long, value_name = "KIND")]
    pub(crate) store: Option<StoreName>,
}

/// Arguments of `ingest`.
#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Files of one JSON record a line; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write what became of each line, once it is durable
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Keep the lines that were rejected (but for those over 4 MiB)
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Stop at the first rejected line; what stands before it is kept
    #[arg(long)]
    pub(crate) stop_on_error: bool,
}

/// The id of a record.
#[derive(Debug, Args)]
pub(crate) struct OneId {
    /// 64 lower-case hex digits
    pub(crate) id: String,
}

/// Which part of a list to show.
#[derive(Debug, Args)]
pub(crate) struct Part {
    /// Show at most so many, at least 1
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Continue after the entry with this cursor
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// Answer as if nothing after this sequence had arrived
    #[arg(long, value_name = "SEQ")]
    pub(crate) as_of: Option<u64>,
}

/// Arguments of `subject`.
#[derive(Debug, Args)]
pub(crate) struct OneSubject {
    /// The exact name
    pub(crate) name: String,
    /// Only this property
    #[arg(long, value_name = "NAME")]
    pub(crate) predicate: Option<String>,
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Arguments of `subjects`.
#[derive(Debug, Args)]
pub(crate) struct Subjects {
    /// Only names that begin with this
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Arguments of `votes`.
#[derive(Debug, Args)]
pub(crate) struct Votes {
    /// The assertion: 64 lower-case hex digits
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Arguments of `epochs`.
#[derive(Debug, Args)]
pub(crate) struct Epochs {
    /// One epoch: 64 lower-case hex digits
    #[arg(conflicts_with_all = ["limit", "cursor", "as_of"])]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Print only the ids, one a line
    #[arg(long)]
    pub(crate) ids: bool,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 takes one that is free [default: 127.0.0.1:8642]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// A certificate in PEM, with those that lead to it behind it: answer over TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Answer others than this machine without TLS, as behind a proxy that has it
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// How the log is written to standard error, every line of which is JSON with json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or some by module [default: warn, or error with --quiet]
    #[arg(long, value_name = "LEVEL", env = "STEMEDB_LOG", hide_env_values = true,
        value_parser = parse_filter)]
    pub(crate) log: Option<LogFilter>,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it once
    #[command(after_help = example::TOKEN)]
    Create(NewTokenArgs),
    /// List them; none is shown itself
    #[command(after_help = example::TOKEN)]
    List,
    /// End a token; a running server refuses it within a second
    #[command(after_help = example::TOKEN)]
    Revoke {
        /// Its id, as listed
        id: String,
    },
}

/// Arguments of `token create`.
#[derive(Debug, Args)]
pub(crate) struct NewTokenArgs {
    /// What it is called, for people
    #[arg(long)]
    pub(crate) name: String,
    /// What it allows: read, write (which does not allow reading), admin (everything)
    #[arg(long, required = true, value_delimiter = ',', value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,
    /// After how many days it ends [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) expires: Option<u32>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Do not recompute the ids
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The directory of the backup, best on another disk: new, or with an earlier backup of this database
    #[arg(value_name = "DEST")]
    pub(crate) destination: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The directory that `backup` filled
    #[arg(value_name = "SRC")]
    pub(crate) source: PathBuf,
    /// Refuse a backup whose head is another one: 64 lower-case hex digits
    #[arg(long, value_name = "HASH")]
    pub(crate) head: Option<String>,
}

/// What to do with records that could not be applied.
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// List them, each with its reason
    #[command(after_help = example::QUARANTINE)]
    List(Part),
    /// Show one, with its bytes
    #[command(after_help = example::QUARANTINE)]
    Show {
        /// Its sequence
        #[arg(value_name = "SEQ")]
        sequence: u64,
    },
    /// Append those again that would apply now
    #[command(after_help = example::QUARANTINE)]
    Retry {
        /// Their sequences; all, if none is given
        #[arg(value_name = "SEQ")]
        sequences: Vec<u64>,
    },
}

/// What to do with the journal.
#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Its identity, extent and head
    #[command(after_help = example::JOURNAL)]
    Info,
    /// Every segment, group and record, in text
    #[command(after_help = example::JOURNAL)]
    Dump,
    /// Write what can still be read into a new database
    #[command(after_help = example::JOURNAL)]
    Salvage {
        /// The directory of the new journal; it must not exist or be empty
        #[arg(value_name = "DEST")]
        destination: PathBuf,
    },
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Every key and value, in text
    #[command(after_help = example::STORE)]
    Dump,
}

/// Arguments of `keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where the secret goes: a new file, readable by you alone
    pub(crate) file: PathBuf,
}

/// Arguments of `sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The file that `keygen` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Files of one JSON record a line; `-`, the default, is standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Reads the command line `arguments`, the name of the program first.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Cli, Command, parse};

    fn cli(line: &str) -> Cli {
        parse(line.split(' ').map(Into::into)).unwrap()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [
            "stemedb --dir d --json -q stats",
            "stemedb stats --dir d --json -q",
        ] {
            let cli = cli(line);
            assert_eq!(cli.flags.dir.as_deref(), Some("d".as_ref()));
            assert_eq!((cli.flags.json, cli.flags.quiet), (Some(true), Some(true)));
            assert!(matches!(cli.command, Command::Stats));
        }
    }

    #[test]
    fn a_flag_can_take_back_what_the_settings_say() {
        assert_eq!(cli("stemedb --json=false stats").flags.json, Some(false));
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let example = format!("stemedb {}", command.get_name());
            assert!(
                help.is_some_and(|help| help.contains(&example)),
                "{example}"
            );
        }
    }
}
