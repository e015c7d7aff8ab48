//! Damage on purpose, to a copy of a database: it is found, and the tools bring back what can be brought back.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use stemedb::RecordId;
use stemedb::maintenance::{rebuild, salvage};
use stemedb_testkit::disk::Random;
use stemedb_testkit::oracle::History;

use super::check::{copy, database, verified};
use crate::failure::{Doing, Failure, chain};

/// Bytes that are tried in the search for one that is not zero.
const TRIES: usize = 64;

/// What became of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was found, and mended.
    Found,
    /// It hit bytes of an engine that mean nothing: all answers are right.
    Harmless,
}

/// Where a byte was changed.
#[derive(Debug)]
struct Flip {
    file: PathBuf,
    offset: u64,
}

/// A sound database, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Original<'a> {
    /// Where it is.
    pub(crate) path: &'a Path,
    /// What its journal holds.
    pub(crate) records: &'a [(u64, RecordId)],
    /// What it owes.
    pub(crate) history: &'a History<RecordId>,
}

/// Flips one byte in a copy of the database, and has the tools find and mend it; `None` where there is nothing to flip.
///
/// # Errors
///
/// If the damage is not found, or not mended.
pub(crate) fn inflict(
    original: Original<'_>,
    work: &Path,
    random: &mut Random,
) -> Result<Option<Fate>, Failure> {
    let damaged = work.join("damaged");
    remove(&damaged)?;
    copy(original.path, &damaged).doing("copy", original.path)?;
    let is_journal = random.one_in(2);
    let part = damaged.join(if is_journal { "wal" } else { "db" });
    let Some(flip) = flip(&part, random)? else {
        return Ok(None);
    };
    let fate = if is_journal {
        journal(&damaged, work, original.records)
    } else {
        store(&damaged, original.history)
    };
    let place = format!("after a flip in {} at {}", flip.file.display(), flip.offset);
    let fate = fate.map_err(|failure| Failure::violated(format!("{place}: {failure}")))?;
    remove(&damaged)?;
    Ok(Some(fate))
}

/// Every byte of a journal that was closed is under a hash, so that verifying finds it; what is saved is part of what was there.
fn journal(damaged: &Path, work: &Path, records: &[(u64, RecordId)]) -> Result<Fate, Failure> {
    if verified(damaged)?.is_ok() {
        return Err(Failure::violated("verify finds nothing in the journal"));
    }
    let saved = work.join("saved");
    remove(&saved)?;
    let report = salvage(damaged, &saved);
    let report =
        report.map_err(|error| Failure::violated(format!("salvage: {}", chain(&error))))?;
    // Renumbered, so that all that can be asked is that each was there before; the rest of the oracle holds as ever.
    let mut before = History::new();
    for (_, id) in records {
        before.submit(*id);
    }
    let kept = database(&saved, &before)?;
    let missing: u64 = report.missing.iter().map(|(from, to)| to - from + 1).sum();
    let (kept, all) = (kept.len() as u64, records.len() as u64);
    if kept != report.records || kept + missing > all {
        let text = format!(
            "{kept} of {all} were saved, {} reported, {missing} missing",
            report.records
        );
        return Err(Failure::violated(text));
    }
    remove(&saved)?;
    Ok(Fate::Found)
}

/// Damage to an engine is found and rebuilt, or means nothing.
fn store(damaged: &Path, history: &History<RecordId>) -> Result<Fate, Failure> {
    if verified(damaged)?.is_ok() {
        database(damaged, history)?;
        return Ok(Fate::Harmless);
    }
    let rebuilt = rebuild(damaged, &mut |_| ());
    rebuilt.map_err(|error| Failure::violated(format!("rebuild: {}", chain(&error))))?;
    database(damaged, history)?;
    Ok(Fate::Found)
}

/// Changes one byte of one file, one that is not zero if such a one is found soon.
fn flip(part: &Path, random: &mut Random) -> Result<Option<Flip>, Failure> {
    let mut files = Vec::new();
    let mut pending = vec![part.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).doing("list", &directory)? {
            let entry = entry.doing("list", &directory)?;
            let metadata = entry.metadata().doing("look at", &entry.path())?;
            if metadata.is_dir() {
                pending.push(entry.path());
            } else if metadata.len() > 0 && !is_aside(&entry.path()) {
                files.push((entry.path(), metadata.len()));
            }
        }
    }
    // The order of a directory is not that of a seed.
    files.sort();
    let Some((file, bytes)) = random.pick(&files).cloned() else {
        return Ok(None);
    };
    let open = fs::OpenOptions::new().read(true).write(true).open(&file);
    let mut handle = open.doing("open", &file)?;
    let (mut offset, mut byte) = (0, [0]);
    for _ in 0..TRIES {
        offset = random.below(bytes);
        handle
            .seek(SeekFrom::Start(offset))
            .and_then(|_| handle.read_exact(&mut byte))
            .doing("read", &file)?;
        if byte != [0] {
            break;
        }
    }
    let flipped = byte.map(|byte| byte ^ (1 << random.below(8)));
    handle
        .seek(SeekFrom::Start(offset))
        .and_then(|_| handle.write_all(&flipped))
        .doing("write", &file)?;
    Ok(Some(Flip { file, offset }))
}

/// What recovery has put aside is no part of the journal, nor is the note that says who has it open.
fn is_aside(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "torn")
        || path.ends_with("wal/pid")
}

fn remove(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        fs::remove_dir_all(path).doing("remove", path)?;
    }
    Ok(())
}
