//! How groups become batches where they come one after the other.

use std::cell::Cell;
use std::collections::VecDeque;

use stemedb_storage::MemoryStore;
use stemedb_wal::{Group, Journal, Start};

use super::*;

/// Groups of one record each.
const GROUPS: u64 = 24;
/// Groups of a full batch, which are there from the beginning.
const FULL: u64 = 8;

/// Time between two of the others: how much came in is known by each.
const STEP: Duration = Duration::from_millis(100);

/// Groups that come one by one while the worker waits, until there are no more.
#[derive(Debug)]
struct Trickle {
    groups: VecDeque<Group>,
    /// How many of them can be taken.
    ready: Cell<usize>,
    /// Waits without a group before the next one comes.
    quiet_waits: u32,
    waited: Cell<u32>,
    /// How long a wait takes.
    step: Duration,
    now: Cell<Duration>,
}

impl Trickle {
    fn new() -> Self {
        let groups = groups();
        assert_eq!(groups.len() as u64, GROUPS);
        Self {
            groups,
            ready: Cell::new(usize::try_from(FULL).unwrap()),
            quiet_waits: 0,
            waited: Cell::new(0),
            step: STEP,
            now: Cell::new(Duration::ZERO),
        }
    }
}

impl Source for Trickle {
    fn next_group(&mut self) -> Result<Option<Group>, Error> {
        let Some(left) = self.ready.get().checked_sub(1) else {
            return Ok(None);
        };
        self.ready.set(left);
        Ok(self.groups.pop_front())
    }

    fn wait(&self, timeout: Duration) -> Wake {
        if self.groups.is_empty() {
            return Wake::Ended;
        }
        if timeout.is_zero() || self.ready.get() > 0 {
            return Wake::TimedOut;
        }
        self.now.set(self.now.get() + self.step);
        if self.waited.get() < self.quiet_waits {
            self.waited.set(self.waited.get() + 1);
            return Wake::TimedOut;
        }
        self.waited.set(0);
        self.ready.set(1);
        Wake::Groups
    }

    fn passed_bytes(&self) -> u64 {
        0
    }

    fn monotonic(&self) -> Duration {
        self.now.get()
    }
}

/// Groups of one record each, as a journal gives them.
fn groups() -> VecDeque<Group> {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    for number in 0..GROUPS {
        journal.append(number.to_le_bytes().to_vec()).unwrap();
    }
    let mut reader = journal.watch().reader(Start::Beginning).unwrap();
    let all = std::iter::from_fn(|| reader.next_group().unwrap());
    all.filter(|group| group.mark().is_some()).collect()
}

/// So long a time to become full that whatever comes is a load.
fn options() -> Options {
    Options {
        batch_records_max: FULL,
        batch_linger: STEP * 1000,
        ..Options::default()
    }
}

/// How many batches the groups became.
fn batches(source: Trickle, options: Options, progress: &Arc<Progress>) -> u64 {
    let store = Arc::new(MemoryStore::new());
    let mut worker = IngestWorker::with(source, store, options, Arc::clone(progress)).unwrap();
    worker.run().unwrap();
    let counters = progress.counters();
    assert_eq!(counters.records, GROUPS);
    assert_eq!(counters.applied_sequence, GROUPS);
    counters.batches
}

#[test]
fn while_a_load_goes_on_each_batch_waits_to_be_full() {
    assert_eq!(
        batches(Trickle::new(), options(), &Arc::default()),
        GROUPS / FULL
    );
}

#[test]
fn where_lingering_is_turned_off_each_group_is_a_batch() {
    let options = Options {
        batch_linger: Duration::ZERO,
        ..options()
    };
    assert_eq!(
        batches(Trickle::new(), options, &Arc::default()),
        1 + GROUPS - FULL
    );
}

#[test]
fn a_batch_waits_no_longer_than_it_may() {
    let lingering = |steps| {
        let options = Options {
            batch_linger: STEP * steps,
            ..options()
        };
        batches(Trickle::new(), options, &Arc::default())
    };
    // Behind the first batch each is of what came at its beginning and in so many steps.
    assert_eq!(lingering(1), 1 + (GROUPS - FULL).div_ceil(2));
    assert_eq!(lingering(3), 1 + (GROUPS - FULL).div_ceil(4));
    assert_eq!(lingering(4), 1 + (GROUPS - FULL).div_ceil(5));
}

#[test]
fn it_is_a_load_where_an_eighth_of_a_batch_comes_meanwhile() {
    // One a step, and ten while a batch lingers; the first eight are there at once, and are a load by themselves.
    let full_at = |batch_records_max| {
        let options = Options {
            batch_records_max,
            batch_linger: STEP * 10,
            ..Options::default()
        };
        let source = Trickle {
            ready: Cell::new(1),
            ..Trickle::new()
        };
        batches(source, options, &Arc::default())
    };
    assert_eq!(full_at(80), 1 + (GROUPS - 1).div_ceil(11));
    assert_eq!(full_at(81), GROUPS);
}

#[test]
fn a_batch_does_not_wait_where_nothing_comes() {
    let pausing = |quiet_waits| Trickle {
        quiet_waits,
        ..Trickle::new()
    };
    let often = batches(pausing(QUIET_WAITS_MAX - 1), options(), &Arc::default());
    assert_eq!(often, GROUPS / FULL);
    let seldom = batches(pausing(QUIET_WAITS_MAX), options(), &Arc::default());
    assert_eq!(seldom, 1 + GROUPS - FULL);
}

/// How many batches there are where somebody waits for these records.
fn batches_awaited(wanted: &[u64]) -> u64 {
    let progress = Arc::<Progress>::default();
    progress.set_health(Health::Replaying);
    let wait = |wanted: &u64| progress.wait_applied(*wanted);
    let waiting: Vec<_> = wanted.iter().map(wait).collect();
    let batches = batches(Trickle::new(), options(), &progress);
    for applied in waiting {
        applied.wait().unwrap();
    }
    batches
}

#[test]
fn a_batch_does_not_wait_while_somebody_waits_for_one_of_its_records() {
    // A batch ends with it, and the next one waits again.
    assert_eq!(batches_awaited(&[FULL + 1]), 4);
    assert_eq!(batches_awaited(&[FULL + 1, FULL + 2]), 5);
    assert_eq!(batches_awaited(&[FULL + 4, FULL + 5, FULL + 6]), 6);
}

#[test]
fn a_batch_waits_for_the_last_record_that_fills_it_and_for_those_of_batches_before_it() {
    assert_eq!(batches_awaited(&[1, FULL, 2 * FULL]), GROUPS / FULL);
}

#[test]
fn nothing_waits_before_the_store_shows_anything() {
    // Behind a full batch there are two groups already.
    let source = Trickle {
        ready: Cell::new(usize::try_from(FULL + 2).unwrap()),
        ..Trickle::new()
    };
    let batches = batches(source, options(), &Arc::default());
    assert_eq!(batches, 2 + (GROUPS - FULL - 2).div_ceil(FULL));
}

#[test]
fn a_batch_is_full_by_its_bytes_and_by_a_quarter_of_what_appends_wait_for() {
    let full = groups()
        .iter()
        .take(usize::try_from(FULL).unwrap())
        .map(|group| group.header().group_bytes())
        .sum();
    let by_bytes = Options {
        batch_bytes_max: full,
        ..Options::default()
    };
    let by_distance = Options {
        behind_bytes_max: 4 * full,
        ..Options::default()
    };
    for options in [by_bytes, by_distance] {
        let source = Trickle {
            ready: Cell::new(usize::try_from(GROUPS).unwrap()),
            ..Trickle::new()
        };
        assert_eq!(batches(source, options, &Arc::default()), GROUPS / FULL);
    }
}
