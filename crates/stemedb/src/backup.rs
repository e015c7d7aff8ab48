//! Backups: copies of a database's journal on another disk, brought up to date by copying what is new, and restored from there.
//!
//! [`Database::backup`] makes one, [`restore`] builds a database from it. A backup is no database: nothing opens it in place, so that
//! nothing writes to it. The store is not in it, since it follows from the journal.
//!
//! Where the database is in another process, [`Database::segments`] and [`Database::read_segment`] are the giving side, and
//! [`BackupWriter`] is the receiving one: it takes bytes from wherever they come, and keeps nothing that does not verify.
//!
//! ```
//! # use stemedb::{Agent, Assertion, Create, Database, Object, Predicate, Subject};
//! use stemedb::backup::{RestoreOptions, restore};
//!
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let (directory, backup) = (parent.path().join("data"), parent.path().join("backup"));
//! # let database = Database::builder().create(Create::IfMissing).open(&directory)?;
//! # let height = Predicate::new("height")?;
//! # let assertion = Assertion::new(Subject::new("Eiffel Tower")?, height, Object::number(330.0)?, Agent::new("editor:ana")?);
//! # database.assert(assertion)?;
//! let made = database.backup(&backup, &mut |progress| println!("{progress:?}"))?; // the same again copies what is new
//! assert_eq!(made.last_sequence, 1);
//!
//! let options = RestoreOptions { head: made.head_hash.clone() }; // if it is known from elsewhere
//! let restored = restore(&backup, parent.path().join("restored"), &options, &mut |_| {})?;
//! assert_eq!(restored.counts.assertions, 1);
//! # database.close()
//! # }
//! ```

use std::path::Path;

use stemedb_wal::backup as journal;
use stemedb_wal::{Corruption, Extent, JournalState};

use crate::database::{Inner, JOURNAL_DIRECTORY};
use crate::error::{Cause, Result};
use crate::maintenance::Progress;
use crate::{Database, StoreKind};

mod restore;

pub use restore::{RestoreOptions, RestoreReport, restore};

/// How far a segment of the journal is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number; they are dense, from 1.
    pub number: u64,
    /// Bytes that are durable, from the beginning of the segment.
    pub bytes: u64,
    /// Whether it will never grow.
    pub is_sealed: bool,
    /// Last sequence in it or before it, 0 where there is none.
    pub last_sequence: u64,
    /// Hash of its last group, in hex: it commits to everything before.
    pub end_hash: String,
}

/// What there is to back up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The journal's identity, in hex.
    pub journal: String,
    /// The kind of store that a restored database gets.
    pub store: StoreKind,
    /// The segments in order; there is at least one.
    pub segments: Vec<Segment>,
}

/// A segment of an earlier backup that was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSegment {
    /// The file.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What was found.
    pub fault: String,
}

/// What a backup holds, and what was done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The journal's identity, in hex.
    pub journal: String,
    /// Last sequence in it, 0 where there are no records.
    pub last_sequence: u64,
    /// Hash of the last group with records, in hex: it commits to everything before it. `None` where there are no records.
    pub head_hash: Option<String>,
    /// How many segments were there, and verified.
    pub kept_segments: u64,
    /// How many were copied.
    pub copied_segments: u64,
    /// Bytes of those that were copied.
    pub copied_bytes: u64,
    /// Segments of the earlier backup that were damaged. Sound copies have taken their place; the disk may deserve a look.
    pub mended: Vec<DamagedSegment>,
}

/// Brings a backup up to date: takes the bytes of those segments that are wanted, verifies them, and makes them durable.
///
/// Until [`finish`](Self::finish) the backup is what it was before.
#[derive(Debug)]
pub struct BackupWriter(journal::BackupWriter);

impl BackupWriter {
    /// Looks at what `destination` holds of these segments, and verifies it; the directory is created where there is none.
    /// `place` is where the segments come from, as errors name it.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) where the destination holds a backup of something else, or of more than there is, or other
    /// files; [`Unavailable`](crate::ErrorKind::Unavailable) where another backup is being made there, or it cannot be written;
    /// [`Corruption`](crate::ErrorKind::Corruption) where `segments` or the manifest of the backup are malformed,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where a newer program wrote it. Then nothing in it was changed.
    pub fn begin(
        destination: impl AsRef<Path>,
        segments: &Segments,
        place: impl AsRef<Path>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self> {
        let place = place.as_ref();
        let source = source(segments, place).ok_or_else(|| Cause::Segments {
            place: place.to_owned(),
        })?;
        let options = stemedb_wal::Options::default();
        let mut told = telling("verified", progress);
        let writer =
            journal::BackupWriter::begin(&options, destination.as_ref(), source, &mut told)?;
        Ok(Self(writer))
    }

    /// The segment whose bytes come next; `None` when all are there.
    #[must_use]
    pub fn wanted(&self) -> Option<Segment> {
        self.0.wanted().map(segment)
    }

    /// Bytes that are still to come, in all segments together.
    #[must_use]
    pub fn wanted_bytes(&self) -> u64 {
        self.0.wanted_bytes()
    }

    /// Takes the next bytes of the wanted segment, and no more than it has. With its last byte it is verified and made durable, and the
    /// next one is wanted.
    ///
    /// # Errors
    ///
    /// [`Corruption`](crate::ErrorKind::Corruption) where the segment is not what was said of it: it is wanted again, from its first byte.
    /// [`Invalid`](crate::ErrorKind::Invalid) where it does not continue what the backup holds,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write(bytes)?)
    }

    /// Makes the backup what was received.
    ///
    /// # Errors
    ///
    /// [`Corruption`](crate::ErrorKind::Corruption) where segments are still wanted, [`Unavailable`](crate::ErrorKind::Unavailable)
    /// where it cannot be written.
    pub fn finish(self) -> Result<BackupReport> {
        let done = self.0.finish()?;
        let manifest = done.manifest;
        Ok(BackupReport {
            journal: manifest.journal.to_string(),
            last_sequence: manifest.last_sequence,
            head_hash: manifest.head_hash.map(|hash| hash.to_string()),
            kept_segments: done.kept,
            copied_segments: done.copied,
            copied_bytes: done.copied_bytes,
            mended: done.mended.iter().map(damaged).collect(),
        })
    }
}

impl Database {
    /// Brings the backup in `destination` up to date with what is durable now, or makes one where there is none; writing goes on
    /// meanwhile.
    ///
    /// Segments that are there are verified and kept, others are copied, never linked: a backup is for another disk. Whatever interrupts
    /// it, the destination is the old backup or the new one, and the next run goes on.
    ///
    /// # Errors
    ///
    /// As [`BackupWriter::begin`]; [`Corruption`](crate::ErrorKind::Corruption) where the journal is damaged.
    pub fn backup(
        &self,
        destination: impl AsRef<Path>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackupReport> {
        let place = self.directory().join(JOURNAL_DIRECTORY);
        let mut writer = BackupWriter::begin(destination, &self.segments(), place, progress)?;
        let mut told = telling("copied", progress);
        journal::copy(&self.inner().watch, &mut writer.0, &mut told)?;
        writer.finish()
    }

    /// What there is to back up now, for a [`BackupWriter`] that is elsewhere.
    #[must_use]
    pub fn segments(&self) -> Segments {
        segments(self.inner(), &self.inner().watch.state())
    }

    /// Reads bytes of a segment as far as they are durable, from `offset` on; gives how many, 0 at the durable end.
    ///
    /// They are not verified: whoever gets them does that.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) where there is no such segment, [`Unavailable`](crate::ErrorKind::Unavailable) where it
    /// cannot be read.
    pub fn read_segment(&self, number: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.inner().watch.read_segment(number, offset, buffer)?)
    }
}

fn segments(inner: &Inner, state: &JournalState) -> Segments {
    Segments {
        journal: state.journal.to_string(),
        store: match inner.store.kind() {
            stemedb_storage::StoreKind::Sled => StoreKind::Sled,
            stemedb_storage::StoreKind::Hybrid | stemedb_storage::StoreKind::Memory => {
                StoreKind::Hybrid
            }
        },
        segments: state.extents().iter().map(segment).collect(),
    }
}

fn segment(extent: &Extent) -> Segment {
    Segment {
        number: extent.number,
        bytes: extent.bytes,
        is_sealed: extent.is_sealed,
        last_sequence: extent.last_sequence,
        end_hash: extent.end_hash.to_string(),
    }
}

/// The same in the journal's terms; `None` where a hash is none.
fn source(segments: &Segments, place: &Path) -> Option<journal::Source> {
    let extent = |segment: &Segment| {
        Some(Extent {
            number: segment.number,
            bytes: segment.bytes,
            is_sealed: segment.is_sealed,
            last_sequence: segment.last_sequence,
            end_hash: segment.end_hash.parse().ok()?,
        })
    };
    Some(journal::Source {
        journal: segments.journal.parse().ok()?,
        segments: segments
            .segments
            .iter()
            .map(extent)
            .collect::<Option<_>>()?,
        place: place.to_owned(),
        note: segments.store.to_string(),
    })
}

fn damaged(found: &Corruption) -> DamagedSegment {
    DamagedSegment {
        file: found.path.display().to_string(),
        offset: found.offset,
        fault: found.fault.to_string(),
    }
}

/// Tells of bytes that are done, and of how many.
fn telling<'a>(
    stage: &'static str,
    progress: &'a mut dyn FnMut(Progress),
) -> impl FnMut(u64, u64) + 'a {
    move |done, total| progress(Progress { stage, done, total })
}
