//! Start, stop, drop, panic, back-pressure, and who hears of them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use stemedb_ingest::{Error, Health, Ingestor, Options};
use stemedb_storage::{KVStore, MemoryStore, key};
use stemedb_wal::{AppendError, Journal};
use tokio::sync::Mutex;

use crate::faulty::{FaultyStore, Mode};
use crate::support::{Kind, Pipeline, Place, claim, for_each_store, large_claim, options, payload};

for_each_store! { stop_and_drop_are_quick }

/// Long enough for anything that ends at all.
const PATIENCE: Duration = Duration::from_mins(2);
/// Long enough to tell that something waits.
const MOMENT: Duration = Duration::from_millis(100);

/// Runs on a thread of its own, so that what hangs fails the test.
fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = channel();
    thread::spawn(move || drop(sender.send(work())));
    receiver
}

fn waits<T>(receiver: &Receiver<T>) -> bool {
    matches!(
        receiver.recv_timeout(MOMENT),
        Err(RecvTimeoutError::Timeout)
    )
}

/// Waits until appends are held up.
fn wait_until_behind(pipeline: &Pipeline, bytes: u64) {
    for _ in 0..PATIENCE.as_millis() {
        if pipeline.journal.blocking_lock().state().group_bytes > bytes {
            return;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    panic!("the worker is never {bytes} bytes behind");
}

fn pipeline_on(store: &Arc<FaultyStore>, place: &Place, options: Options) -> Pipeline {
    let store: Arc<dyn KVStore> = store.clone();
    Pipeline::start(place.journal(), store, options)
}

fn stop_and_drop_are_quick(kind: Kind) {
    let place = Place::new(kind);
    for round in 1..=3 {
        let pipeline = place.open();
        pipeline.ingest(&[claim(round)]);
        let Pipeline {
            ingestor, store, ..
        } = pipeline;
        let done = in_background(move || match round {
            1 => ingestor.stop().unwrap(),
            _ => drop(ingestor),
        });
        done.recv_timeout(PATIENCE).unwrap();
        // The worker has let go of the store.
        assert_eq!(Arc::strong_count(&store), 1);
    }
}

#[test]
fn nothing_is_applied_before_the_start_and_everybody_hears_of_it() {
    let place = Place::new(Kind::Memory);
    let mut journal = place.journal();
    journal.append(payload(&claim(1))).unwrap();
    let store = Arc::new(MemoryStore::new());
    let mut ingestor = Ingestor::new(Arc::new(Mutex::new(journal)), store.clone());
    assert!(matches!(ingestor.health(), Health::NotStarted));
    assert!(matches!(
        ingestor.wait_applied(1).wait(),
        Err(Error::NotStarted)
    ));
    assert!(store.snapshot().is_err());
    ingestor.start();
    ingestor.start();
    ingestor.wait_applied(1).wait().unwrap();
    assert_eq!(ingestor.counters().records, 1);
    assert!(matches!(ingestor.health(), Health::Following));
    ingestor.stop().unwrap();
}

#[test]
fn an_ingestor_that_was_never_started_stops_and_drops() {
    let place = Place::new(Kind::Memory);
    let journal = Arc::new(Mutex::new(place.journal()));
    let new = || Ingestor::new(Arc::clone(&journal), Arc::new(MemoryStore::new()));
    new().stop().unwrap();
    drop(new());
}

#[test]
fn stop_and_drop_return_while_the_lock_of_the_journal_is_held() {
    // The worker waited for the lock and the stop for the worker: one who held the lock and stopped waited for ever.
    let place = Place::new(Kind::Memory);
    let journal = Arc::new(Mutex::new(place.journal()));
    for is_held_at_start in [true, false] {
        for is_dropped in [true, false] {
            let mut ingestor = Ingestor::new(Arc::clone(&journal), Arc::new(MemoryStore::new()));
            let held = is_held_at_start.then(|| journal.blocking_lock());
            ingestor.start();
            let held = held.unwrap_or_else(|| journal.blocking_lock());
            let never = ingestor.wait_applied(1);
            let done = in_background(move || {
                if is_dropped {
                    drop(ingestor);
                } else {
                    ingestor.stop().unwrap();
                }
            });
            done.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(never.wait(), Err(Error::Stopped)));
            drop(held);
        }
    }
}

#[test]
fn a_worker_that_was_started_while_the_lock_was_held_begins_when_it_is_free() {
    let place = Place::new(Kind::Memory);
    let journal = Arc::new(Mutex::new(place.journal()));
    let mut ingestor = Ingestor::new(Arc::clone(&journal), Arc::new(MemoryStore::new()));
    let mut held = journal.blocking_lock();
    ingestor.start();
    held.append(payload(&claim(1))).unwrap();
    let applied = in_background({
        let applied = ingestor.wait_applied(1);
        move || applied.wait()
    });
    assert!(waits(&applied));
    drop(held);
    applied.recv_timeout(PATIENCE).unwrap().unwrap();
    ingestor.stop().unwrap();
}

#[test]
fn appends_are_refused_where_the_worker_could_not_begin() {
    // A worker that failed at its start held nothing back: the journal grew without end, and nothing of it was applied.
    let place = Place::new(Kind::Memory);
    let journal = Arc::new(Mutex::new(place.journal()));
    let options = Options {
        behind_bytes_max: 1 << 20,
        threads: 0,
        ..options()
    };
    let store = Arc::new(MemoryStore::new());
    let mut ingestor = Ingestor::with_options(Arc::clone(&journal), store, options);
    ingestor.start();
    assert!(ingestor.wait_applied(0).wait().is_err());
    let mut journal = journal.blocking_lock();
    let answers = (0..100).map(|number| journal.append(payload(&large_claim(number))));
    let accepted = answers.take_while(Result::is_ok).count();
    assert!((60..70).contains(&accepted), "{accepted}");
    let refused = journal.append(payload(&claim(1)));
    assert!(matches!(refused, Err(AppendError::Backpressure { .. })));
}

#[test]
fn whoever_waits_for_what_never_comes_hears_of_the_stop() {
    let place = Place::new(Kind::Memory);
    let pipeline = place.open();
    pipeline.ingest(&[claim(1)]);
    let never = pipeline.ingestor.wait_applied(2);
    pipeline.stop();
    assert!(matches!(never.wait(), Err(Error::Stopped)));
}

#[test]
fn the_worker_ends_with_the_journal_and_keeps_what_it_applied() {
    let place = Place::new(Kind::Memory);
    let Pipeline {
        ingestor,
        writer,
        store,
        journal,
    } = place.open();
    let _pending = writer.append_all((0..500).map(|number| payload(&claim(number))).collect());
    let never = ingestor.wait_applied(501);
    // The ingestor holds the journal too: it is closed by ending its log thread.
    drop(writer);
    let closed = in_background(move || {
        ingestor.wait_applied(500).wait().unwrap();
        ingestor.stop()
    });
    closed.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(matches!(never.wait(), Err(Error::Stopped)));
    Arc::into_inner(journal)
        .unwrap()
        .into_inner()
        .close()
        .unwrap();
    assert_eq!(store.snapshot().unwrap().counts().assertions, 500);
}

#[test]
fn it_runs_inside_a_runtime_and_its_waits_are_awaited() {
    let place = Place::new(Kind::Memory);
    let runtimes = [
        tokio::runtime::Builder::new_current_thread().build(),
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build(),
    ];
    for (runtime, number) in runtimes.into_iter().zip(1_u64..) {
        let journal = Arc::new(Mutex::new(Journal::open(place.wal()).unwrap()));
        let store = Arc::new(MemoryStore::new());
        runtime.unwrap().block_on(async move {
            let mut ingestor = Ingestor::new(journal.clone(), store.clone());
            ingestor.start();
            let sequence = {
                let mut journal = journal.lock().await;
                journal.append(payload(&claim(number))).unwrap()
            };
            ingestor.wait_applied(sequence).await.unwrap();
            let writer = journal.lock().await.writer();
            let appended = writer.append(payload(&claim(number))).await.unwrap();
            ingestor
                .wait_applied(appended.last_sequence())
                .await
                .unwrap();
            let found = store.scan_prefix(&key::subject(&format!("subject {number}")));
            assert_eq!(found.unwrap().count(), 1);
            drop(ingestor);
        });
    }
}

#[test]
fn a_worker_that_panics_says_so_and_the_journal_goes_on() {
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Pass);
    let pipeline = pipeline_on(&store, &place, options());
    pipeline.ingest(&[claim(1)]);
    store.set(Mode::Panic);
    let sequence = pipeline.append(&[claim(2)]);
    let panicked = |error: &Error| matches!(error, Error::Panicked { message } if message == "it was told to panic");
    let waited = pipeline.ingestor.wait_applied(sequence).wait();
    assert!(waited.is_err_and(|error| panicked(&error)));
    assert!(matches!(pipeline.ingestor.health(), Health::Failed(error) if panicked(&error)));
    // What was readable before still is, and the journal accepts.
    pipeline.ingestor.wait_applied(1).wait().unwrap();
    assert_eq!(pipeline.counts().assertions, 1);
    assert_eq!(pipeline.append(&[claim(3)]), 3);
    let Pipeline {
        ingestor, journal, ..
    } = pipeline;
    assert!(ingestor.stop().is_err_and(|error| panicked(&error)));
    drop(journal);

    let again = place.open();
    again.settle();
    assert_eq!(again.counts().assertions, 3);
    again.stop();
}

#[test]
fn a_store_that_fails_ends_the_worker_and_names_the_engine() {
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Fail);
    let pipeline = pipeline_on(&store, &place, options());
    let sequence = pipeline.append(&[claim(1)]);
    let error = pipeline.ingestor.wait_applied(sequence).wait().unwrap_err();
    assert_eq!(
        error.to_string(),
        "engine faulty failed; the store must be opened again"
    );
    assert!(pipeline.ingestor.stop().is_err());
}

#[test]
fn appends_wait_for_a_stalled_store_and_go_on_with_it() {
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Block);
    let options = Options {
        behind_bytes_max: 1 << 20,
        ..options()
    };
    let pipeline = pipeline_on(&store, &place, options.clone());
    pipeline.append(&[claim(0)]);
    let held = store.wait_until_blocked();
    let loader = in_background({
        let writer = pipeline.writer.clone();
        move || {
            let mut answers = Vec::new();
            for number in 1..200 {
                answers.push(writer.append(payload(&large_claim(number))).wait());
            }
            answers
        }
    });
    // On a busy machine the appends took longer than the test waited before it looked.
    wait_until_behind(&pipeline, options.behind_bytes_max);
    assert!(waits(&loader), "200 groups are more than 1 MiB");
    let state = pipeline.journal.blocking_lock().state();
    assert!(state.group_bytes < options.behind_bytes_max + (20 << 10));
    store.set(Mode::Pass);
    drop(held);
    let answers = loader.recv_timeout(PATIENCE).unwrap();
    assert!(answers.iter().all(Result::is_ok));
    pipeline.settle();
    assert_eq!(pipeline.counts().assertions, 200);
    pipeline.stop();
}

#[test]
fn appends_that_waited_for_a_store_that_fails_are_refused() {
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Block);
    let options = Options {
        behind_bytes_max: 1 << 20,
        ..options()
    };
    let pipeline = pipeline_on(&store, &place, options.clone());
    let acknowledged = pipeline.append(&[claim(0)]);
    assert_eq!(acknowledged, 1);
    let _held = store.wait_until_blocked();
    let loader = in_background({
        let writer = pipeline.writer.clone();
        move || {
            let mut acknowledged = 0;
            loop {
                match writer
                    .append(payload(&large_claim(acknowledged + 1)))
                    .wait()
                {
                    Ok(_) => acknowledged += 1,
                    Err(error) => return (acknowledged, error),
                }
            }
        }
    });
    wait_until_behind(&pipeline, options.behind_bytes_max);
    assert!(waits(&loader));
    store.set(Mode::Fail);
    let (acknowledged, error) = loader.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(error, AppendError::Backpressure { .. }), "{error}");
    assert!(pipeline.ingestor.stop().is_err());
    drop((pipeline.writer, pipeline.journal));

    // Nothing that was acknowledged is missing, and nothing that was refused is there.
    let again = place.open();
    again.settle();
    assert_eq!(again.counts().assertions, acknowledged + 1);
    again.stop();
}

/// Once every batch that caught up with the journal was followed by a checkpoint, because an empty look at the source counted as idle
/// time: two fsyncs for each record of a slow writer. Checkpoints are due after bytes, after idle time, and at the end.
#[test]
fn a_checkpoint_is_not_made_for_every_batch() {
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Pass);
    let pipeline = pipeline_on(&store, &place, options());
    for number in 0..20 {
        pipeline.ingest(&[claim(number)]);
    }
    assert_eq!(store.persists(), 0);
    pipeline.stop();
    assert_eq!(store.persists(), 1);
}

#[test]
fn a_checkpoint_is_made_after_bytes_and_after_idle_time() {
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Pass);
    let after_bytes = Options {
        checkpoint_bytes: 1,
        ..options()
    };
    let pipeline = pipeline_on(&store, &place, after_bytes);
    pipeline.ingest(&[claim(1)]);
    pipeline.ingest(&[claim(2)]);
    assert!(store.persists() >= 1);
    assert_eq!(pipeline.ingestor.counters().checkpoints, store.persists());
    pipeline.stop();

    let store = FaultyStore::new(Mode::Pass);
    let when_idle = Options {
        checkpoint_after: Duration::from_millis(1),
        ..options()
    };
    let pipeline = pipeline_on(&store, &place, when_idle);
    pipeline.settle();
    let store_again = store.clone();
    let checkpointed = in_background(move || {
        while store_again.persists() == 0 {
            thread::yield_now();
        }
    });
    checkpointed.recv_timeout(PATIENCE).unwrap();
    pipeline.stop();
}

#[test]
fn a_checkpoint_that_is_due_is_made_while_groups_keep_coming() {
    // Nothing is idle before the last group, so that only the steady look at the time can make these.
    const GROUPS: u64 = 50;
    let place = Place::new(Kind::Memory);
    let mut journal = place.journal();
    for number in 1..=GROUPS {
        journal.append(payload(&claim(number))).unwrap();
    }
    journal.close().unwrap();
    let store = FaultyStore::new(Mode::Pass);
    let settings = Options {
        batch_records_max: 1,
        checkpoint_after: Duration::ZERO,
        checkpoint_bytes: u64::MAX,
        ..options()
    };
    let pipeline = pipeline_on(&store, &place, settings);
    pipeline.ingestor.wait_applied(GROUPS).wait().unwrap();
    assert_eq!(pipeline.ingestor.counters().batches, GROUPS);
    assert!(store.persists() >= GROUPS - 1, "{}", store.persists());
}

#[test]
fn a_checkpoint_that_is_never_due_is_made_at_the_end() {
    // When it was due was computed without regard to overflow, which ended the worker.
    let place = Place::new(Kind::Memory);
    let store = FaultyStore::new(Mode::Pass);
    let never = Options {
        checkpoint_after: Duration::MAX,
        ..options()
    };
    let pipeline = pipeline_on(&store, &place, never);
    pipeline.ingest(&[claim(1)]);
    pipeline.ingest(&[claim(2)]);
    assert_eq!(store.persists(), 0);
    pipeline.stop();
    assert_eq!(store.persists(), 1);
}

#[test]
fn groups_without_records_hold_no_append_back() {
    // Bytes of groups without records were not told as consumed: a journal that begins with many of them took no appends.
    const EMPTY_GROUPS: usize = 12_000;
    let place = Place::new(Kind::Memory);
    let locked = stemedb_wal::Options::default().lock(place.wal()).unwrap();
    let mut log = locked.open(&[]).unwrap();
    for _ in 0..EMPTY_GROUPS {
        log.write(log.begin_group()).unwrap();
    }
    log.close().unwrap();
    let options = Options {
        behind_bytes_max: 1 << 20,
        ..options()
    };
    let journal = place.journal();
    assert!(journal.state().group_bytes > options.behind_bytes_max);
    let store: Arc<dyn KVStore> = Arc::new(MemoryStore::new());
    let pipeline = Pipeline::start(journal, store, options);
    pipeline.settle();
    let appended = in_background({
        let writer = pipeline.writer.clone();
        move || writer.append(payload(&claim(1))).wait()
    });
    appended.recv_timeout(PATIENCE).unwrap().unwrap();
    pipeline.stop();
}
