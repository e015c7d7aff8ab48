//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures StemeDB side by side with its peers, and holds the figures against the goals.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "stemedb-bench",
    after_help = "`stemedb-bench soak` runs the server with bad clients beside good ones; see `stemedb-bench soak --help`."
)]
pub(crate) struct Options {
    /// Parts of a run: all whose names begin with one of these; everything by default.
    pub(crate) names: Vec<String>,
    /// Rounds; the median of them is what counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Records of a load.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) records: u64,
    /// Records of the load that grows; a tenth of it is what it is compared with.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) growth: u64,
    /// Where the report goes as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where the plots go.
    #[arg(long, value_name = "DIR")]
    pub(crate) plots: Option<PathBuf>,
    /// The document whose tables are written anew, between its marks.
    #[arg(long, value_name = "FILE")]
    pub(crate) document: Option<PathBuf>,
    /// Where databases are made, on the disk that is to be measured.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    pub(crate) directory: PathBuf,
    /// The command that the report names, where a script runs this program; its own by default.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) called: Option<String>,
    /// A few records and a few milliseconds each: whether everything runs, no figures to rely on.
    #[arg(long)]
    pub(crate) quick: bool,
}

impl Options {
    /// Whether a part is asked for.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|name| part.starts_with(name.as_str()))
    }

    /// The options as they are meant: a quick run has few records.
    pub(crate) fn settled(mut self) -> Self {
        if self.quick {
            self.rounds = 1;
            self.records = self.records.min(2_000);
            self.growth = self.growth.min(20_000);
        }
        self
    }

    /// Bytes of the journal of the process that is killed, and how many of them its store has not seen.
    pub(crate) fn killed_bytes(&self) -> (u64, u64) {
        if self.quick {
            (8 << 20, 1 << 20)
        } else {
            (1 << 30, 64 << 20)
        }
    }

    /// How long clients work side by side for one figure.
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_millis(if self.quick { 30 } else { 800 })
    }

    /// How long clients ask a server that was just started: its first second is not like those behind it.
    pub(crate) fn served(&self) -> Duration {
        Duration::from_millis(if self.quick { 30 } else { 5_000 })
    }
}
