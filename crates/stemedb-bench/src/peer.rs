//! The databases that ours is compared with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure, Result};
use crate::file;
use crate::output::tell;
use crate::process;

pub(crate) mod engine;
pub(crate) mod nats;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod sqlite;

/// The directory of the servers, below that of the run.
pub(crate) const DIRECTORY: &str = "peers";

/// The script that starts and stops those that are servers.
const SCRIPT: &str = "scripts/peers.sh";

/// The servers that are running; they are stopped when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Where they lie, if they were started here.
    directory: Option<PathBuf>,
    notes: BTreeMap<String, String>,
}

impl Peers {
    /// Starts what is installed.
    ///
    /// # Errors
    ///
    /// If the script is there and fails; that a peer is not installed is no error.
    pub(crate) fn start(directory: &Path) -> Result<Self> {
        let script = Path::new(SCRIPT);
        if !script.exists() {
            tell(format_args!(
                "{SCRIPT} is not here: run this from the top of the repository to have the peers"
            ));
            return Ok(Self::default());
        }
        let mut peers = Self {
            directory: Some(directory.to_owned()),
            notes: BTreeMap::new(),
        };
        run("start", directory)?;
        let notes = file::text(directory.join("peers.env")).doing("read what was started")?;
        let pairs = notes.lines().filter_map(|line| line.split_once('='));
        peers.notes = pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Ok(peers)
    }

    /// Where a server listens, if it runs.
    pub(crate) fn address(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// The versions of those that run.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let versions = self.notes.iter().filter_map(|(key, value)| {
            let name = key.strip_suffix("_version")?;
            Some((name.to_owned(), value.clone()))
        });
        versions.collect()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            stop(directory);
        }
    }
}

/// Stops the servers that were started below a directory.
pub(crate) fn stop(directory: &Path) {
    if Path::new(SCRIPT).exists()
        && let Err(failure) = run("stop", directory)
    {
        tell(failure);
    }
}

fn run(what: &str, directory: &Path) -> Result<()> {
    let status = process::status(Command::new(SCRIPT).arg(what).arg(directory));
    let status = status.doing(format!("run {SCRIPT}"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{what} the peers: {SCRIPT} ended with {status}"
    )))
}
