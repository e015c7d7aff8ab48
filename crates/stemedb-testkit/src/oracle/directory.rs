//! The oracle on a database directory of a real file system.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use stemedb::{Create, Database, error_chain};
use stemedb_core::RecordId;
use stemedb_storage::{Counts, HybridStore, KVStore};
use stemedb_wal::vfs::OsVfs;
use stemedb_wal::{Item, Link, walk};

use super::{History, Layout, Model, Violation};

/// What was found in a database that is sound.
#[derive(Clone, Debug)]
pub struct Found {
    /// The ids of the records in the journal, in its order, duplicates included.
    pub records: Vec<(u64, RecordId)>,
    /// What the store has counted.
    pub counts: Counts,
}

/// Opens a database that was left in any way, lets it recover, and compares it with what is known; then once more.
///
/// The store must be a `HybridStore`, and the journal hold nothing but records: whatever is quarantined is a violation.
///
/// # Errors
///
/// The first promise that is broken. A refusal to open is one; a harness that expects it opens the database itself.
pub fn check(directory: &Path, history: &History<RecordId>) -> Result<Found, Violation> {
    recover(directory)?;
    let files = journal_files(directory)?;
    let payloads = payloads(&directory.join("wal"))?;
    let records = ids(&payloads)?;
    history.check(&records)?;
    let counts = check_store(directory, &payloads)?;
    recover(directory).map_err(|violation| violation.within("the second time"))?;
    if journal_files(directory)? != files {
        return Err(Violation::new("a second recovery has changed the journal"));
    }
    if check_store(directory, &payloads)? != counts {
        return Err(Violation::new("a second recovery has changed the counts"));
    }
    Ok(Found { records, counts })
}

fn recover(directory: &Path) -> Result<(), Violation> {
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder
        .open(directory)
        .map_err(|error| failed("refused to open", &error))?;
    database
        .close()
        .map_err(|error| failed("did not close", &error))
}

/// Compares the store with a replay of the journal.
fn check_store(directory: &Path, payloads: &[(u64, Vec<u8>)]) -> Result<Counts, Violation> {
    let model = Model::replay(payloads.iter().map(|(_, payload)| &payload[..]));
    let error = |error: stemedb_storage::Error| failed("the store", &error);
    let store = HybridStore::open(directory.join("db")).map_err(error)?;
    let view = store.working_snapshot().map_err(error)?;
    model.compare(Layout::HYBRID, view.scan_raw().map_err(error)?)?;
    if view.counts() != model.counts() {
        let text = format!("counts {:?}, not {:?}", view.counts(), model.counts());
        return Err(Violation::new(text));
    }
    for cursor in store.cursors().map_err(error)? {
        let sequence = cursor.cursor.map_or(0, |cursor| cursor.sequence.get());
        if sequence > model.last() {
            let text = format!("the cursor of {} is at {sequence}", cursor.engine);
            return Err(Violation::new(text));
        }
    }
    let applied = store.cursor().map_err(error)?;
    let applied = applied.map_or(0, |cursor| cursor.sequence.get());
    if applied > model.last() || view.cursor().map_or(0, |it| it.sequence.get()) != model.last() {
        let text = format!("applied up to {applied}, not {}", model.last());
        return Err(Violation::new(text));
    }
    Ok(view.counts())
}

/// Reads the records of a journal with their sequences; nothing in it may be damaged, missing or of another history.
///
/// # Errors
///
/// What is wrong, and where.
pub fn payloads(journal: &Path) -> Result<Vec<(u64, Vec<u8>)>, Violation> {
    let mut payloads = Vec::new();
    for_each_payload(journal, |sequence, payload| {
        payloads.push((sequence, payload.to_vec()));
    })?;
    Ok(payloads)
}

/// Does the same for journals that memory cannot hold: `visit` gets one record after the other, up to what is wrong.
///
/// # Errors
///
/// As [`payloads`].
pub fn for_each_payload(
    journal: &Path,
    mut visit: impl FnMut(u64, &[u8]),
) -> Result<(), Violation> {
    let mut violation = None;
    let mut walked = |item: Item<'_>| {
        violation = broken(&item).map(Violation::new);
        if let Item::Group { group, .. } = item {
            for record in group.records() {
                visit(record.sequence, record.bytes);
            }
        }
        match violation {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    };
    walk(&OsVfs::default(), journal, &mut walked).map_err(|error| failed("the journal", &error))?;
    violation.map_or(Ok(()), Err)
}

fn broken(item: &Item<'_>) -> Option<String> {
    match item {
        Item::Group {
            group,
            link: Link::Broken,
        } => Some(format!("group {} follows no other", group.number())),
        Item::Damaged(damaged) => Some(format!("{damaged:?}")),
        Item::Missing { from, to } => Some(format!("segments {from} to {to} are missing")),
        _ => None,
    }
}

fn ids(payloads: &[(u64, Vec<u8>)]) -> Result<Vec<(u64, RecordId)>, Violation> {
    let id = |(sequence, payload): &(u64, Vec<u8>)| {
        let record = stemedb_ingest::deserialize(payload);
        let record = record.map_err(|error| failed("a record of the journal", &error));
        let id = record?
            .id()
            .map_err(|error| Violation::new(error.to_string()));
        Ok((*sequence, id?))
    };
    payloads.iter().map(id).collect()
}

/// The hash of every file of the journal, by its path.
fn journal_files(directory: &Path) -> Result<BTreeMap<PathBuf, blake3::Hash>, Violation> {
    let error = |error: std::io::Error| failed("the journal's directory", &error);
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory.join("wal")).map_err(error)? {
        let path = entry.map_err(error)?.path();
        let mut hasher = blake3::Hasher::new();
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .open(&path)
            .map_err(error)?;
        std::io::copy(&mut file, &mut hasher).map_err(error)?;
        files.insert(path, hasher.finalize());
    }
    Ok(files)
}

fn failed(place: &str, error: &dyn std::error::Error) -> Violation {
    Violation::new(error_chain(error)).within(place)
}
