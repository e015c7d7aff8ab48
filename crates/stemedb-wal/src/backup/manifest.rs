//! The manifest: the file that says what a backup holds. It is written last.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::IoContext;
use crate::recover::write_new;
use crate::vfs::{OpenMode, Vfs, read_full_at};
use crate::{Error, GroupHash, JournalId};

#[cfg(test)]
mod tests;

/// Version of the layout of a backup.
const FORMAT: u32 = 1;
const FIRST_LINE: &str = "stemedb backup";
/// Far more than a manifest has.
const BYTES_MAX: u64 = 4096;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The journal's identity.
    pub journal: JournalId,
    /// How many segments there are.
    pub segments: u64,
    /// Bytes of the last one that belong to the backup.
    pub last_bytes: u64,
    /// Hash of the last group: it commits to all of the backup.
    pub end_hash: GroupHash,
    /// Sequence of the last record, 0 where there is none.
    pub last_sequence: u64,
    /// Hash of the last group with records, `None` where there are no records.
    pub head_hash: Option<GroupHash>,
    /// What whoever made the backup wrote down for whoever restores it.
    pub note: String,
}

pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("backup.manifest")
}

fn aside(directory: &Path) -> PathBuf {
    directory.join("backup.manifest.tmp")
}

/// Names that a directory may hold in which a first backup was interrupted.
pub(crate) fn is_ours(name: &str) -> bool {
    ["backup.manifest.tmp", super::SEGMENTS_DIRECTORY].contains(&name)
}

impl Manifest {
    /// Reads the manifest of a backup; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where it is not as it was written, [`Error::UnsupportedVersion`], [`Error::Io`].
    pub fn read(vfs: &dyn Vfs, directory: &Path) -> Result<Option<Self>, Error> {
        let path = path(directory);
        let file = match vfs.open(&path, OpenMode::Read) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.context("open", &path)?,
        };
        let bytes = file.length().context("look up the length of", &path)?;
        let mut text = vec![0; usize::try_from(bytes.min(BYTES_MAX)).unwrap_or(0)];
        let read = read_full_at(file.as_ref(), &mut text, 0).context("read", &path)?;
        text.truncate(read);
        Self::parse(&String::from_utf8_lossy(&text), &path).map(Some)
    }

    // Durability: written aside and synced, renamed, and the directory synced: the old one is there or the new one.
    pub(crate) fn write(&self, vfs: &dyn Vfs, directory: &Path) -> Result<(), Error> {
        let aside = aside(directory);
        remove_leftover(vfs, &aside)?;
        write_new(vfs, &aside, self.text().as_bytes())?;
        let path = path(directory);
        vfs.rename(&aside, &path).context("rename", &aside)?;
        vfs.sync_directory(directory).context("sync", directory)
    }

    fn text(&self) -> String {
        let Self {
            journal,
            segments,
            last_bytes,
            end_hash,
            last_sequence,
            head_hash,
            note,
        } = self;
        let head = head_hash.map_or_else(|| "none".to_owned(), |hash| hash.to_string());
        format!(
            "{FIRST_LINE}\nformat {FORMAT}\njournal {journal}\nsegments {segments}\nlast_bytes {last_bytes}\n\
             end {end_hash}\nsequence {last_sequence}\nhead {head}\nnote {note}\n"
        )
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let mut lines = Lines {
            lines: text.lines(),
            path,
        };
        lines.field::<String>(FIRST_LINE)?;
        let found: u32 = lines.field("format ")?;
        if found != FORMAT {
            return Err(Error::UnsupportedVersion {
                path: path.to_owned(),
                found,
                supported: FORMAT,
            });
        }
        let parsed = Self {
            journal: lines.field("journal ")?,
            segments: lines.field("segments ")?,
            last_bytes: lines.field("last_bytes ")?,
            end_hash: lines.field("end ")?,
            last_sequence: lines.field("sequence ")?,
            head_hash: lines.field::<Head>("head ")?.0,
            note: lines.field("note ")?,
        };
        // A line more or less, a space or a zero in front: then it is not what was written.
        if parsed.text() != text {
            return Err(lines.malformed("it is not as it was written"));
        }
        Ok(parsed)
    }
}

struct Head(Option<GroupHash>);

impl FromStr for Head {
    type Err = crate::NotHex;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            hash => hash.parse().map(|hash| Self(Some(hash))),
        }
    }
}

struct Lines<'a> {
    lines: std::str::Lines<'a>,
    path: &'a Path,
}

impl Lines<'_> {
    /// What follows a name on the next line.
    fn field<T: FromStr>(&mut self, name: &str) -> Result<T, Error> {
        let line = self.lines.next().unwrap_or_default();
        let value = line.strip_prefix(name).and_then(|value| value.parse().ok());
        value.ok_or_else(|| self.malformed(line))
    }

    fn malformed(&self, line: &str) -> Error {
        let line = match line {
            "" => "it ends early".to_owned(),
            line => line.escape_debug().to_string(),
        };
        Error::Manifest {
            path: self.path.to_owned(),
            line,
        }
    }
}

/// Removes what an interrupted run left behind, if it did.
pub(crate) fn remove_leftover(vfs: &dyn Vfs, path: &Path) -> Result<(), Error> {
    match vfs.remove(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.context("remove", path),
    }
}
