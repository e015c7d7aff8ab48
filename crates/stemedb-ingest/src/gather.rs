//! Groups on their way into a batch, and how long it waits for more of them.

use std::time::Duration;

use stemedb_wal::Group;

use crate::options::Options;

/// How long one wait for more groups takes at most: whoever waits for a record waits no longer than this besides.
pub(crate) const WAIT: Duration = Duration::from_millis(5);
/// So many waits without a group say that nothing more comes for now.
pub(crate) const QUIET_WAITS_MAX: u32 = 10;

/// For how long what comes in is counted, at least.
const INFLOW_WINDOW: Duration = Duration::from_millis(100);
/// A load goes on while so many batches that linger would have together what one full batch has, or more.
const LOAD_PARTS: u64 = 8;

/// How much comes in: whether a load is going on, for which large batches are worth waiting for.
#[derive(Debug, Default)]
pub(crate) struct Inflow {
    since: Duration,
    records: u64,
    bytes: u64,
    /// Whether what came in before `since` was that of a load.
    is_load: bool,
}

impl Inflow {
    /// Counts a group, which was taken at this moment.
    pub(crate) fn add(&mut self, group: &Group, options: &Options, now: Duration) {
        let passed = now.saturating_sub(self.since);
        if passed >= INFLOW_WINDOW {
            self.is_load = self.is_load_within(passed, options);
            (self.since, self.records, self.bytes) = (now, 0, 0);
        }
        self.records += u64::from(group.header().records);
        self.bytes += group.header().group_bytes();
    }

    /// Whether a load is going on.
    pub(crate) const fn is_load(&self) -> bool {
        self.is_load
    }

    /// Whether a batch that lingers would become large enough, if as much came meanwhile as came in `passed`.
    fn is_load_within(&self, passed: Duration, options: &Options) -> bool {
        let linger = options.batch_linger.as_nanos() * u128::from(LOAD_PARTS);
        let fills = |came: u64, full: u64| {
            u128::from(came) * linger >= u128::from(full) * passed.as_nanos()
        };
        fills(self.records, options.batch_records_max) || fills(self.bytes, bytes_max(options))
    }
}

/// Bytes of groups after which a batch is full: appends wait when the worker is too far behind, and it must not wait for them in turn.
fn bytes_max(options: &Options) -> u64 {
    options.batch_bytes_max.min(options.behind_bytes_max / 4)
}

/// Groups that were taken from the source and make the next batch.
///
/// A store takes in one large batch at far less cost than many small ones, and each of those costs several threads a wake-up. Left alone,
/// batches hold what comes while the one before is applied: next to nothing where that is quick. So while a load goes on (what comes
/// in while a batch lingers is at least an eighth of a full one) each batch waits until it is full. It does not, or no longer, if
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
        self.records >= options.batch_records_max || self.bytes >= bytes_max(options)
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
