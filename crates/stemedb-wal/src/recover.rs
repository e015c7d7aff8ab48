//! Recovery: looks at a journal's directory, decides by the table, carries it out.
//!
//! Nothing is written before every decision is made, so a refusal leaves the files as they were.

use std::path::Path;

use crate::decision::{Action, Behind, Header, Position, Witness, decide};
use crate::directory::{Listing, SegmentFile, check_dense, corruption, list, segment_path};
use crate::error::IoContext;
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::group::{check_group, mark_of};
use crate::mark::{Extent, check_mark};
use crate::scan::{ChainEnd, Found, Scan, Segment, Tail, is_zero};
use crate::vfs::Vfs;
use crate::{Corruption, Error, Fault, GroupHash, JournalId, Mark};

/// How often a segment is read that does not end at a group, at most.
const READINGS_MAX: u32 = 4;

mod carry;
mod last;
mod report;

pub(crate) use carry::write_new;
pub use report::{RecoveryReport, Torn};

/// One segment of an open journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u64,
    /// Number of its first group.
    pub first_group: u64,
    /// Sequence of the first record that it can hold.
    pub first_sequence: u64,
    /// Hash of the last group before it, zeros in the first segment.
    pub previous_hash: GroupHash,
    /// Bytes of its groups.
    pub group_bytes: u64,
}

impl SegmentInfo {
    /// The first segment of a journal, with nothing in it.
    pub(crate) const FIRST: Self = Self {
        number: 1,
        first_group: ChainEnd::START.next_group,
        first_sequence: ChainEnd::START.next_sequence,
        previous_hash: ChainEnd::START.hash,
        group_bytes: 0,
    };
}

/// Everything that a log needs to go on at the journal's end.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) journal: JournalId,
    pub(crate) segments: Vec<SegmentInfo>,
    pub(crate) chain: ChainEnd,
    /// Where the groups of the last segment end.
    pub(crate) end: u64,
    /// Where the last group begins.
    pub(crate) last_offset: u64,
    /// What the last group says is durable.
    pub(crate) covered_upto: u64,
    pub(crate) head: Option<Mark>,
    pub(crate) report: RecoveryReport,
}

impl Recovered {
    /// What a mark is compared with.
    pub(crate) fn extent(&self) -> Extent<'_> {
        Extent {
            journal: self.journal,
            head: self.head,
            segments: &self.segments,
        }
    }
}

/// Decisions that were made and not yet carried out.
#[derive(Debug, Default)]
struct Plan {
    finish_seals: Vec<(u64, u64)>,
    drop_segment: Option<(u64, Vec<u8>)>,
    rewrite: Option<Rewrite>,
}

#[derive(Debug)]
struct Rewrite {
    number: u64,
    kept: Vec<u8>,
    dropped: Vec<u8>,
}

/// Recovers the journal in a directory that holds at least one segment.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    directory: &Path,
    cursors: &[Mark],
) -> Result<Recovered, Error> {
    let listing = list(vfs, directory)?;
    check_dense(directory, &listing.segments)?;
    let survey = Survey {
        vfs,
        directory,
        cursors,
    };
    let (mut recovered, plan) = survey.run(&listing)?;
    survey.check_cursors(&recovered)?;
    for name in &listing.leftovers {
        let path = directory.join(name);
        vfs.remove(&path).context("remove", &path)?;
    }
    recovered.report = plan.carry_out(vfs, directory)?;
    recovered.report.foreign = listing.foreign;
    recovered.report.log(directory);
    Ok(recovered)
}

struct Survey<'a> {
    vfs: &'a dyn Vfs,
    directory: &'a Path,
    cursors: &'a [Mark],
}

impl Survey<'_> {
    fn run(&self, listing: &Listing) -> Result<(Recovered, Plan), Error> {
        let mut headers = Vec::with_capacity(listing.segments.len());
        for number in &listing.segments {
            let file = SegmentFile::open(self.vfs, self.directory, *number)?;
            headers.push(file.header()?);
        }
        let first =
            headers.first().copied().flatten().ok_or_else(|| {
                corruption(&segment_path(self.directory, 1), 0, Fault::SegmentHeader)
            })?;
        let last_number = headers.len() as u64;
        let mut plan = Plan::default();
        let last_is_bad = headers.last().is_some_and(Option::is_none);
        let sound = self.check_headers(first.journal, &headers)?;
        let mut segments = self.check_sealed(&sound, &mut plan)?;
        let last = *sound.last().unwrap_or(&first);
        let scan = if last_is_bad {
            self.drop_last(last, last_number, &mut plan)?
        } else {
            self.scan_last(last, &mut plan)?
        };
        let head = self.find_head(&sound, &scan)?;
        segments.push(segment_info(&last, scan.end));
        let recovered = Recovered {
            journal: first.journal,
            segments,
            chain: scan.chain,
            end: scan.end,
            last_offset: scan.groups.last().map_or(0, |found| found.place.offset),
            covered_upto: covered_upto(&last, &scan),
            head,
            report: RecoveryReport::default(),
        };
        Ok((recovered, plan))
    }

    /// Every header but the last must be sound, and each must fit its place.
    fn check_headers(
        &self,
        journal: JournalId,
        headers: &[Option<SegmentHeader>],
    ) -> Result<Vec<SegmentHeader>, Error> {
        let mut sound: Vec<SegmentHeader> = Vec::with_capacity(headers.len());
        for (number, header) in (1_u64..).zip(headers) {
            let path = segment_path(self.directory, number);
            let is_last = number == headers.len() as u64;
            let Some(header) = header else {
                if is_last && number > 1 {
                    break;
                }
                return Err(corruption(&path, 0, Fault::SegmentHeader).into());
            };
            let continues = sound.last().is_none_or(|before| {
                before.first_group < header.first_group
                    && before.first_sequence <= header.first_sequence
            });
            let starts = number > 1 || ChainEnd::before(header) == ChainEnd::START;
            if header.number != number || header.journal != journal || !continues || !starts {
                return Err(corruption(&path, 0, Fault::SegmentIdentity).into());
            }
            sound.push(*header);
        }
        Ok(sound)
    }

    /// Checks the end of every segment whose successor's header is sound.
    fn check_sealed(
        &self,
        sound: &[SegmentHeader],
        plan: &mut Plan,
    ) -> Result<Vec<SegmentInfo>, Error> {
        let mut segments = Vec::with_capacity(sound.len());
        for pair in sound.windows(2) {
            let [header, successor] = pair else { continue };
            let (end, behind) = match self.look_behind_named(header, successor)? {
                (_, Behind::Damage) => self.look_behind_named(header, successor)?,
                sound => sound,
            };
            match decide(Position::Sealed, Header::Sound, behind, Witness::None) {
                Action::FinishSeal => plan.finish_seals.push((header.number, end)),
                Action::Accept => {}
                _ => {
                    return Err(Corruption {
                        path: segment_path(self.directory, header.number),
                        offset: successor.previous_offset,
                        group: successor.first_group.checked_sub(1),
                        sequence: None,
                        fault: Fault::Chain,
                    }
                    .into());
                }
            }
            segments.push(segment_info(header, end));
        }
        Ok(segments)
    }

    /// Where the group ends that the successor's header names, and what is behind it.
    fn look_behind_named(
        &self,
        header: &SegmentHeader,
        successor: &SegmentHeader,
    ) -> Result<(u64, Behind), Error> {
        let file = SegmentFile::open(self.vfs, self.directory, header.number)?;
        let offset = successor.previous_offset;
        let bytes = file.read(offset, file.bytes)?;
        let segment = Segment {
            journal: header.journal,
            number: header.number,
            bytes: &[],
        };
        let place = segment.place(usize::try_from(offset).unwrap_or(usize::MAX));
        let Ok(group) = check_group(&bytes, place) else {
            return Ok((offset, Behind::Damage));
        };
        let is_named = group.hash == successor.previous_hash
            && group.number.checked_add(1) == Some(successor.first_group)
            && group.next_sequence() == Some(successor.first_sequence);
        let end = offset + group.group_bytes();
        let rest = bytes.get(usize::try_from(group.group_bytes()).unwrap_or(usize::MAX)..);
        let behind = match rest {
            Some([]) if is_named => Behind::Nothing,
            Some(rest) if is_named && is_zero(rest) => Behind::Zeros,
            _ => Behind::Damage,
        };
        Ok((end, behind))
    }

    fn read_segment(&self, number: u64) -> Result<Vec<u8>, Error> {
        let file = SegmentFile::open(self.vfs, self.directory, number)?;
        file.read(0, file.bytes)
    }

    /// Reads and scans a segment. Where it does not end at a group it is read until two readings agree on where the groups end and what
    /// is behind them: damage, and zeros as well, may be those of a bad read.
    fn scan_segment(&self, header: &SegmentHeader) -> Result<(Vec<u8>, Scan), Error> {
        let mut best = self.scan_once(header)?;
        for _ in 1..READINGS_MAX {
            if best.1.tail == Tail::Exact {
                break;
            }
            let next = self.scan_once(header)?;
            // A group that verified once is there: a reading that ends before it was the bad one.
            if next.1.end < best.1.end {
                continue;
            }
            let agrees = next.1.end == best.1.end && next.1.tail == best.1.tail;
            best = next;
            if agrees {
                break;
            }
        }
        Ok(best)
    }

    fn scan_once(&self, header: &SegmentHeader) -> Result<(Vec<u8>, Scan), Error> {
        let bytes = self.read_segment(header.number)?;
        let segment = Segment {
            journal: header.journal,
            number: header.number,
            bytes: &bytes,
        };
        let scan = segment.scan(ChainEnd::before(header));
        Ok((bytes, scan))
    }

    fn damaged(&self, number: u64, scan: &Scan, fault: Fault) -> Error {
        Corruption {
            path: segment_path(self.directory, number),
            offset: scan.end,
            group: Some(scan.chain.next_group),
            sequence: Some(scan.chain.next_sequence),
            fault,
        }
        .into()
    }

    /// The last group with records; in the last segment as a rule, since a segment is begun by a group with records.
    fn find_head(&self, sound: &[SegmentHeader], last: &Scan) -> Result<Option<Mark>, Error> {
        if let Some(mark) = last_mark(last) {
            return Ok(Some(mark));
        }
        for pair in sound.windows(2).rev() {
            let [header, successor] = pair else { continue };
            let (_, scan) = self.scan_segment(header)?;
            if scan.chain != ChainEnd::before(successor) {
                let (_, fault) = behind(scan.tail);
                return Err(self.damaged(header.number, &scan, fault));
            }
            if let Some(mark) = last_mark(&scan) {
                return Ok(Some(mark));
            }
        }
        Ok(None)
    }

    /// A cursor must name a group that the journal holds, by number and by hash.
    fn check_cursors(&self, recovered: &Recovered) -> Result<(), Error> {
        for cursor in self.cursors {
            let extent = recovered.extent();
            check_mark(self.vfs, self.directory, extent, cursor)?;
        }
        Ok(())
    }
}

/// What the last segment proves durable: all before it by its name, and what its last group says.
fn covered_upto(header: &SegmentHeader, scan: &Scan) -> u64 {
    let said = scan
        .groups
        .last()
        .map_or(0, |found| found.header.durable_upto);
    said.max(header.first_group.saturating_sub(1))
}

fn segment_info(header: &SegmentHeader, end: u64) -> SegmentInfo {
    SegmentInfo {
        number: header.number,
        first_group: header.first_group,
        first_sequence: header.first_sequence,
        previous_hash: header.previous_hash,
        group_bytes: end.saturating_sub(SEGMENT_HEADER_BYTES as u64),
    }
}

fn last_mark(scan: &Scan) -> Option<Mark> {
    let mark = |found: &Found| mark_of(&found.header, found.place);
    scan.groups.iter().rev().find_map(mark)
}

fn behind(tail: Tail) -> (Behind, Fault) {
    match tail {
        Tail::Exact => (Behind::Nothing, Fault::NoGroup),
        Tail::Zeros => (Behind::Zeros, Fault::NoGroup),
        Tail::Damaged(fault) => (Behind::Damage, fault),
    }
}
