//! Lengths, sizes and numbers at their limits, and how much is read for them (cases 20, 21, 22, 43, 68).

use std::path::PathBuf;
use std::time::Duration;

use crate::story::{Files, Story, directory, options, read, segment_count, segment_path};
use stemedb_testkit::disk::{Operation, SimDisk};
use stemedb_wal::format::{
    GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, GroupHeader, Place, RECORD_BYTES_MAX,
    SEGMENT_HEADER_BYTES, framed_bytes, group_hash,
};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{AppendError, Error, JournalId, Log, Options, Start, Trust};

fn empty() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    disk
}

fn open(disk: &SimDisk) -> Log {
    options(disk).lock(directory()).unwrap().open(&[]).unwrap()
}

fn write(log: &mut Log, record: &[u8]) {
    let mut builder = log.begin_group();
    builder.push(record, Trust::Unverified);
    log.write(builder).unwrap();
}

/// Bytes that were asked for by all reads since `from`, and those of the longest one.
fn bytes_read(disk: &SimDisk, from: usize) -> (u64, u64) {
    let trace = disk.trace();
    let reads = trace.iter().skip(from);
    let reads = reads.filter(|done| done.operation == Operation::Read);
    let lengths: Vec<u64> = reads.map(|done| done.bytes).collect();
    (lengths.iter().sum(), lengths.into_iter().max().unwrap_or(0))
}

#[test]
fn lengths_that_cannot_be_are_refused_without_reading_further_than_the_file() {
    // Case 20, under a right hash: huge, negative, beyond the file, over the limit, odd.
    let whole = Story::small().append_all(&["a", "b", "c"]).close();
    let groups = whole.groups();
    let max = u32::try_from(GROUP_PAYLOAD_BYTES_MAX).unwrap();
    for length in [u32::MAX, 1 << 31, 1 << 20, max, max + 16, 33] {
        for group in &groups[1..4] {
            let mut story = whole.clone();
            let at = usize::try_from(group.offset).unwrap();
            let header = GroupHeader {
                payload_bytes: length,
                ..group.header
            };
            let place = Place {
                journal: JournalId(*b"journal of tests"),
                segment: 1,
                offset: group.offset,
            };
            let hash = group_hash(place, &header.encode(), &[]);
            let header = GroupHeader { hash, ..header }.encode();
            story.segment(1)[at..at + GROUP_HEADER_BYTES].copy_from_slice(&header);
            let disk = story.disk();
            let error = options(&disk).lock(directory()).unwrap().open(&[]);
            assert!(matches!(error, Err(Error::Corruption(_))), "{length}");
            let (_, longest) = bytes_read(&disk, 0);
            assert!(longest <= story.length(1) as u64, "{length}: {longest}");
        }
    }
}

#[test]
fn a_reader_meets_a_length_that_cannot_be_without_reading_further_than_the_file() {
    let disk = empty();
    let mut log = open(&disk);
    for n in 0..6 {
        write(&mut log, &[n; 1000]);
    }
    log.close().unwrap();
    let path = segment_path(1);
    let mut files = disk.files();
    // The second group of a sealed segment: opening does not look at it.
    let bytes = files.get_mut(&path).unwrap();
    let second = SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES;
    bytes[second + 4..second + 8].copy_from_slice(&0x00ff_fff0_u32.to_le_bytes());
    let length = bytes.len() as u64;
    let disk = SimDisk::with_files(&files);
    let quiet = Options {
        recent_bytes_max: 0,
        ..options(&disk)
    };
    let journal = quiet.open(directory()).unwrap();
    let from = disk.operation_count();
    let mut reader = journal.reader(Start::Beginning).unwrap();
    let error = loop {
        match reader.next_group() {
            Ok(group) => assert!(group.is_some(), "it was not noticed"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Corruption(_)), "{error:?}");
    assert!(bytes_read(&disk, from).1 <= length);
}

fn segments(disk: &SimDisk) -> Files {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|end| end == "wal");
    let files = disk.files().into_iter();
    files.filter(|(path, _)| is_segment(path)).collect()
}

#[test]
fn the_longest_record_gets_a_segment_of_its_own_and_a_longer_one_is_refused() {
    // Case 21: segments are of 4 KiB here, so each of these is longer than one.
    let disk = empty();
    let quiet = Options {
        idle_after: Duration::from_hours(1),
        ..options(&disk)
    };
    let mut journal = quiet.open(directory()).unwrap();
    let lengths = [4096, 5000, RECORD_BYTES_MAX - 1, RECORD_BYTES_MAX];
    for (length, sequence) in lengths.into_iter().zip(1..) {
        assert_eq!(journal.append(vec![7; length]).unwrap(), sequence);
    }
    let before = segments(&disk);
    let refused = journal.append(vec![7; RECORD_BYTES_MAX + 1]);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    assert!(segments(&disk) == before, "something was written");
    assert_eq!(journal.append(*b"small").unwrap(), 5);
    journal.close().unwrap();
    let files = disk.files();
    let groups = read(&files, segment_count(&files)).unwrap();
    let records = groups.iter().flat_map(|group| &group.records);
    let found: Vec<usize> = records.map(|record| record.1.len()).collect();
    assert_eq!(
        found,
        [4096, 5000, RECORD_BYTES_MAX - 1, RECORD_BYTES_MAX, 5]
    );
    open(&disk);
    assert!(disk.files() == files);
}

#[test]
fn empty_records_are_records() {
    // Case 22; that zeros are neither a header nor a record is tested by `format`.
    let story = Story::small().append_all(&["", "a", "", ""]);
    story.reopen().expect_records(4);
    let story = story.close();
    story.reopen().expect_records(4);
    let groups = story.groups();
    let lengths = groups.iter().flat_map(|group| &group.records);
    let lengths: Vec<usize> = lengths.map(|record| record.1.len()).collect();
    assert_eq!(lengths, [0, 1, 0, 0]);
    assert_eq!(framed_bytes(0), 16, "an empty record is not nothing");
}

#[test]
fn offsets_beyond_four_gibibytes_are_told_apart() {
    // Case 43: no segment is as long, and a place that would be is another place all the same.
    let place = Place {
        journal: JournalId([1; 16]),
        segment: 1,
        offset: 240,
    };
    let far = Place {
        offset: 240 + (1 << 32),
        ..place
    };
    let header = [0; GROUP_HEADER_BYTES];
    assert_ne!(
        group_hash(place, &header, b""),
        group_hash(far, &header, b"")
    );
}

#[test]
fn opening_reads_the_ends_of_sealed_segments_only() {
    // Case 68: what is read grows with the number of segments, and not with what is in them.
    let is_long = std::env::var_os("STEMEDB_LONG_TESTS").is_some();
    let segments = if is_long { 10_000 } else { 1000 };
    let disk = empty();
    let mut log = open(&disk);
    while log.segments().len() < segments {
        write(&mut log, &[9; 500]);
    }
    log.close().unwrap();
    let files = disk.files();
    assert_eq!(segment_count(&files), segments as u64);
    let all: usize = files.values().map(Vec::len).sum();
    let fresh = SimDisk::with_files(&files);
    let begun = now();
    let log = open(&fresh);
    println!(
        "case 68: {segments} segments were opened in {:?}",
        begun.elapsed()
    );
    let group = GROUP_HEADER_BYTES + framed_bytes(500);
    let each = 2 * (SEGMENT_HEADER_BYTES + group) as u64;
    let (read, _) = bytes_read(&fresh, 0);
    assert!(
        read < each * (segments as u64 + 10),
        "{read} bytes of {all}"
    );
    assert!(
        fresh.operation_count() < 10 * segments,
        "{}",
        fresh.operation_count()
    );
    assert_eq!(log.segments().len(), segments);
}

#[expect(
    clippy::disallowed_methods,
    reason = "says how long an opening took; nothing depends on it"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
