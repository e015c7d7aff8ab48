//! A journal from a backup.

use std::path::Path;

use super::check::{Before, Candidate};
use super::{Manifest, manifest, segment_path};
use crate::directory::{self, SegmentFile, check_empty, corruption};
use crate::error::IoContext;
use crate::recover::write_new;
use crate::scan::Scan;
use crate::vfs::Vfs;
use crate::{Error, Fault, GroupHash, Options};

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// What the backup holds, every byte of which was verified.
    pub manifest: Manifest,
    /// Bytes of all segments.
    pub bytes: u64,
}

/// Makes a journal in `destination`, which must not exist or be empty, from the backup in `source`. `restored` is told of each segment:
/// how many are done, and of how many.
///
/// # Errors
///
/// [`Error::NoBackup`], [`Error::Manifest`], [`Error::UnsupportedVersion`]; [`Error::Corruption`] where a byte of the backup is not what
/// it was, [`Error::NotEmpty`], [`Error::Locked`], [`Error::Io`]. What is in the destination then is no journal.
// Durability:
// 1. Every segment is verified, written aside and synced.
// 2. They get their names from the last to the second, and the directory is synced: a journal whose first segment is missing is a gap,
//    so that no part of it passes for a shorter one.
// 3. The first one gets its name, and the directory is synced.
pub fn restore(
    options: &Options,
    source: &Path,
    destination: &Path,
    restored: &mut dyn FnMut(u64, u64),
) -> Result<RestoreReport, Error> {
    let vfs = options.vfs.as_ref();
    let _reading = super::lock(vfs, source)?;
    let manifest = read_manifest(vfs, source)?;
    let _writing = Options {
        create: true,
        ..options.clone()
    }
    .lock(destination)?;
    check_empty(vfs, destination)?;
    let mut chain = Chain {
        vfs,
        source,
        manifest: &manifest,
        before: Before::START,
        head: None,
        bytes: 0,
    };
    for number in 1..=manifest.segments {
        let bytes = chain.segment(number)?;
        write_new(vfs, &aside(destination, number), &bytes)?;
        restored(number, manifest.segments);
    }
    chain.end()?;
    let bytes = chain.bytes;
    for number in (1..=manifest.segments).rev() {
        if number == 1 {
            vfs.sync_directory(destination)
                .context("sync", destination)?;
        }
        let aside = aside(destination, number);
        let path = directory::segment_path(destination, number);
        vfs.rename(&aside, &path).context("rename", &aside)?;
    }
    vfs.sync_directory(destination)
        .context("sync", destination)?;
    Ok(RestoreReport { manifest, bytes })
}

/// The manifest of a backup, which must be there.
///
/// # Errors
///
/// As [`restore`].
pub fn read_manifest(vfs: &dyn Vfs, source: &Path) -> Result<Manifest, Error> {
    let manifest = Manifest::read(vfs, source)?;
    manifest.ok_or_else(|| Error::NoBackup {
        path: source.to_owned(),
    })
}

fn aside(destination: &Path, number: u64) -> std::path::PathBuf {
    destination.join(format!("spare-{number:016x}.tmp"))
}

/// The segments of a backup, read in order.
struct Chain<'a> {
    vfs: &'a dyn Vfs,
    source: &'a Path,
    manifest: &'a Manifest,
    before: Before,
    head: Option<GroupHash>,
    bytes: u64,
}

impl Chain<'_> {
    /// The bytes of the next segment. What does not verify is read once more before it counts as damaged.
    fn segment(&mut self, number: u64) -> Result<Vec<u8>, Error> {
        let (bytes, scan) = match self.read(number) {
            Err(Error::Corruption(_)) => self.read(number)?,
            read => read?,
        };
        self.before = Before {
            hash: scan.chain.hash,
            last_sequence: scan.chain.next_sequence.saturating_sub(1),
        };
        let last = scan.groups.iter().rfind(|found| found.header.records > 0);
        self.head = last.map(|found| found.header.hash).or(self.head);
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn read(&self, number: u64) -> Result<(Vec<u8>, Scan), Error> {
        let path = segment_path(self.source, number);
        let file = match SegmentFile::open_path(self.vfs, path.clone()) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Gap {
                    path: self.source.to_owned(),
                    from: number,
                    to: number,
                });
            }
            opened => opened?,
        };
        // Behind the end of the backup may lie what a later run copied before it was interrupted.
        let bytes = if number == self.manifest.segments {
            self.manifest.last_bytes
        } else {
            file.bytes
        };
        if file.bytes < bytes {
            return Err(corruption(&path, file.bytes, Fault::Short).into());
        }
        // Only a header can say that a newer program wrote it.
        file.header()?;
        let bytes = file.read(0, bytes)?;
        let candidate = Candidate {
            journal: self.manifest.journal,
            number,
            bytes: &bytes,
            path: &path,
        };
        let scan = candidate.scan(self.before)?;
        Ok((bytes, scan))
    }

    /// Everything was read: it must end as the manifest says.
    fn end(&self) -> Result<(), Error> {
        let Manifest {
            end_hash,
            last_sequence,
            head_hash,
            ..
        } = self.manifest;
        let end = Before {
            hash: *end_hash,
            last_sequence: *last_sequence,
        };
        if self.before == end && self.head == *head_hash {
            return Ok(());
        }
        Err(corruption(&manifest::path(self.source), 0, Fault::Chain).into())
    }
}
