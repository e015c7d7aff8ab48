//! Opening after a kill: a long journal, and a store that is behind it.

use tempfile::TempDir;

use super::Bench;
use crate::failure::{Doing, Result};
use crate::file;
use crate::number::float;
use crate::process::Process;
use crate::report::Quantity;
use crate::subject::STEMEDB;
use crate::task::OpenFigures;

const NAME: &str = "open/killed";

/// One round: a copy of what the killed process left is opened.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    if bench.state.killed.is_none() {
        bench.state.killed = Some(killed(bench)?);
    }
    let directory = bench.directory()?;
    let data = directory.path().join("data");
    let killed = bench.state.killed.as_ref().doing("find the database")?;
    file::copy(&killed.path().join("data"), &data).doing("copy the database")?;
    bench.tell(NAME, STEMEDB);
    let figures: OpenFigures = Process::task("open", &data, &[])?.figures()?;
    bench
        .report
        .of(NAME, STEMEDB)
        .add(Quantity::Seconds, figures.seconds);
    bench
        .report
        .of(NAME, STEMEDB)
        .add(Quantity::Records, float(figures.records));
    Ok(())
}

/// A database whose process was killed.
fn killed(bench: &Bench<'_>) -> Result<TempDir> {
    bench.tell(NAME, "making the database");
    let (journal_bytes, behind_bytes) = bench.options.killed_bytes();
    let directory = bench.directory()?;
    let arguments = [
        "--journal-bytes".to_owned(),
        journal_bytes.to_string(),
        "--behind-bytes".to_owned(),
        behind_bytes.to_string(),
    ];
    let mut process = Process::task("fill", &directory.path().join("data"), &arguments)?;
    process.line()?;
    // Dropping kills it: nothing is closed, the lock is the system's to release.
    drop(process);
    Ok(directory)
}
