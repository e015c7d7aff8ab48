//! The bytes as they lie on the disk.

use std::ops::ControlFlow;
use std::path::Path;

use stemedb_wal::vfs::OsVfs;
use stemedb_wal::{Group, Item, Link, Trust, walk};

use super::{DUMP_DIRECTORY, Locked, WorkDirectory};
use crate::database::{JOURNAL_DIRECTORY, STORE_DIRECTORY, open_store};
use crate::error::Result;
use crate::file;

/// What lies in the files of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalItem {
    /// A segment begins.
    Segment {
        /// Its number.
        number: u64,
        /// Its file.
        file: String,
        /// Length of the file in bytes.
        bytes: u64,
        /// Number of its first group; `None` where the header is damaged.
        first_group: Option<u64>,
        /// First sequence that it can hold; `None` where the header is damaged.
        first_sequence: Option<u64>,
    },
    /// A group that verifies.
    Group(DumpedGroup),
    /// Bytes that do not verify.
    Damage {
        /// The file.
        file: String,
        /// Where they begin, in bytes.
        offset: u64,
        /// How many there are.
        bytes: u64,
        /// What was found.
        fault: String,
    },
    /// Zeros behind the last group.
    Zeros {
        /// Where they begin, in bytes.
        offset: u64,
        /// How many there are.
        bytes: u64,
    },
    /// Segments that are not there.
    Missing {
        /// Number of the first.
        from: u64,
        /// Number of the last.
        to: u64,
    },
}

/// A group of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpedGroup {
    /// Its number.
    pub number: u64,
    /// Where it lies in its segment, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Sequence of its first record, or the one that comes next.
    pub first_sequence: u64,
    /// The highest group that it says is durable.
    pub durable_upto: u64,
    /// When it was built, in Unix milliseconds.
    pub arrived_at_ms: u64,
    /// Hash of the group before it, in hex.
    pub previous: String,
    /// Its hash, in hex.
    pub hash: String,
    /// Whether it continues the group before it.
    pub is_chained: bool,
    /// Its records.
    pub records: Vec<DumpedRecord>,
}

/// A record of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpedRecord {
    /// Its sequence.
    pub sequence: u64,
    /// Whether its signature was verified before it was acknowledged.
    pub is_verified: bool,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// An entry of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreEntry {
    /// The engine that holds it.
    pub engine: &'static str,
    /// Its key in text form.
    pub key: String,
    /// The bytes of its envelope.
    pub envelope: Vec<u8>,
    /// What is wrong with the envelope, if anything is.
    pub fault: Option<String>,
}

/// Tells `visit` of everything that lies in the journal of a database, in order, until it breaks off.
///
/// # Errors
///
/// As [`verify`](super::verify).
pub fn dump_journal(
    directory: impl AsRef<Path>,
    visit: &mut dyn FnMut(JournalItem) -> ControlFlow<()>,
) -> Result<()> {
    let directory = directory.as_ref();
    let _locked = Locked::take(directory)?;
    let path = directory.join(JOURNAL_DIRECTORY);
    walk(&OsVfs::default(), &path, &mut |item| {
        dumped(item).map_or(ControlFlow::Continue(()), &mut *visit)
    })?;
    Ok(())
}

fn dumped(item: Item<'_>) -> Option<JournalItem> {
    Some(match item {
        Item::Segment {
            path,
            number,
            bytes,
            header,
        } => JournalItem::Segment {
            number,
            file: path.display().to_string(),
            bytes,
            first_group: header.map(|header| header.first_group),
            first_sequence: header.map(|header| header.first_sequence),
        },
        Item::Group { group, link } => JournalItem::Group(dumped_group(&group, link)),
        Item::Damaged(damaged) => JournalItem::Damage {
            file: damaged.path.display().to_string(),
            offset: damaged.offset,
            bytes: damaged.bytes,
            fault: damaged.fault.to_string(),
        },
        Item::Zeros { offset, bytes, .. } => JournalItem::Zeros { offset, bytes },
        Item::Missing { from, to } => JournalItem::Missing { from, to },
        _ => return None,
    })
}

fn dumped_group(group: &Group, link: Link) -> DumpedGroup {
    let header = group.header();
    let records = group.records().map(|record| DumpedRecord {
        sequence: record.sequence,
        is_verified: record.trust == Trust::Verified,
        payload: record.bytes.to_vec(),
    });
    DumpedGroup {
        number: header.number,
        offset: group.place().offset,
        bytes: header.group_bytes(),
        first_sequence: header.first_sequence,
        durable_upto: header.durable_upto,
        arrived_at_ms: header.arrived_at_ms,
        previous: header.previous.to_string(),
        hash: header.hash.to_string(),
        is_chained: link == Link::Chained,
        records: records.collect(),
    }
}

/// Tells `visit` of every entry of the store of a database, until it breaks off. It reads a copy, as [`verify`](super::verify) does.
///
/// # Errors
///
/// As [`verify`](super::verify), and [`Corruption`](crate::ErrorKind::Corruption) where an engine cannot be opened.
pub fn dump_store(
    directory: impl AsRef<Path>,
    visit: &mut dyn FnMut(StoreEntry) -> ControlFlow<()>,
) -> Result<()> {
    let directory = directory.as_ref();
    let locked = Locked::take(directory)?;
    let copy = WorkDirectory::create(directory, DUMP_DIRECTORY)?;
    let path = copy.0.join(STORE_DIRECTORY);
    file::copy_directory(&directory.join(STORE_DIRECTORY), &path)?;
    let store = open_store(locked.store, &path)?;
    let view = store.working_snapshot()?;
    for entry in view.scan_raw()? {
        let entry = entry?;
        let dumped = StoreEntry {
            engine: entry.engine,
            key: entry.key_text(),
            fault: entry.verify().err().map(|error| error.to_string()),
            envelope: entry.envelope,
        };
        if visit(dumped).is_break() {
            break;
        }
    }
    Ok(())
}
