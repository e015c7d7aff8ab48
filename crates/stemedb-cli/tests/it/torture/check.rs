//! What must hold of a database after each life of a process.

use std::{
    hash::{DefaultHasher, Hasher as _},
    path::Path,
};

use stemedb_testkit::oracle::{History, directory};

use super::{super::support::Home, work::Work};

/// The directory of the database in a home.
pub(crate) const DIRECTORY: &str = "stemedb-data";

/// Asks the oracle about the database, which may hold the first records of `work` and must hold as many as were acknowledged; gives how
/// many it holds.
#[track_caller]
pub(crate) fn recovered(home: &Home, work: &Work, acknowledged: usize) -> usize {
    let mut history = History::new();
    for (sequence, id) in (1..).zip(&work.ids) {
        history.submit(*id);
        if sequence <= acknowledged as u64 {
            history.acknowledge(sequence, id).unwrap();
        }
    }
    let found = directory::check(&home.path(DIRECTORY), &history);
    let found = found.unwrap_or_else(|violation| panic!("{violation}"));
    // One process hands in one record after the other.
    let ids: Vec<_> = found.records.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, work.ids[..ids.len()], "not a prefix");
    ids.len()
}

/// The same again without any fault: all of `work` goes in, and `verify` finds nothing.
#[track_caller]
pub(crate) fn completes(home: &Home, work: &Work) {
    let ingested = home.run_on(work.text().as_bytes(), ["ingest", "-q", "-"]);
    ingested.fine();
    home.run(["verify"]).fine();
    assert_eq!(recovered(home, work, work.ids.len()), work.ids.len());
}

/// A hash of each record's bytes in the journal, in the order of the sequences, which have no hole.
pub(crate) fn hashes(database: &Path) -> Vec<u64> {
    let mut hashes = Vec::new();
    let read = directory::for_each_payload(&database.join("wal"), |sequence, payload| {
        assert_eq!(sequence, hashes.len() as u64 + 1, "a hole");
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        hashes.push(hasher.finish());
    });
    read.unwrap_or_else(|violation| panic!("{violation}"));
    hashes
}
