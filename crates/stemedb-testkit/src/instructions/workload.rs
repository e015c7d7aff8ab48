//! The paths whose instructions are counted.

use std::error::Error;
use std::path::Path;

use crate::failure::{self, Failure};

use super::{read, write};

/// Makes in a directory what a workload needs.
type Preparation = fn(&Path) -> Result<(), Failure>;

/// A path through the code, done so often that starting does not matter.
#[derive(Debug)]
pub(super) struct Workload {
    /// Its row in the file.
    pub(super) name: &'static str,
    /// How often the shorter run does it; the longer one does it twice as often.
    pub(super) operations: u64,
    /// Records in one operation.
    pub(super) records: u64,
    /// What must be there before; it is not counted.
    pub(super) prepare: Option<Preparation>,
    /// Does it, in a directory.
    pub(super) run: fn(&Path, Extent) -> Result<(), Failure>,
}

/// How much a run does. What it needs it makes for the longer of both runs, so that making it does not count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// How often this run does it.
    pub(super) operations: u64,
    /// How often the longer one does it.
    pub(super) operations_max: u64,
}

/// Everything that is counted.
pub(super) const WORKLOADS: [Workload; 7] = [
    // A line of JSON becomes a record that was checked, named and serialized.
    Workload {
        name: "prepare/json",
        operations: 1000,
        records: 1,
        prepare: None,
        run: write::prepare,
    },
    // The journal without its threads: a group for each record, and groups of many.
    Workload {
        name: "append/log/records=1",
        operations: 500,
        records: 1,
        prepare: None,
        run: write::append_single,
    },
    Workload {
        name: "append/log/records=64",
        operations: 64,
        records: write::GROUP_RECORDS as u64,
        prepare: None,
        run: write::append_groups,
    },
    // The journal as its users have it: requests of many, each waited for.
    Workload {
        name: "append/writer/records=64",
        operations: 64,
        records: write::GROUP_RECORDS as u64,
        prepare: None,
        run: write::append_requests,
    },
    // From groups in memory into the store, checkpoints apart, with one thread that prepares.
    Workload {
        name: "apply",
        operations: 256,
        records: write::GROUP_RECORDS as u64,
        prepare: None,
        run: write::apply,
    },
    // Records that the caches hold, by their ids.
    Workload {
        name: "read/id",
        operations: 1000,
        records: 1,
        prepare: Some(read::make_database),
        run: read::points,
    },
    // All records of a subject.
    Workload {
        name: "read/page/records=100",
        operations: 10,
        records: super::line::SUBJECT_RECORDS,
        prepare: Some(read::make_database),
        run: read::pages,
    },
];

/// A workload that fails says nothing about instructions.
pub(super) fn failed(error: impl Error) -> Failure {
    Failure::Program {
        program: "the workload".to_owned(),
        said: failure::chain(&error),
    }
}
