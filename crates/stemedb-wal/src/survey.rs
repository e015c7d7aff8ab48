//! Walking over the files of a journal, whatever is broken in them: the base of verifying, dumping and salvaging.
//!
//! It takes no lock and writes nothing. Damage is passed over: behind it the walk goes on at the next group that verifies.

use std::cell::OnceCell;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use crate::directory::{Around, SegmentFile, list, segment_path};
use crate::format::{ALIGNMENT_BYTES, Place, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::scan::{ChainEnd, Search, Segment, is_zero};
use crate::vfs::Vfs;
use crate::{Error, Fault, Group, JournalId};

/// Whether a group continues the one that was found before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It does: nothing is missing between them, and nothing was changed.
    Chained,
    /// It does not: groups between them are missing or damaged, or it is of another history of this journal.
    Broken,
}

/// Bytes that are neither a group nor zeros behind the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// Where the damage begins, in bytes.
    pub offset: u64,
    /// Up to where the next sound group, or the zeros behind the last one, begin.
    pub bytes: u64,
    /// What was found.
    pub fault: Fault,
    /// The group that should be there, where that is known.
    pub group: Option<u64>,
    /// The first sequence that should be there, where that is known.
    pub sequence: Option<u64>,
}

/// What lies in the files of a journal, in the order in which it lies there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A file begins; `header` is `None` where it is damaged, or that of another place, and a [`Damaged`] follows then.
    Segment {
        /// The file.
        path: &'a Path,
        /// Number by its name.
        number: u64,
        /// Length of the file in bytes.
        bytes: u64,
        /// Its header.
        header: Option<SegmentHeader>,
    },
    /// A group that verifies.
    Group {
        /// The group.
        group: Group,
        /// Whether it continues the one before it.
        link: Link,
    },
    /// Bytes that are damaged.
    Damaged(Damaged),
    /// Zeros behind the last group of a file.
    Zeros {
        /// The file.
        path: &'a Path,
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

/// Who is told of what is found; breaking off ends the walk.
type Visit<'a> = &'a mut dyn FnMut(Item<'_>) -> ControlFlow<()>;

/// Tells `visit` of everything that lies in the files of a journal, in order, until it breaks off.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no segment, [`Error::UnsupportedVersion`], [`Error::Io`]. Damage is no error.
pub fn walk(
    vfs: &dyn Vfs,
    directory: &Path,
    visit: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let segments = list(vfs, directory)?.segments;
    if segments.is_empty() {
        return Err(Error::NotFound {
            path: directory.to_owned(),
        });
    }
    let mut walk = Walk {
        vfs,
        directory,
        journal: find_journal(vfs, directory, &segments)?,
        chain: Some(ChainEnd::START),
    };
    let mut expected = 1;
    for number in segments {
        if number > expected {
            let missing = Item::Missing {
                from: expected,
                to: number - 1,
            };
            walk.chain = None;
            if visit(missing).is_break() {
                return Ok(());
            }
        }
        if walk.segment(number, visit)?.is_break() {
            return Ok(());
        }
        expected = number.saturating_add(1);
    }
    Ok(())
}

/// The identity that the first header in its right place gives.
fn find_journal(
    vfs: &dyn Vfs,
    directory: &Path,
    segments: &[u64],
) -> Result<Option<JournalId>, Error> {
    for number in segments {
        let header = match SegmentFile::open(vfs, directory, *number) {
            Ok(file) => file.header_if_readable()?,
            Err(Error::Corruption(_)) => None,
            Err(error) => return Err(error),
        };
        if let Some(header) = header.filter(|header| header.number == *number) {
            return Ok(Some(header.journal));
        }
    }
    Ok(None)
}

/// A file that was read whole.
#[derive(Clone, Copy)]
struct Whole<'a> {
    path: &'a Path,
    number: u64,
    around: &'a Around,
    bytes: &'a [u8],
    again: &'a Again<'a>,
}

/// The same file, read once more when something in it does not verify.
struct Again<'a> {
    file: &'a SegmentFile,
    around: OnceCell<Option<Around>>,
}

impl Again<'_> {
    /// The group at an offset, if it verifies now.
    fn group(&self, place: Place) -> Option<Group> {
        let around = self.around.get_or_init(|| self.file.read_around().ok());
        let offset = usize::try_from(place.offset).ok()?;
        let rest = around.as_ref()?.bytes.get(offset..)?;
        Group::decode(rest, place).ok()
    }
}

struct Walk<'a> {
    vfs: &'a dyn Vfs,
    directory: &'a Path,
    journal: Option<JournalId>,
    /// What the next group must continue, where that is known.
    chain: Option<ChainEnd>,
}

impl Walk<'_> {
    fn segment(&mut self, number: u64, visit: Visit<'_>) -> Result<ControlFlow<()>, Error> {
        let path = segment_path(self.directory, number);
        let file = match SegmentFile::open(self.vfs, self.directory, number) {
            Ok(file) => file,
            Err(Error::Corruption(found)) => {
                let region = found.offset..found.offset;
                let damaged = self.damaged(&path, &region, found.fault);
                return Ok(visit(Item::Damaged(damaged)));
            }
            Err(error) => return Err(error),
        };
        let around = file.read_around()?;
        let found = file.header_if_readable()?;
        let is_ours = |header: &SegmentHeader| {
            header.number == number && Some(header.journal) == self.journal
        };
        let header = found.filter(is_ours);
        let whole = Whole {
            path: &path,
            number,
            around: &around,
            bytes: &around.bytes,
            again: &Again {
                file: &file,
                around: OnceCell::new(),
            },
        };
        let begins = Item::Segment {
            path: &path,
            number,
            bytes: file.bytes,
            header,
        };
        if visit(begins).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(header) = header {
            self.chain = self.chain.or(Some(ChainEnd::before(&header)));
            return Ok(self.groups(whole, visit));
        }
        let fault = match found {
            Some(_) => Fault::SegmentIdentity,
            None => Fault::SegmentHeader,
        };
        Ok(self.without_header(whole, fault, visit))
    }

    /// A segment whose header is bad: its groups verify all the same, unless it is of another journal.
    fn without_header(
        &mut self,
        whole: Whole<'_>,
        fault: Fault,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        if is_zero(whole.bytes) {
            return visit(zeros(whole, 0));
        }
        let header_bytes = whole.bytes.len().min(SEGMENT_HEADER_BYTES) as u64;
        let damaged = self.damaged_in(whole, &(0..header_bytes), fault);
        visit(Item::Damaged(damaged))?;
        self.groups(whole, visit)
    }

    fn groups(&mut self, whole: Whole<'_>, visit: Visit<'_>) -> ControlFlow<()> {
        let segment = self.journal.map(|journal| Segment {
            journal,
            number: whole.number,
            bytes: whole.bytes,
        });
        let mut offset = SEGMENT_HEADER_BYTES;
        let mut search = Search::default();
        while let Some(rest) = whole.bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            match check(whole, segment, offset) {
                Ok(group) => {
                    let length = group.header().group_bytes();
                    let link = self.pass(&group);
                    visit(Item::Group { group, link })?;
                    offset += usize::try_from(length).unwrap_or(rest.len());
                }
                Err(_) if is_zero(rest) => return visit(zeros(whole, offset)),
                Err(fault) => {
                    let next = segment.and_then(|s| s.next_sound_behind(offset, &mut search));
                    let end = match next {
                        Some(found) => usize::try_from(found.place.offset).unwrap_or(usize::MAX),
                        None => end_of_damage(whole.bytes),
                    };
                    let region = offset as u64..end as u64;
                    visit(Item::Damaged(self.damaged_in(whole, &region, fault)))?;
                    offset = end;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Notes a group as the last one found.
    fn pass(&mut self, group: &Group) -> Link {
        let header = group.header();
        let extended = self.chain.and_then(|chain| chain.extend(header));
        self.chain = extended.or_else(|| {
            Some(ChainEnd {
                next_group: header.number.checked_add(1)?,
                next_sequence: header.next_sequence()?,
                hash: header.hash,
            })
        });
        if extended.is_some() {
            Link::Chained
        } else {
            Link::Broken
        }
    }

    fn damaged_in(&self, whole: Whole<'_>, region: &Range<u64>, fault: Fault) -> Damaged {
        let is_unreadable = whole.around.misses(region);
        let fault = if is_unreadable {
            Fault::Unreadable
        } else {
            fault
        };
        self.damaged(whole.path, region, fault)
    }

    fn damaged(&self, path: &Path, region: &Range<u64>, fault: Fault) -> Damaged {
        Damaged {
            path: path.to_owned(),
            offset: region.start,
            bytes: region.end - region.start,
            fault,
            group: self.chain.map(|chain| chain.next_group),
            sequence: self.chain.map(|chain| chain.next_sequence),
        }
    }
}

/// The group at an offset. What does not verify is read once more before it counts.
fn check(whole: Whole<'_>, segment: Option<Segment<'_>>, offset: usize) -> Result<Group, Fault> {
    let segment = segment.ok_or(Fault::SegmentIdentity)?;
    let rest = whole.bytes.get(offset..).unwrap_or_default();
    let place = segment.place(offset);
    match Group::decode(rest, place) {
        Err(_) if is_zero(rest) => Err(Fault::NoGroup),
        Err(fault) => whole.again.group(place).ok_or(fault),
        sound => sound,
    }
}

fn zeros(whole: Whole<'_>, offset: usize) -> Item<'_> {
    Item::Zeros {
        path: whole.path,
        offset: offset as u64,
        bytes: (whole.bytes.len() - offset) as u64,
    }
}

/// Where the zeros begin that end the file; the padding of a record is not among them.
fn end_of_damage(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte != 0);
    let end = last.map_or(0, |at| (at + 1).next_multiple_of(ALIGNMENT_BYTES));
    end.min(bytes.len())
}
