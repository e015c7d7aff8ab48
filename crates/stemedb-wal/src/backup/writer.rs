//! The receiving side of a backup.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{Before, Candidate, passes};
use super::manifest::{self, remove_leftover};
use super::{
    BackupReport, Extent, Manifest, SEGMENTS_DIRECTORY, Source, segment_aside, segment_path,
};
use crate::directory::{SegmentFile, corruption};
use crate::error::IoContext;
use crate::format::{SEGMENT_FILE_BYTES_MAX, SEGMENT_HEADER_BYTES, segment_file_name};
use crate::recover::write_new;
use crate::scan::Scan;
use crate::vfs::Vfs;
use crate::{Corruption, Error, Fault, GroupHash, Options};

/// Brings a backup up to date: takes the bytes of those segments that are wanted, verifies them, and makes them durable.
///
/// Until [`finish`](Self::finish) the backup is what it was before. Dropping the writer earlier leaves that, and segments that are whole
/// are not asked for again by the next one.
#[derive(Debug)]
pub struct BackupWriter {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    source: Source,
    /// What the backup held before.
    before: Option<Manifest>,
    /// Segments that are still to come; the next one is the last.
    wanted: Vec<Extent>,
    /// Bytes of the next one, as far as they came.
    received: Vec<u8>,
    /// The last group with records, as far as it is known: that of the highest segment which holds one.
    head: Option<(u64, GroupHash)>,
    kept: u64,
    copied: u64,
    copied_bytes: u64,
    mended: Vec<Corruption>,
    _lock: Box<dyn Debug + Send + Sync>,
}

impl BackupWriter {
    /// Looks at what a directory holds of a source, and verifies it; the directory is created where there is none. `verified` is told
    /// how many bytes of how many were read.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignBackup`], [`Error::OtherHistory`] and [`Error::BackupAhead`] where the directory holds a backup of something else,
    /// [`Error::NotEmpty`] where it holds other files, [`Error::Locked`] where another backup is being made there, [`Error::Manifest`],
    /// [`Error::UnsupportedVersion`], [`Error::Io`]; [`Error::Corruption`] where the source is none. Then nothing in it was changed.
    pub fn begin(
        options: &Options,
        directory: &Path,
        source: Source,
        verified: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, Error> {
        last_of(&source)?;
        let vfs = Arc::clone(&options.vfs);
        let segments = directory.join(SEGMENTS_DIRECTORY);
        let lock = lock(vfs.as_ref(), directory)?;
        let before = Manifest::read(vfs.as_ref(), directory)?;
        match &before {
            Some(before) => check_grows(directory, before, &source)?,
            None => check_unfinished(vfs.as_ref(), directory)?,
        }
        vfs.create_directory(&segments)
            .context("create", &segments)?;
        let mut writer = Self {
            vfs,
            directory: directory.to_owned(),
            source,
            before,
            wanted: Vec::new(),
            received: Vec::new(),
            head: None,
            kept: 0,
            copied: 0,
            copied_bytes: 0,
            mended: Vec::new(),
            _lock: lock,
        };
        writer.survey(verified)?;
        Ok(writer)
    }

    /// The segment whose bytes come next; `None` when all are there.
    #[must_use]
    pub fn wanted(&self) -> Option<&Extent> {
        self.wanted.last()
    }

    /// Bytes that are still to come.
    #[must_use]
    pub fn wanted_bytes(&self) -> u64 {
        let wanted: u64 = self.wanted.iter().map(|extent| extent.bytes).sum();
        wanted.saturating_sub(self.received.len() as u64)
    }

    /// Takes the next bytes of the wanted segment, and no more than it has. With its last byte it is verified and made durable, and the
    /// next one is wanted.
    ///
    /// # Errors
    ///
    /// [`Error::Corruption`] where the segment is not what the source said: it is wanted again, from its first byte.
    /// [`Error::OtherHistory`] where it does not continue what the backup holds. [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(extent) = self.wanted.last().copied() else {
            return Err(self.trailing(0).into());
        };
        if self.received.len() as u64 + bytes.len() as u64 > extent.bytes {
            self.received = Vec::new();
            return Err(self.trailing(extent.number).into());
        }
        self.received.extend_from_slice(bytes);
        if (self.received.len() as u64) < extent.bytes {
            return Ok(());
        }
        let received = std::mem::take(&mut self.received);
        self.take(&extent, &received)?;
        self.wanted.pop();
        Ok(())
    }

    /// Makes the backup what was received.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`] where segments are still wanted, [`Error::Io`].
    // Durability:
    // 1. Every segment was synced before it got its name, and now the names are: what the new manifest names is there.
    // 2. The new manifest takes the place of the old one by a rename, and the directory is synced.
    pub fn finish(self) -> Result<BackupReport, Error> {
        let numbers = || self.wanted.iter().map(|extent| extent.number);
        if let (Some(from), Some(to)) = (numbers().min(), numbers().max()) {
            let path = self.directory;
            return Err(Error::Gap { path, from, to });
        }
        let last = last_of(&self.source)?;
        let manifest = Manifest {
            journal: self.source.journal,
            segments: last.number,
            last_bytes: last.bytes,
            end_hash: last.end_hash,
            last_sequence: last.last_sequence,
            head_hash: self.head.map(|(_, hash)| hash),
            note: self
                .source
                .note
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        let segments = self.directory.join(SEGMENTS_DIRECTORY);
        self.vfs
            .sync_directory(&segments)
            .context("sync", &segments)?;
        manifest.write(self.vfs.as_ref(), &self.directory)?;
        Ok(BackupReport {
            manifest,
            kept: self.kept,
            copied: self.copied,
            copied_bytes: self.copied_bytes,
            mended: self.mended,
        })
    }

    /// Verifies what is there, and finds out what is wanted.
    fn survey(&mut self, verified: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        let segments = self.source.segments.clone();
        let total = segments.iter().map(|extent| extent.bytes).sum();
        let mut done = 0;
        // The one in which the earlier backup ends comes first: whether this is its journal shows there, before anything is replaced.
        let end = self.before.as_ref().map(|before| before.segments);
        let mut first = None;
        for extent in segments.iter().rev() {
            if !self.keep(extent)? {
                if Some(extent.number) == end {
                    first = Some(*extent);
                } else {
                    self.wanted.push(*extent);
                }
            }
            done += extent.bytes;
            verified(done, total);
        }
        self.wanted.extend(first);
        Ok(())
    }

    /// Whether a segment is there and sound. One of the earlier backup that is not is noted.
    fn keep(&mut self, extent: &Extent) -> Result<bool, Error> {
        let path = segment_path(&self.directory, extent.number);
        match self.read(extent, &path)? {
            Ok(scan) => {
                self.note_head(extent, &scan);
                self.kept += 1;
                Ok(true)
            }
            Err(found) => {
                let damage = self.damage(extent, found)?;
                self.mended.extend(damage);
                Ok(false)
            }
        }
    }

    /// Reads and checks a segment that may be there; what does not verify is read once more.
    fn read(&self, extent: &Extent, path: &Path) -> Result<Result<Scan, Corruption>, Error> {
        let file = match open(self.vfs.as_ref(), path)? {
            None => return Ok(Err(corruption(path, 0, Fault::Short))),
            Some(file) if file.bytes < extent.bytes => {
                return Ok(Err(corruption(path, file.bytes, Fault::Short)));
            }
            Some(file) if file.bytes > extent.bytes => {
                return Ok(Err(corruption(path, extent.bytes, Fault::Trailing)));
            }
            Some(file) => file,
        };
        let check = || -> Result<_, Error> {
            let bytes = file.read(0, extent.bytes)?;
            let candidate = self.candidate(extent.number, &bytes, path);
            let scan = candidate.check(extent, Before::of(&self.source.segments, extent.number));
            let scan = scan.and_then(|scan| {
                let continues = self.continues(extent, &scan);
                let broken = || corruption(path, 0, Fault::Chain);
                continues.then_some(scan).ok_or_else(broken)
            });
            Ok(scan)
        };
        match check()? {
            Err(_) => check(),
            sound => Ok(sound),
        }
    }

    /// What is wrong with the part of a segment that belongs to the earlier backup, if anything is: `found` is what is wrong with all of it.
    fn damage(&self, extent: &Extent, found: Corruption) -> Result<Option<Corruption>, Error> {
        let Some(before) = &self.before else {
            return Ok(None);
        };
        if extent.number != before.segments {
            return Ok((extent.number < before.segments).then_some(found));
        }
        let Some(file) = open(self.vfs.as_ref(), &found.path)? else {
            return Ok(Some(found));
        };
        let bytes = file.read(0, before.last_bytes)?;
        let candidate = self.candidate(extent.number, &bytes, &found.path);
        let ended = Extent {
            bytes: before.last_bytes,
            last_sequence: before.last_sequence,
            end_hash: before.end_hash,
            ..*extent
        };
        let checked = candidate.check(&ended, Before::of(&self.source.segments, extent.number));
        Ok(checked.err())
    }

    fn candidate<'a>(&self, number: u64, bytes: &'a [u8], path: &'a Path) -> Candidate<'a> {
        Candidate {
            journal: self.source.journal,
            number,
            bytes,
            path,
        }
    }

    /// Whether a segment holds the end of the earlier backup, if that is where it ended.
    fn continues(&self, extent: &Extent, scan: &Scan) -> bool {
        let before = self.before.as_ref();
        let before = before.filter(|before| before.segments == extent.number);
        before.is_none_or(|before| passes(scan, before.last_bytes, before.end_hash))
    }

    fn note_head(&mut self, extent: &Extent, scan: &Scan) {
        let last = scan.groups.iter().rfind(|found| found.header.records > 0);
        let is_later = self.head.is_none_or(|(number, _)| number < extent.number);
        if let Some(last) = last.filter(|_| is_later) {
            self.head = Some((extent.number, last.header.hash));
        }
    }

    // Durability: written aside and synced before it gets its name, which may be that of an older and shorter copy of the same segment.
    fn take(&mut self, extent: &Extent, bytes: &[u8]) -> Result<(), Error> {
        let place = self.source.place.join(segment_file_name(extent.number));
        let candidate = self.candidate(extent.number, bytes, &place);
        let before = Before::of(&self.source.segments, extent.number);
        let scan = candidate.check(extent, before)?;
        if let Some(end) = &self.before
            && !self.continues(extent, &scan)
        {
            return Err(other_history(&self.directory, end));
        }
        let vfs = self.vfs.as_ref();
        let aside = segment_aside(&self.directory, extent.number);
        remove_leftover(vfs, &aside)?;
        write_new(vfs, &aside, bytes)?;
        let path = segment_path(&self.directory, extent.number);
        vfs.rename(&aside, &path).context("rename", &aside)?;
        self.note_head(extent, &scan);
        self.copied += 1;
        self.copied_bytes += extent.bytes;
        Ok(())
    }

    /// More bytes than a segment has.
    fn trailing(&self, number: u64) -> Corruption {
        let place = self.source.place.join(segment_file_name(number));
        corruption(&place, 0, Fault::Trailing)
    }
}

/// Takes the lock of a backup's directory, which is created where it is missing.
fn lock(vfs: &dyn Vfs, directory: &Path) -> Result<Box<dyn Debug + Send + Sync>, Error> {
    vfs.create_directory(directory)
        .context("create", directory)?;
    super::lock(vfs, directory)
}

/// A backup that was never finished holds nothing else.
fn check_unfinished(vfs: &dyn Vfs, directory: &Path) -> Result<(), Error> {
    let names = vfs.list(directory).context("list", directory)?;
    if names
        .iter()
        .all(|name| name.to_str().is_some_and(manifest::is_ours))
    {
        return Ok(());
    }
    let path = directory.to_owned();
    Err(Error::NotEmpty { path })
}

/// Fails where an earlier backup is not the beginning of the source, as far as that shows without looking into it.
fn check_grows(directory: &Path, before: &Manifest, source: &Source) -> Result<(), Error> {
    let path = directory.to_owned();
    if before.journal != source.journal {
        return Err(Error::ForeignBackup {
            path,
            found: before.journal,
            expected: source.journal,
        });
    }
    let mut extents = source.segments.iter();
    let extent = extents.find(|extent| extent.number == before.segments);
    match extent {
        Some(extent) if extent.bytes > before.last_bytes => Ok(()),
        Some(extent) if extent.bytes == before.last_bytes => {
            if extent.end_hash == before.end_hash {
                return Ok(());
            }
            Err(other_history(directory, before))
        }
        _ => Err(Error::BackupAhead {
            path,
            backup: before.last_sequence,
            journal: last_of(source)?.last_sequence,
        }),
    }
}

fn other_history(directory: &Path, before: &Manifest) -> Error {
    Error::OtherHistory {
        path: directory.to_owned(),
        segment: before.segments,
        hash: before.end_hash,
    }
}

/// The last segment of a source; its segments are numbered densely, and none is shorter or longer than a segment can be.
fn last_of(source: &Source) -> Result<Extent, Error> {
    let numbers = source.segments.iter().map(|extent| extent.number);
    let is_dense = (1..)
        .zip(numbers)
        .all(|(expected, number)| expected == number);
    let lengths = SEGMENT_HEADER_BYTES as u64..=SEGMENT_FILE_BYTES_MAX;
    let is_sound = |extent: &Extent| lengths.contains(&extent.bytes);
    match source.segments.last() {
        Some(last) if is_dense && source.segments.iter().all(is_sound) => Ok(*last),
        _ => Err(corruption(&source.place, 0, Fault::SegmentIdentity).into()),
    }
}

fn open(vfs: &dyn Vfs, path: &Path) -> Result<Option<SegmentFile>, Error> {
    match SegmentFile::open_path(vfs, path.to_owned()) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
