//! Backups: a copy of a journal's segments on another disk, brought up to date by copying what is new, and restored from there.
//!
//! ```text
//!   DEST/backup.manifest          what the backup holds: written last, by rename
//!   DEST/segments/{number}.segment  the segments as far as they were durable; sealed ones never change again
//! ```
//!
//! A backup is no journal, under no name that one has, so that nobody opens it in place and writes to it.
//!
//! The journal only grows, so that a segment that replaces an older copy of itself begins with all of it. That is why a backup is
//! whole at each moment: the manifest says how far it goes, what is beyond that is not read, and every step before the new manifest
//! leaves what the old one names.
//!
//! [`BackupWriter`] is the receiving side: it takes bytes of segments from wherever they come, keeps nothing that does not verify, and
//! makes it durable. The giving side is [`JournalState::extents`](crate::JournalState::extents) and
//! [`JournalWatch::read_segment`](crate::JournalWatch::read_segment); [`copy`] joins both where they are in one process.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use crate::error::IoContext;
use crate::vfs::Vfs;
use crate::{Corruption, Error, GroupHash, JournalId};

mod check;
mod copy;
mod manifest;
mod restore;
mod writer;

pub use copy::copy;
pub use manifest::Manifest;
pub use restore::{RestoreReport, read_manifest, restore};
pub use writer::BackupWriter;

const SEGMENTS_DIRECTORY: &str = "segments";

/// How far a segment is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its number; they are dense, from 1.
    pub number: u64,
    /// Bytes that are durable, from the beginning of the file.
    pub bytes: u64,
    /// Whether it will never grow.
    pub is_sealed: bool,
    /// Sequence of the last record in it or before it, 0 where there is none.
    pub last_sequence: u64,
    /// Hash of the last group in it: it commits to everything before.
    pub end_hash: GroupHash,
}

/// What is to be backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The journal's identity.
    pub journal: JournalId,
    /// Its segments in order, of which there is at least one.
    pub segments: Vec<Extent>,
    /// Where they come from, as errors name it: the journal's directory, or a remote place.
    pub place: PathBuf,
    /// One line that the manifest keeps for whoever restores.
    pub note: String,
}

/// What a backup holds, and what was done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// What it holds.
    pub manifest: Manifest,
    /// How many segments were there and verified.
    pub kept: u64,
    /// How many were copied.
    pub copied: u64,
    /// Bytes of those that were copied.
    pub copied_bytes: u64,
    /// Segments of the earlier backup that were damaged. Sound copies have taken their place.
    pub mended: Vec<Corruption>,
}

/// Where a segment of a backup lies.
fn segment_path(directory: &Path, number: u64) -> PathBuf {
    let name = format!("{number:016x}.segment");
    directory.join(SEGMENTS_DIRECTORY).join(name)
}

/// Where a segment is written until it is whole.
fn segment_aside(directory: &Path, number: u64) -> PathBuf {
    let name = format!("{number:016x}.tmp");
    directory.join(SEGMENTS_DIRECTORY).join(name)
}

/// Takes the lock of a backup's directory.
fn lock(vfs: &dyn Vfs, directory: &Path) -> Result<Box<dyn Debug + Send + Sync>, Error> {
    match vfs.lock(directory) {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err(Error::Locked {
            path: directory.to_owned(),
            pid: None,
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::NoBackup {
            path: directory.to_owned(),
        }),
        Err(error) => Err(error).context("lock", directory),
    }
}
