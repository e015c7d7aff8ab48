//! Checking a journal: the whole hash chain, and each record against the store.

use std::ops::ControlFlow;
use std::path::Path;

use stemedb_core::Sequence;
use stemedb_wal::vfs::OsVfs;
use stemedb_wal::{Damaged, Group, Item, Link, Mark, walk};

use super::{Findings, Problem, StoreCheck, VerifyReport, is_applied};
use crate::error::Result;
use crate::marker::Marker;

/// Follows a journal from its first segment to its end.
pub(super) struct JournalCheck<'a> {
    /// None where the marker cannot be read.
    marker: Option<&'a Marker>,
    /// What the records are compared with.
    store: Option<&'a StoreCheck<'a>>,
    /// The cursors of the store that were not met yet.
    cursors: Vec<Mark>,
    segments: u64,
    groups: u64,
    records: u64,
    bytes: u64,
    head: Option<Mark>,
}

impl<'a> JournalCheck<'a> {
    pub(super) fn new(
        marker: Option<&'a Marker>,
        cursors: Vec<Mark>,
        store: Option<&'a StoreCheck<'a>>,
    ) -> Self {
        Self {
            marker,
            store,
            cursors,
            segments: 0,
            groups: 0,
            records: 0,
            bytes: 0,
            head: None,
        }
    }

    pub(super) fn run(&mut self, directory: &Path, findings: &mut Findings<'_>) -> Result<()> {
        let walked = walk(&OsVfs::default(), directory, &mut |item| {
            self.item(item, findings);
            ControlFlow::Continue(())
        });
        match walked {
            Err(stemedb_wal::Error::NotFound { path }) => {
                findings.store_problem(format!("{}: the journal is missing", path.display()));
            }
            other => other?,
        }
        for cursor in std::mem::take(&mut self.cursors) {
            let Mark {
                sequence, group, ..
            } = cursor;
            let problem =
                format!("the store has applied group {group}, which is not in the journal");
            findings.record_problem(sequence, problem);
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>, findings: &mut Findings<'_>) {
        match item {
            Item::Segment { path, header, .. } => {
                self.segments += 1;
                let journal = header.map(|header| header.journal.to_string());
                if let (1, Some(found), Some(marker)) = (self.segments, journal, self.marker)
                    && found != marker.journal
                {
                    let created = &marker.journal;
                    let problem = format!("is not the journal {created} of this database");
                    findings.add(in_file(path, 0, problem));
                }
            }
            Item::Group { group, link } => self.group(&group, link, findings),
            Item::Damaged(damaged) => findings.add(describe(&damaged)),
            Item::Missing { from, to } => {
                findings.store_problem(format!(
                    "segments {from} to {to} of the journal are missing"
                ));
            }
            _ => {}
        }
    }

    fn group(&mut self, group: &Group, link: Link, findings: &mut Findings<'_>) {
        self.groups += 1;
        self.bytes += group.header().group_bytes();
        let mark = group.mark();
        self.cursors.retain(|cursor| Some(*cursor) != mark);
        self.head = mark.or(self.head);
        if link == Link::Broken {
            let number = group.number();
            let problem = format!("group {number} does not continue the hash chain");
            findings.record_problem(group.header().first_sequence, problem);
        }
        for record in group.records() {
            self.records += 1;
            findings.progress("journal records checked", self.records, 0);
            let Some(sequence) = Sequence::new(record.sequence) else {
                continue;
            };
            let expected = self.store.filter(|store| is_applied(store.view, sequence));
            if let Some(Err(problem)) = expected.map(|store| store.expect(record.bytes, sequence)) {
                findings.record_problem(record.sequence, problem);
            }
        }
    }

    pub(super) fn fill(&self, report: &mut VerifyReport) {
        report.segments = self.segments;
        report.groups = self.groups;
        report.records = self.records;
        report.journal_bytes = self.bytes;
        report.head_hash = self.head.map(|head| head.hash.to_string());
    }
}

fn in_file(path: &Path, offset: u64, problem: String) -> Problem {
    Problem {
        file: Some(path.display().to_string()),
        offset: Some(offset),
        key: None,
        sequence: None,
        problem,
    }
}

fn describe(damaged: &Damaged) -> Problem {
    let mut problem = damaged.fault.to_string();
    if let Some(group) = damaged.group {
        problem = format!("{problem}, group {group}");
    }
    Problem {
        sequence: damaged.sequence,
        ..in_file(&damaged.path, damaged.offset, problem)
    }
}
