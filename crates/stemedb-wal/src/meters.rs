//! What the log counts of its groups, and what it tells of itself to whoever watches it from outside.

use std::time::Duration;

use crate::Group;
use crate::histogram::{BYTES, Distribution, Histogram, NANOSECONDS, RECORDS};

/// What a journal has done since it was opened, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalMeters {
    /// For each group with records that became durable: nanoseconds from the arrival of its first request until then.
    pub append_ns: Distribution,
    /// Nanoseconds of each fsync that the log waited for, those that failed included.
    pub sync_ns: Distribution,
    /// Records of each group with records.
    pub group_records: Distribution,
    /// Bytes of each group with records, its header included.
    pub group_bytes: Distribution,
    /// Sequence of the last durable record, 0 where there is none.
    pub durable_sequence: u64,
    /// How many segments there are.
    pub segments: u64,
    /// Bytes of all durable groups.
    pub bytes: u64,
    /// Bytes of durable groups that the consumer has not consumed; `None` where there is no consumer.
    pub behind_bytes: Option<u64>,
}

/// Where the log thread counts.
#[derive(Debug)]
pub(crate) struct GroupMeters {
    pub(crate) append_ns: Histogram,
    pub(crate) records: Histogram,
    pub(crate) bytes: Histogram,
}

impl Default for GroupMeters {
    fn default() -> Self {
        Self {
            append_ns: Histogram::new(NANOSECONDS),
            records: Histogram::new(RECORDS),
            bytes: Histogram::new(BYTES),
        }
    }
}

impl GroupMeters {
    /// Counts a group that became durable so long after its first request had arrived.
    pub(crate) fn add(&self, group: &Group, took: Duration) {
        let header = group.header();
        self.append_ns.add(nanoseconds(took));
        self.records.add(u64::from(header.records));
        self.bytes.add(header.group_bytes());
    }
}

/// A duration as a whole number of nanoseconds, up to half a millennium.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
