//! No reader waits for a commit: an engine is held up in one, and readers go on.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use stemedb_storage::{
    HybridStore, KVStore,
    engine::{Engine, Fault, FjallEngine, Isolation, Level, Pair, Reader, RedbEngine},
};

use crate::support::{LAST, batch, catch_up, expect_exactly, scratch};

/// How long a reader may take until the test gives up: it does not wait at all, or for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where commits are held up, once they are told to be.
#[derive(Debug, Default)]
struct Gate(Mutex<Option<Held>>);

/// Both ends of what a held commit says and hears.
#[derive(Debug)]
struct Held {
    entered: Sender<()>,
    let_go: Receiver<()>,
}

impl Gate {
    fn pass(&self) {
        if let Some(held) = &*self.0.lock().unwrap() {
            held.entered.send(()).unwrap();
            held.let_go.recv_timeout(2 * PATIENCE).unwrap();
        }
    }

    /// From now on each pass says that it came, and waits.
    fn close(&self) -> (Receiver<()>, Sender<()>) {
        let (entered, has_entered) = mpsc::channel();
        let (go, let_go) = mpsc::channel();
        *self.0.lock().unwrap() = Some(Held { entered, let_go });
        (has_entered, go)
    }
}

/// An engine whose commits pass the gate.
#[derive(Debug)]
struct Gated<E> {
    inner: E,
    gate: Arc<Gate>,
}

impl<E: Engine> Engine for Gated<E> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn isolation(&self) -> Isolation {
        self.inner.isolation()
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        // Held up on both sides: before anything is written, and after everything is.
        self.gate.pass();
        self.inner.commit(writes, level)?;
        self.gate.pass();
        Ok(())
    }

    fn sync(&self) -> Result<(), Fault> {
        self.inner.sync()
    }

    fn sync_failed(&self) -> bool {
        self.inner.sync_failed()
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        self.inner.reader()
    }
}

/// Reads everything of the first `last` records on a thread of its own, and waits for that with bounded patience.
fn expect_readable(store: &Arc<HybridStore>, last: u64) {
    let (done, is_done) = mpsc::channel();
    let store = Arc::clone(store);
    let reader = thread::spawn(move || {
        expect_exactly(&*store, last);
        done.send(()).unwrap();
    });
    let waited = is_done.recv_timeout(PATIENCE);
    assert!(waited.is_ok(), "a reader waits for a commit, or has failed");
    reader.join().unwrap();
}

fn readers_go_on_while_a_commit_is_held(is_held: &str) {
    let directory = scratch();
    let gates = [Arc::<Gate>::default(), Arc::default()];
    let stream = Gated {
        inner: FjallEngine::open(&directory.path().join("stream")).unwrap(),
        gate: Arc::clone(&gates[0]),
    };
    let small = Gated {
        inner: RedbEngine::open(&directory.path().join("small")).unwrap(),
        gate: Arc::clone(&gates[1]),
    };
    let store = HybridStore::with_engines(Box::new(stream), Box::new(small)).unwrap();
    let store = Arc::new(store);
    catch_up(&*store, LAST / 2);
    let (has_entered, go) = gates[usize::from(is_held == "small")].close();
    let applying = Arc::clone(&store);
    let applier = thread::spawn(move || {
        applying.apply(batch(LAST / 2 + 1, LAST)).unwrap();
        applying.publish().unwrap();
    });
    for _ in ["before the write", "after it"] {
        has_entered.recv_timeout(PATIENCE).unwrap();
        expect_readable(&store, LAST / 2);
        go.send(()).unwrap();
    }
    applier.join().unwrap();
    expect_readable(&store, LAST);
}

#[test]
fn no_reader_waits_for_a_commit_of_the_stream() {
    readers_go_on_while_a_commit_is_held("stream");
}

#[test]
fn no_reader_waits_for_a_commit_of_what_is_small() {
    readers_go_on_while_a_commit_is_held("small");
}
