//! Groups on their way into a batch, and how long it waits for more of them.

use std::time::Duration;

use stemedb_wal::Group;

use crate::options::Options;

/// How long one wait for more groups takes at most: whoever waits for a record waits no longer than this besides.
pub(crate) const WAIT: Duration = Duration::from_millis(5);
/// So many waits without a group say that nothing more comes for now.
pub(crate) const QUIET_WAITS_MAX: u32 = 10;

/// Groups that were taken from the source and make the next batch.
///
/// While a batch is applied, hardly anything or very much comes in, depending on when the one behind it was taken; left alone, small
/// batches and large ones take turns, and a store takes in large ones at less than two thirds of the cost. So the batch that follows one
/// that was at least half full waits until it is full. It does not, or no longer, if
///
/// - the store shows nothing yet,
/// - somebody waits for one of its records to be readable,
/// - nothing has come for 50 ms, or
/// - its first group was taken [`Options::batch_linger`] ago.
///
/// The term is that of the producers of Apache Kafka, which wait for a batch in the same way (`linger.ms`).
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    groups: Vec<Group>,
    records: u64,
    bytes: u64,
    /// That of the last record, 0 without any.
    last_sequence: u64,
    /// When the first group was taken.
    since: Duration,
}

impl Gathered {
    /// Adds the next group, which was taken at this moment.
    pub(crate) fn push(&mut self, group: Group, now: Duration) {
        if self.groups.is_empty() {
            self.since = now;
        }
        self.records += u64::from(group.header().records);
        self.bytes += group.header().group_bytes();
        if let Some(last) = group.mark() {
            self.last_sequence = last.sequence;
        }
        self.groups.push(group);
    }

    pub(crate) const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether the batch takes no more groups.
    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.is_part(1, options)
    }

    /// Whether the batch is half full, which says that a load is going on.
    pub(crate) fn is_large(&self, options: &Options) -> bool {
        self.is_part(2, options)
    }

    /// Whether so many batches like this one would be full.
    fn is_part(&self, parts: u64, options: &Options) -> bool {
        // Appends wait when the worker is too far behind; it must not wait for them in turn.
        let bytes_max = options.batch_bytes_max.min(options.behind_bytes_max / 4);
        self.records.saturating_mul(parts) >= options.batch_records_max
            || self.bytes.saturating_mul(parts) >= bytes_max
    }

    /// Whether there are records for a batch that takes more groups, and that has not waited for too long.
    pub(crate) fn may_grow(&self, options: &Options, now: Duration) -> bool {
        let waited = now.saturating_sub(self.since);
        self.records > 0 && !self.is_full(options) && waited < options.batch_linger
    }

    /// The groups, and how many records they hold.
    pub(crate) fn into_parts(self) -> (Vec<Group>, u64) {
        (self.groups, self.records)
    }
}
