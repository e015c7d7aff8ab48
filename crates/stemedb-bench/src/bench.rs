//! The benchmarks, and what they share.

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::args::Options;
use crate::failure::{Doing, Result};
use crate::output::tell;
use crate::peer::Peers;
use crate::report::Report;

pub(crate) mod append;
pub(crate) mod commit;
pub(crate) mod flight;
pub(crate) mod growth;
pub(crate) mod ingest;
pub(crate) mod open;
pub(crate) mod read;
pub(crate) mod serve;

/// Everything that a round needs.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    /// Where databases are made.
    pub(crate) home: &'a std::path::Path,
    pub(crate) peers: &'a Peers,
    pub(crate) runtime: &'a Runtime,
    pub(crate) report: &'a mut Report,
    pub(crate) state: &'a mut State,
    /// Counted from 0.
    pub(crate) round: usize,
}

/// What is made once and serves every round.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) flight: Option<flight::Flight>,
    pub(crate) stores: Option<read::Stores>,
    pub(crate) killed: Option<TempDir>,
}

type Round = fn(&mut Bench<'_>) -> Result<()>;

/// A part of a run that can be asked for by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) round: Round,
    /// Rounds at most, where one takes long.
    pub(crate) rounds_max: usize,
}

/// The parts of a run, in order.
pub(crate) const PARTS: [Part; 11] = [
    part("append", append::round),
    part("append-batch", append::batches),
    part("append-slow-fsync", append::slow_round),
    part("ingest-unsigned", ingest::unsigned),
    part("ingest-signed", ingest::signed),
    part("ingest-flight", flight::round),
    part("serve", serve::round),
    part("read", read::round),
    part("read-commit", commit::round),
    part("open", open::round),
    Part {
        name: "growth",
        round: growth::round,
        rounds_max: 1,
    },
];

const fn part(name: &'static str, round: Round) -> Part {
    Part {
        name,
        round,
        rounds_max: usize::MAX,
    }
}

impl Bench<'_> {
    /// A directory that is removed with what is in it.
    pub(crate) fn directory(&self) -> Result<TempDir> {
        tempfile::tempdir_in(self.home).doing("make a directory")
    }

    /// The same items, beginning with another one in each round, so that none is always first.
    pub(crate) fn rotated<T: Clone>(&self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        let length = items.len().max(1);
        items.rotate_left(self.round % length);
        items
    }

    /// Where a server listens; that it is absent is noted.
    pub(crate) fn peer(&mut self, name: &str, subject: &str) -> Option<String> {
        let address = self.peers.address(name).map(str::to_owned);
        if address.is_none() {
            self.report
                .leave_out(format!("{subject} is not installed, or did not start"));
        }
        address
    }

    /// Tells people what is measured now.
    pub(crate) fn tell(&self, benchmark: &str, subject: &str) {
        tell(format_args!(
            "round {}: {benchmark}: {subject}",
            self.round + 1
        ));
    }
}
