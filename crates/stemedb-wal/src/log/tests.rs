use super::*;
use crate::Trust;
use crate::scan::ChainEnd;

/// A log that has come as far as `change` says, on a real disk.
fn log_at(directory: &Path, change: impl FnOnce(&mut Recovered)) -> Log {
    let options = Options {
        segment_bytes_max: 4096,
        ..Options::default()
    };
    let mut log = options.lock(directory).unwrap().open(&[]).unwrap();
    change(&mut log.recovered);
    log
}

fn write(log: &mut Log, records: u64) -> Result<Group, AppendError> {
    let mut builder = log.begin_group();
    for _ in 0..records {
        builder.push(&[1; 1500], Trust::Unverified);
    }
    log.write(builder)
}

fn expect_exhausted(result: Result<Group, AppendError>, what: &str) {
    match result {
        Err(AppendError::Exhausted { what: found }) => assert!(found.contains(what), "{found}"),
        other => panic!("{other:?}"),
    }
}

/// Where the next record gets the last but `left` of all sequences.
fn near_the_end(left: u64) -> impl FnOnce(&mut Recovered) {
    move |recovered| {
        recovered.chain = ChainEnd {
            next_sequence: u64::MAX - left,
            ..recovered.chain
        };
    }
}

#[test]
fn a_group_that_the_sequences_do_not_suffice_for_is_refused_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log_at(directory.path(), near_the_end(3));
    let end = log.recovered.end;
    for records in [3, 4, 5] {
        expect_exhausted(write(&mut log, records), "sequence");
    }
    assert!(!log.is_poisoned());
    assert_eq!(log.recovered.end, end);
    assert!(log.file.is_none(), "nothing was opened for writing");
    assert_eq!(write(&mut log, 2).unwrap().records().count(), 2);
    expect_exhausted(write(&mut log, 1), "sequence");
}

/// A group that was refused takes its numbers with it: those that were numbered behind it must not be written.
#[test]
fn a_group_that_leaves_a_gap_is_refused_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log_at(directory.path(), |_| {});
    write(&mut log, 2).unwrap();
    let end = log.recovered.end;
    for first_sequence in [1, 2, 4, u64::MAX] {
        let mut builder = GroupBuilder::new(first_sequence);
        builder.push(&[1; 10], Trust::Unverified);
        expect_exhausted(log.write(builder), "sequence");
        assert_eq!(log.recovered.end, end);
    }
    assert_eq!(
        write(&mut log, 1)
            .unwrap()
            .records()
            .next()
            .unwrap()
            .sequence,
        3
    );
}

#[test]
fn the_last_group_number_is_not_given_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log_at(directory.path(), |recovered| {
        recovered.chain.next_group = u64::MAX - 1;
    });
    expect_exhausted(write(&mut log, 1), "group");
}

#[test]
fn the_last_segment_number_is_followed_by_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log_at(directory.path(), |_| ());
    write(&mut log, 1).unwrap();
    log.recovered.segments.last_mut().unwrap().number = u64::MAX;
    assert!(log.spare_wanted().is_none());
    expect_exhausted(write(&mut log, 2), "segment");
    assert!(!log.is_poisoned());
}
