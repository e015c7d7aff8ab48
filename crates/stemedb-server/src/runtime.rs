//! The threads of a server.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// What the names of threads that speak HTTP begin with; the rest is their number.
const HTTP: &str = "stemedb-http-";

/// A runtime for [`serve`](crate::serve), with as many threads that speak HTTP as there are processors.
///
/// On Linux each of these has a processor of its own, where the process may use all of each that it may use at all: threads that rarely
/// sleep are rarely moved, and two of them shared one processor for tens of milliseconds while another one had less to do. Where a quota
/// allows the process fewer processors than it sees, they run wherever there is room.
///
/// They are called `stemedb-http-N`, and those that block on reads `stemedb-block`. A thread that one of the former starts has its processor:
/// open the database and make the service from `block_on`, which is done by the thread that calls it.
///
/// # Errors
///
/// If the system gives nothing to wait for sockets with.
///
/// # Panics
///
/// If a thread cannot be started.
pub fn runtime() -> io::Result<Runtime> {
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count).enable_all();
    let started = AtomicUsize::new(0);
    // Those that speak HTTP are started first: others when there is something for them to do.
    // Ordering: each thread gets a number of its own, and nothing else is told by it.
    builder.thread_name_fn(move || match started.fetch_add(1, Ordering::Relaxed) {
        number if number < count => format!("{HTTP}{number}"),
        _ => "stemedb-block".into(),
    });
    if let Some(processors) = Processors::one_each(count) {
        builder.on_thread_start(move || processors.settle(number()));
    }
    builder.build()
}

/// The number of this thread among those that speak HTTP, if it is one.
fn number() -> Option<usize> {
    let thread = thread::current();
    thread.name()?.strip_prefix(HTTP)?.parse().ok()
}

#[cfg(target_os = "linux")]
use self::linux::Processors;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// The processors that the process may use.
    #[derive(Debug)]
    pub(super) struct Processors {
        all: CpuSet,
        each: Vec<usize>,
    }

    impl Processors {
        /// Those of `count` threads, one for each, if there are exactly as many.
        pub(super) fn one_each(count: usize) -> Option<Self> {
            let all = sched_getaffinity(None).ok()?;
            let each = (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor));
            let each = each.collect::<Vec<_>>();
            (each.len() == count).then_some(Self { all, each })
        }

        /// Gives this thread the processor of its number, or all where it has none: it would have that of the thread that started it.
        pub(super) fn settle(&self, number: Option<usize>) {
            let mut processors = self.all;
            if let Some(own) = number.and_then(|number| self.each.get(number)) {
                processors.clear();
                processors.set(*own);
            }
            if let Err(error) = sched_setaffinity(None, &processors) {
                tracing::debug!(%error, "a thread runs where the one ran that started it");
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Processors;

#[cfg(not(target_os = "linux"))]
impl Processors {
    fn one_each(_: usize) -> Option<Self> {
        None
    }

    fn settle(&self, _: Option<usize>) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Condvar, Mutex};
    use std::thread;
    use std::time::Duration;

    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::{Processors, runtime};

    /// What this thread is called, and the processors that it may use.
    fn own() -> (String, Vec<usize>) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        let own = sched_getaffinity(None).unwrap_or_default();
        let own = (0..CpuSet::MAX_CPU).filter(|processor| own.is_set(*processor));
        (name, own.collect())
    }

    #[test]
    fn each_thread_that_speaks_http_has_a_processor_and_others_have_all() {
        let (_, all) = own();
        let runtime = runtime().unwrap();
        let count = runtime.metrics().num_workers();
        let seen = Arc::new((Mutex::new(BTreeMap::new()), Condvar::new()));
        let look = |seen: Arc<(Mutex<BTreeMap<_, _>>, Condvar)>| async move {
            let (name, processors) = own();
            seen.0.lock().unwrap().insert(name, processors);
            seen.1.notify_all();
            // No thread does what another one is to do.
            let (seen, changed) = &*seen;
            let limit = Duration::from_secs(10);
            let seen = seen.lock().unwrap();
            drop(changed.wait_timeout_while(seen, limit, |seen| seen.len() < count));
            tokio::task::spawn_blocking(own).await.unwrap()
        };
        let looks = (0..count).map(|_| runtime.spawn(look(Arc::clone(&seen))));
        let blocks = ("stemedb-block".to_owned(), all.clone());
        for look in looks.collect::<Vec<_>>() {
            assert_eq!(runtime.block_on(look).unwrap(), blocks);
        }
        // Under a quota none is bound.
        let is_bound = count == all.len();
        let expected = (0..count).map(|number| {
            let processors = if is_bound {
                vec![all[number]]
            } else {
                all.clone()
            };
            (format!("stemedb-http-{number}"), processors)
        });
        assert_eq!(seen.0.lock().unwrap().clone(), expected.collect());
    }

    #[test]
    fn where_there_are_more_processors_than_threads_none_is_bound() {
        let all = own().1.len();
        assert!(Processors::one_each(all).is_some());
        assert!(Processors::one_each(all + 1).is_none());
        assert!(Processors::one_each(all - 1).is_none());
    }
}
