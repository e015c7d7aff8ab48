//! Engines that hang: whoever waits for one gets an answer, and the rest of the store ends in bounded time.

use std::{
    sync::{
        Condvar, Weak,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread::yield_now,
};

use stemedb_testkit::log;

use super::*;
use crate::{
    applier::{Applier, Opened},
    batch::Batch,
    cursor::Cursor,
    engine::{Isolation, Level, Pair, Range, Reader, memory::MemoryEngine},
    error::Error,
    guard::{Fuse, Guarded},
    meta::Notes,
};

const SHORT: StallLimits = StallLimits {
    warn_after: Duration::from_millis(10),
    fail_after: Duration::from_millis(40),
};
/// For an engine that does something before it is stuck, also on a busy machine.
const LONGER: StallLimits = StallLimits {
    warn_after: Duration::from_millis(10),
    fail_after: Duration::from_secs(1),
};
/// Only a release ends a wait with these.
const ENDLESS: StallLimits = StallLimits {
    warn_after: Duration::from_millis(1),
    fail_after: Duration::from_hours(1),
};

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What an engine is stuck in until it is released.
#[derive(Debug, Default)]
struct Gate {
    stuck_in: Mutex<Option<Operation>>,
    released: Condvar,
    looked_at: AtomicU64,
    /// How many looks at the backlog see progress.
    progress: u64,
}

impl Gate {
    fn closed(operation: Operation) -> Arc<Self> {
        Arc::new(Self {
            stuck_in: Mutex::new(Some(operation)),
            ..Self::default()
        })
    }

    fn pass(&self, operation: Operation) {
        let mut stuck_in = self.stuck_in.lock().unwrap();
        while *stuck_in == Some(operation) {
            stuck_in = self.released.wait(stuck_in).unwrap();
        }
    }

    fn release(&self) {
        *self.stuck_in.lock().unwrap() = None;
        self.released.notify_all();
    }
}

/// An engine in memory behind a gate, and a sign of whether it is still there.
#[derive(Debug)]
struct Gated {
    inner: MemoryEngine,
    gate: Arc<Gate>,
    _alive: Arc<()>,
}

impl Gated {
    fn new(gate: &Arc<Gate>) -> (Box<Self>, Weak<()>) {
        let alive = Arc::new(());
        let sign = Arc::downgrade(&alive);
        let engine = Self {
            inner: MemoryEngine::default(),
            gate: Arc::clone(gate),
            _alive: alive,
        };
        (Box::new(engine), sign)
    }
}

impl Engine for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn isolation(&self) -> Isolation {
        Isolation::Live
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        self.gate.pass(Operation::Commit);
        self.inner.commit(writes, level)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.gate.pass(Operation::Sync);
        Ok(())
    }

    fn sync_failed(&self) -> bool {
        false
    }

    fn backlog(&self) -> Option<Backlog> {
        let looked_at = self.gate.looked_at.fetch_add(1, SeqCst);
        Some(Backlog {
            pending_flushes: 4,
            finished_compactions: looked_at.min(self.gate.progress),
            ..Backlog::default()
        })
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        self.inner.reader()
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        self.gate.pass(Operation::Close);
    }
}

/// A store on one engine behind a gate.
fn store(gate: &Arc<Gate>, limits: StallLimits) -> (Applier, Weak<()>) {
    let fuse = Arc::new(Fuse::default());
    let (engine, alive) = Gated::new(gate);
    let opened = Opened {
        engine: Guarded::watched(engine, &fuse, limits).unwrap(),
        notes: Notes::default(),
    };
    (Applier::new(opened, None, fuse).unwrap(), alive)
}

fn batch() -> Batch {
    let sequence = stemedb_core::Sequence::FIRST;
    let cursor = Cursor {
        journal: [1; 16],
        sequence,
        group: 1,
        group_hash: [2; 32],
    };
    Batch {
        first: sequence,
        cursor,
        entries: Vec::new(),
        duplicates: Vec::new(),
    }
}

#[track_caller]
fn expect_stall(outcome: Result<(), Error>, operation: Operation) -> Stall {
    let Err(Error::EngineFailed { engine, source }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(engine, "gated");
    let stall = *source.downcast_ref::<Stall>().expect("a stall");
    assert_eq!((stall.engine, stall.operation), ("gated", operation));
    stall
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..100_000_000 {
        if is_so() {
            return;
        }
        yield_now();
    }
    panic!("never: {what}");
}

#[test]
fn patience_warns_once_and_ends_where_there_is_no_progress() {
    let limits = StallLimits {
        warn_after: ms(20),
        fail_after: ms(50),
    };
    let mut patience = Patience::new(limits);
    let verdicts = [0; 5].map(|_| patience.tick(ms(10), None));
    assert_eq!(verdicts[..2], [Verdict::Wait, Verdict::Warn]);
    assert_eq!(
        verdicts[2..],
        [Verdict::Wait, Verdict::Wait, Verdict::GiveUp]
    );
    assert_eq!(patience.waited, ms(50));
}

#[test]
fn patience_begins_anew_with_each_progress() {
    let limits = StallLimits {
        warn_after: ms(20),
        fail_after: ms(30),
    };
    let mut patience = Patience::new(limits);
    let mut backlog = Backlog::default();
    for round in 0..100 {
        backlog.unflushed_bytes = round / 2;
        assert_ne!(
            patience.tick(ms(10), Some(backlog)),
            Verdict::GiveUp,
            "{round}"
        );
    }
    assert_eq!(patience.waited, ms(1000));
    let rest = [0; 3].map(|_| patience.tick(ms(10), Some(backlog)));
    assert!(rest.contains(&Verdict::GiveUp), "{rest:?}");
}

#[test]
fn the_watchdog_looks_several_times_within_a_limit_and_never_spins() {
    assert_eq!(StallLimits::default().tick(), ms(625));
    assert_eq!(SHORT.tick(), Duration::from_micros(1250));
    let tick = |limit| {
        StallLimits {
            warn_after: limit,
            fail_after: limit,
        }
        .tick()
    };
    assert_eq!(tick(Duration::ZERO), TICK_MIN);
    assert_eq!(tick(Duration::from_hours(1)), TICK_MAX);
}

#[test]
fn a_commit_that_never_returns_fails_the_store_which_is_dropped_at_once() {
    let gate = Gate::closed(Operation::Commit);
    let (store, alive) = store(&gate, SHORT);
    let stall = expect_stall(store.apply(batch()), Operation::Commit);
    assert_eq!(stall.waited, SHORT.fail_after);
    let text = stall.to_string();
    assert!(
        text.ends_with("write stall, 4 flushes pending, 0 bytes not flushed"),
        "{text}"
    );
    // Nobody waits for it again.
    expect_stall(store.apply(batch()), Operation::Commit);
    expect_stall(store.persist(), Operation::Commit);
    expect_stall(store.cursor().map(|_| ()), Operation::Commit);
    assert_eq!(store.stall(), Some(stall));
    drop(store);
    assert!(
        alive.upgrade().is_some(),
        "the stuck thread keeps its engine"
    );
    gate.release();
    wait_until("the engine is dropped", || alive.upgrade().is_none());
}

#[test]
fn a_sync_that_never_returns_fails_the_store() {
    let gate = Gate::closed(Operation::Sync);
    let (store, _) = store(&gate, LONGER);
    store.apply(batch()).unwrap();
    expect_stall(store.persist(), Operation::Sync);
    drop(store);
    gate.release();
}

#[test]
fn an_end_that_never_comes_is_not_waited_for() {
    let gate = Gate::closed(Operation::Close);
    let (store, alive) = store(&gate, LONGER);
    store.apply(batch()).unwrap();
    drop(store);
    assert!(alive.upgrade().is_some());
    gate.release();
    wait_until("the engine is dropped", || alive.upgrade().is_none());
}

#[test]
fn an_engine_is_gone_when_the_drop_of_its_store_returns() {
    let gate = Arc::new(Gate::default());
    let (store, alive) = store(&gate, ENDLESS);
    store.apply(batch()).unwrap();
    drop(store);
    assert!(alive.upgrade().is_none());
}

#[test]
fn a_stall_shows_while_it_lasts_and_is_over_when_the_engine_goes_on() {
    let gate = Gate::closed(Operation::Commit);
    let (store, _) = store(&gate, ENDLESS);
    assert_eq!(store.stall(), None);
    thread::scope(|scope| {
        let applying = scope.spawn(|| store.apply(batch()));
        wait_until("the stall shows", || store.stall().is_some());
        let stall = store.stall().unwrap();
        assert!(stall.waited >= ENDLESS.warn_after);
        assert_eq!(
            stall.backlog.map(|backlog| backlog.pending_flushes),
            Some(4)
        );
        gate.release();
        applying.join().unwrap().unwrap();
    });
    assert_eq!(store.stall(), None);
    store.persist().unwrap();
}

#[test]
fn an_engine_that_makes_progress_is_given_more_time() {
    let gate = Arc::new(Gate {
        stuck_in: Mutex::new(Some(Operation::Commit)),
        progress: 100,
        ..Gate::default()
    });
    let (store, _) = store(&gate, SHORT);
    let stall = expect_stall(store.apply(batch()), Operation::Commit);
    assert!(stall.waited >= SHORT.tick() * 100, "{stall:?}");
    gate.release();
}

#[test]
fn a_panic_on_the_thread_of_an_engine_reaches_whoever_waits() {
    #[derive(Debug)]
    struct Panics;
    impl Engine for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }
        fn isolation(&self) -> Isolation {
            Isolation::Live
        }
        fn commit(&self, _: Vec<Pair>, _: Level) -> Result<(), Fault> {
            panic!("told to")
        }
        fn sync(&self) -> Result<(), Fault> {
            Ok(())
        }
        fn sync_failed(&self) -> bool {
            false
        }
        fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
            Engine::reader(&MemoryEngine::default())
        }
    }
    let fuse = Arc::new(Fuse::default());
    let engine = Guarded::watched(Box::new(Panics), &fuse, ENDLESS).unwrap();
    assert!(engine.reader().unwrap().range(Range::ALL).is_ok());
    let Err(Error::EngineFailed { source, .. }) = engine.commit(Vec::new(), Level::Visible) else {
        panic!("it was committed")
    };
    assert_eq!(source.to_string(), "panicked: told to");
    assert!(engine.sync().is_err(), "a failure is final");
}

#[test]
fn a_stall_is_told_of_once_with_engine_operation_time_and_reason() {
    let warnings = log::warnings(|| {
        let gate = Gate::closed(Operation::Commit);
        let (store, _) = store(&gate, SHORT);
        expect_stall(store.apply(batch()), Operation::Commit);
        gate.release();
    });
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in [
        "engine=\"gated\"",
        "operation=commit",
        "waited=10ms",
        "4 flushes pending",
    ] {
        assert!(warnings[0].contains(part), "{part} in {warnings:?}");
    }
}
