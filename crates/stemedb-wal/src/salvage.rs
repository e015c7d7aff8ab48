//! Salvage: what can be read of a damaged journal, written into a new one.

use std::ops::ControlFlow;
use std::path::Path;

use crate::directory::check_empty;
use crate::survey::{Damaged, Item, walk};
use crate::{Error, Group, JournalId, Log, Options, Trust};

/// What became of a salvage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvageReport {
    /// Identity of the new journal.
    pub journal: JournalId,
    /// How many records were kept. In the new journal they are numbered densely, from 1.
    pub records: u64,
    /// Ranges of old sequences, first and last, that are not in the new journal. Nothing is known of what may have followed the last record.
    pub missing: Vec<(u64, u64)>,
    /// Where the old journal is damaged.
    pub damaged: Vec<Damaged>,
    /// Ranges of segments, first and last, that are not there.
    pub missing_segments: Vec<(u64, u64)>,
}

/// Writes what can be read of the journal in `source` into a new journal in `destination`, which must not exist or be empty.
///
/// The new journal has a new identity, and no record in it counts as verified. Nothing in `source` is touched; it must not be open.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no journal, [`Error::Locked`], [`Error::NotEmpty`], [`Error::UnsupportedVersion`],
/// [`Error::Append`] where the new journal cannot be written, [`Error::Io`], [`Error::Option`].
pub fn salvage(
    source: &Path,
    destination: &Path,
    options: Options,
) -> Result<SalvageReport, Error> {
    let read_options = Options {
        create: false,
        ..options.clone()
    };
    let vfs = options.vfs.clone();
    let _lock = read_options.lock(source)?;
    // Before anything is created: is there a journal, and can its version be read?
    walk(vfs.as_ref(), source, &mut |_| ControlFlow::Break(()))?;
    let create_options = Options {
        create: true,
        ..options
    };
    let locked = create_options.lock(destination)?;
    check_empty(vfs.as_ref(), destination)?;
    let mut salvage = Salvage::new(locked.open(&[])?);
    let mut failed = None;
    walk(vfs.as_ref(), source, &mut |item| match salvage.take(item) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => salvage.finish(),
    }
}

struct Salvage {
    log: Log,
    report: SalvageReport,
    /// The old sequence that is expected next.
    next_sequence: u64,
}

impl Salvage {
    fn new(log: Log) -> Self {
        Self {
            report: SalvageReport {
                journal: log.journal(),
                records: 0,
                missing: Vec::new(),
                damaged: Vec::new(),
                missing_segments: Vec::new(),
            },
            log,
            next_sequence: 1,
        }
    }

    fn take(&mut self, item: Item<'_>) -> Result<(), Error> {
        match item {
            Item::Group { group, .. } => self.take_group(&group),
            Item::Damaged(damaged) => {
                self.report.damaged.push(damaged);
                Ok(())
            }
            Item::Missing { from, to } => {
                self.report.missing_segments.push((from, to));
                Ok(())
            }
            Item::Segment { .. } | Item::Zeros { .. } => Ok(()),
        }
    }

    /// Writes a group's records anew. A group of another history whose sequences are there already is passed over.
    fn take_group(&mut self, group: &Group) -> Result<(), Error> {
        let first = group.header().first_sequence;
        let next = group.header().next_sequence();
        let (Some(next), true) = (next, first >= self.next_sequence) else {
            return Ok(());
        };
        if first > self.next_sequence {
            self.report.missing.push((self.next_sequence, first - 1));
        }
        self.next_sequence = next;
        let mut builder = self.log.begin_group();
        for record in group.records() {
            builder.push(record.bytes, Trust::Unverified);
            self.report.records += 1;
        }
        if builder.records() > 0 {
            self.log.write(builder)?;
            self.log.sync()?;
        }
        Ok(())
    }

    fn finish(self) -> Result<SalvageReport, Error> {
        self.log.close()?;
        Ok(self.report)
    }
}
