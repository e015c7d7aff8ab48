//! The words in which the tests of damage are written.
//!
//! ```text
//! Story::small().append_all(&["a", "b"]).close().flip(1, 300).reopen().expect_corruption_at(1, 240)
//! ```
//!
//! A story lives on a simulated disk. It reads the files by itself, group after group, and shares no code with recovery.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stemedb_testkit::disk::SimDisk;
use stemedb_wal::format::{
    GROUP_HEADER_BYTES, GroupHeader, Place, SEGMENT_HEADER_BYTES, SegmentHeader,
    parse_segment_file_name, segment_file_name,
};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{Corruption, Error, Group, JournalId, Log, Mark, Options, RecoveryReport, Trust};

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;
pub(crate) type Record = (u64, Vec<u8>);

/// A journal on a simulated disk, with what was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) files: Files,
    /// What was synced.
    pub(crate) records: Vec<Record>,
    /// A mark for each group with records.
    pub(crate) marks: Vec<Mark>,
    journal: JournalId,
}

/// A group as it lies in the files.
#[derive(Clone, Debug)]
pub(crate) struct Lying {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) end: u64,
    pub(crate) header: GroupHeader,
    pub(crate) records: Vec<Record>,
}

pub(crate) fn directory() -> &'static Path {
    Path::new("/wal")
}

pub(crate) fn segment_path(number: u64) -> PathBuf {
    directory().join(segment_file_name(number))
}

pub(crate) fn options(disk: &SimDisk) -> Options {
    Options {
        segment_bytes_max: 4096,
        journal_id: Some(JournalId(*b"journal of tests")),
        vfs: Arc::new(disk.clone()),
        ..Options::default()
    }
}

impl Story {
    /// An empty journal with segments of 4 KiB.
    pub(crate) fn small() -> Self {
        Self::of(JournalId(*b"journal of tests"))
    }

    pub(crate) fn of(journal: JournalId) -> Self {
        Self {
            files: Files::new(),
            records: Vec::new(),
            marks: Vec::new(),
            journal,
        }
    }

    fn work(mut self, work: impl FnOnce(Log, &mut Self) -> Option<Log>) -> Self {
        let disk = self.disk();
        disk.create_directory(directory()).unwrap();
        let options = Options {
            journal_id: Some(self.journal),
            ..options(&disk)
        };
        let log = options.lock(directory()).unwrap().open(&[]).unwrap();
        drop(work(log, &mut self));
        self.files = disk.files();
        self
    }

    pub(crate) fn disk(&self) -> SimDisk {
        SimDisk::with_files(&self.files)
    }

    /// Appends groups of one record each, syncs each, and leaves the journal open as a crash would.
    pub(crate) fn append_all(self, records: &[&str]) -> Self {
        self.work(|mut log, story| {
            for record in records {
                let mut builder = log.begin_group();
                story
                    .records
                    .push((builder.next_sequence(), record.as_bytes().to_vec()));
                builder.push(record.as_bytes(), Trust::Unverified);
                story.marks.extend(log.write(builder).unwrap().mark());
                log.sync().unwrap();
            }
            Some(log)
        })
    }

    /// Opens the journal and closes it cleanly.
    pub(crate) fn close(self) -> Self {
        self.work(|log, _| {
            log.close().unwrap();
            None
        })
    }

    pub(crate) fn segment(&mut self, number: u64) -> &mut Vec<u8> {
        self.files.get_mut(&segment_path(number)).unwrap()
    }

    pub(crate) fn flip(self, segment: u64, offset: usize) -> Self {
        self.flip_bit(segment, offset, 0)
    }

    pub(crate) fn flip_bit(mut self, segment: u64, offset: usize, bit: u32) -> Self {
        self.segment(segment)[offset] ^= 1 << bit;
        self
    }

    pub(crate) fn truncate(mut self, segment: u64, length: usize) -> Self {
        self.segment(segment).truncate(length);
        self
    }

    pub(crate) fn extend(mut self, segment: u64, bytes: &[u8]) -> Self {
        self.segment(segment).extend(bytes);
        self
    }

    pub(crate) fn zero(mut self, segment: u64, range: std::ops::Range<usize>) -> Self {
        self.segment(segment)[range].fill(0);
        self
    }

    pub(crate) fn without(mut self, segment: u64) -> Self {
        self.files.remove(&segment_path(segment)).unwrap();
        self
    }

    pub(crate) fn put(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.insert(directory().join(name), bytes.to_vec());
        self
    }

    pub(crate) fn segments(&self) -> u64 {
        segment_count(&self.files)
    }

    pub(crate) fn length(&self, segment: u64) -> usize {
        self.files[&segment_path(segment)].len()
    }

    /// The groups of all segments, in order; the files must be whole.
    pub(crate) fn groups(&self) -> Vec<Lying> {
        read(&self.files, self.segments()).unwrap()
    }

    pub(crate) fn reopen(&self) -> Reopened {
        self.reopen_with(&[])
    }

    /// Opens the journal with the cursors of stores, and drops it at once as a crash would.
    pub(crate) fn reopen_with(&self, cursors: &[Mark]) -> Reopened {
        let disk = self.disk();
        disk.create_directory(directory()).unwrap();
        let locked = options(&disk).lock(directory()).unwrap();
        let result = locked.open(cursors).map(|log| log.report().clone());
        Reopened {
            before: self.clone(),
            files: disk.files(),
            result,
        }
    }
}

/// What came of opening a journal.
#[derive(Debug)]
pub(crate) struct Reopened {
    pub(crate) before: Story,
    pub(crate) files: Files,
    pub(crate) result: Result<RecoveryReport, Error>,
}

impl Reopened {
    pub(crate) fn story(&self) -> Story {
        Story {
            files: self.files.clone(),
            ..self.before.clone()
        }
    }

    /// The journal opened, and holds exactly the first records, and a second recovery changes nothing.
    pub(crate) fn expect_records(&self, count: usize) -> &RecoveryReport {
        let report = self.expect_open();
        let groups = read(&self.files, self.story().segments()).unwrap();
        let records: Vec<Record> = groups.into_iter().flat_map(|group| group.records).collect();
        assert!(
            records == self.before.records[..count],
            "{} records instead of {count}: {report:?}",
            records.len()
        );
        report
    }

    /// The journal opened, and reading it meets damage at a place.
    pub(crate) fn expect_damage_when_read(&self, segment: u64, offset: u64) {
        self.expect_open();
        let found = read(&self.files, self.story().segments()).unwrap_err();
        assert_eq!(found, (segment, offset));
    }

    pub(crate) fn expect_open(&self) -> &RecoveryReport {
        let report = self.result.as_ref().unwrap();
        let again = self.story().reopen();
        assert!(
            again.files == self.files,
            "a second recovery changed a file"
        );
        let second = again.result.unwrap();
        let quiet = RecoveryReport {
            foreign: report.foreign.clone(),
            ..RecoveryReport::default()
        };
        assert_eq!(second, quiet);
        report
    }

    /// The journal was refused, and every file is as it was.
    pub(crate) fn expect_refusal(&self) -> &Error {
        let error = self.result.as_ref().unwrap_err();
        assert!(self.files == self.before.files, "a refusal changed a file");
        error
    }

    pub(crate) fn expect_corruption(&self) -> &Corruption {
        match self.expect_refusal() {
            Error::Corruption(corruption) => corruption,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn expect_corruption_at(&self, segment: u64, offset: u64) {
        let found = self.expect_corruption();
        assert_eq!(
            (&found.path, found.offset),
            (&segment_path(segment), offset)
        );
    }
}

pub(crate) fn segment_count(files: &Files) -> u64 {
    let name = |path: &PathBuf| parse_segment_file_name(path.file_name()?.to_str()?);
    files.keys().filter_map(name).count() as u64
}

/// Reads all groups up to the first that is not there, whose place is the error.
pub(crate) fn read(files: &Files, segments: u64) -> Result<Vec<Lying>, (u64, u64)> {
    let mut groups: Vec<Lying> = Vec::new();
    for number in 1..=segments {
        let bytes = &files[&segment_path(number)];
        let header = bytes.first_chunk::<SEGMENT_HEADER_BYTES>();
        let header = header.and_then(|raw| SegmentHeader::decode(raw).ok());
        let header = header.ok_or((number, 0_u64))?;
        let mut offset = SEGMENT_HEADER_BYTES;
        while bytes[offset..].iter().any(|byte| *byte != 0) {
            let place = Place {
                journal: header.journal,
                segment: number,
                offset: offset as u64,
            };
            let damaged = (number, offset as u64);
            let group = Group::decode(&bytes[offset..], place).map_err(|_fault| damaged)?;
            let continues = groups
                .last()
                .is_none_or(|before| before.header.hash == group.header().previous);
            if !continues {
                return Err(damaged);
            }
            offset += usize::try_from(group.header().group_bytes()).unwrap();
            groups.push(Lying {
                segment: number,
                offset: damaged.1,
                end: offset as u64,
                header: *group.header(),
                records: group
                    .records()
                    .map(|r| (r.sequence, r.bytes.to_vec()))
                    .collect(),
            });
        }
    }
    assert!(
        groups
            .iter()
            .all(|group| group.end - group.offset >= GROUP_HEADER_BYTES as u64)
    );
    Ok(groups)
}
