//! What is looked at after each life.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use stemedb::maintenance::{VerifyOptions, VerifyReport, rebuild, verify};
use stemedb::{Create, Database, ErrorKind, RecordId};
use stemedb_testkit::oracle::{History, directory};

use crate::failure::{Failure, chain};

/// How long recovery and verification may take; a database here is small.
const TIME_MAX: Duration = Duration::from_mins(5);

/// Checks a database that was left in any way, and gives what is in its journal.
///
/// # Errors
///
/// What is broken.
pub(crate) fn database(
    path: &Path,
    history: &History<RecordId>,
) -> Result<Vec<(u64, RecordId)>, Failure> {
    let (path, history) = (path.to_owned(), history.clone());
    bounded("the check", move || sound(&path, &history))
}

/// Whether a refusal to open says that the store must be built anew.
pub(crate) fn wants_rebuild(error: &stemedb::Error) -> bool {
    error.kind() == ErrorKind::Corruption && chain(error).contains("must be rebuilt")
}

/// Builds the store anew if opening asks for it; gives whether it did.
///
/// # Errors
///
/// If the database does not open, or the rebuild fails.
pub(crate) fn rebuild_if_wanted(path: &Path) -> Result<bool, Failure> {
    let path = path.to_owned();
    bounded("opening", move || {
        let failed = |error| Failure::violated(format!("recovery: {}", chain(&error)));
        let opened = Database::builder().create(Create::IfMissing).open(&path);
        match opened.map(drop) {
            Ok(()) => Ok(false),
            Err(error) if wants_rebuild(&error) => {
                rebuild(&path, &mut |_| ()).map_err(failed)?;
                Ok(true)
            }
            Err(error) => Err(failed(error)),
        }
    })
}

fn sound(path: &Path, history: &History<RecordId>) -> Result<Vec<(u64, RecordId)>, Failure> {
    let found = directory::check(path, history);
    let found = found.map_err(|violation| Failure::violated(violation.to_string()))?;
    let report = verified(path)?;
    if !report.is_ok() {
        let problems = format!("verify finds {:?}", report.problems.first());
        return Err(Failure::violated(problems));
    }
    let records = found.records.len() as u64;
    if report.records != records || report.applied_sequence != records {
        let text = format!("verify counts {} records of {records}", report.records);
        return Err(Failure::violated(text));
    }
    Ok(found.records)
}

/// What `verify` reports.
///
/// # Errors
///
/// If it cannot do its work.
pub(crate) fn verified(path: &Path) -> Result<VerifyReport, Failure> {
    let report = verify(path, &VerifyOptions::default(), &mut |_| ());
    report.map_err(|error| Failure::violated(format!("verify failed: {}", chain(&error))))
}

/// Does something on a thread of its own, and does not wait for ever.
///
/// # Errors
///
/// What it answers, or that it did not answer or panicked.
pub(crate) fn bounded<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (sender, answer) = channel();
    thread::spawn(move || {
        // Nobody listens any more once the time is over.
        drop(sender.send(work()));
    });
    match answer.recv_timeout(TIME_MAX) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(Failure::violated(format!(
            "{what} did not end in {TIME_MAX:?}"
        ))),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::violated(format!("{what} panicked"))),
    }
}

/// Copies a directory with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut pending: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = pending.pop() {
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                pending.push((entry.path(), target));
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stemedb::{Create, Database, RecordId};
    use stemedb_testkit::oracle::History;

    use super::database;
    use crate::failure::Failure;
    use crate::soak::record::Records;

    /// A database with ten records, and its history.
    fn ten() -> (tempfile::TempDir, History<RecordId>) {
        let directory = tempfile::tempdir().unwrap();
        let builder = Database::builder().create(Create::IfMissing);
        let open = builder.open(directory.path().join("database")).unwrap();
        let mut history = History::new();
        for number in 0..10 {
            let receipt = open.add(Records::new(1).get(number).unwrap()).unwrap();
            history.submit(receipt.id);
            history
                .acknowledge(receipt.sequence.get(), &receipt.id)
                .unwrap();
        }
        open.close().unwrap();
        (directory, history)
    }

    #[test]
    fn a_record_that_is_owed_and_not_there_is_found() {
        let (directory, mut history) = ten();
        let path = directory.path().join("database");
        assert_eq!(database(&path, &history).unwrap().len(), 10);
        let lost = RecordId::from_bytes([9; 32]);
        history.submit(lost);
        assert_eq!(database(&path, &history).unwrap().len(), 10);
        history.acknowledge(11, &lost).unwrap();
        let failure = database(&path, &history).unwrap_err();
        assert!(
            matches!(&failure, Failure::Violated(what) if what.contains("acknowledged")),
            "{failure}"
        );
    }

    #[test]
    fn a_record_that_nobody_submitted_is_found() {
        let (directory, _) = ten();
        let failure = database(&directory.path().join("database"), &History::new()).unwrap_err();
        assert!(
            matches!(&failure, Failure::Violated(what) if what.contains("never submitted")),
            "{failure}"
        );
    }
}
