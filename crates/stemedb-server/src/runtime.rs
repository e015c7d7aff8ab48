//! The threads of a server.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// A runtime for [`serve`](crate::serve), with as many threads that speak HTTP as there are processors.
///
/// On Linux each of these has a processor of its own, where the process may use all of each that it may use at all: threads that rarely
/// sleep are rarely moved, and two of them shared one processor for tens of milliseconds while another one had less to do. Where a quota
/// allows the process fewer processors than it sees, they run wherever there is room.
///
/// # Errors
///
/// If the threads cannot be started.
pub fn runtime() -> io::Result<Runtime> {
    let count = available_parallelism().map_or(1, NonZero::get);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count).enable_all();
    let Some(processors) = Processors::one_each(count) else {
        return builder.build();
    };
    let started = Arc::new(Barrier::new(count + 1));
    let (number, all_started) = (AtomicUsize::new(0), Arc::clone(&started));
    builder.on_thread_start(move || {
        // Ordering: each thread gets a number of its own, and nothing else is told by it.
        let number = number.fetch_add(1, Ordering::Relaxed);
        processors.settle(number);
        if number < count {
            all_started.wait();
        }
    });
    let runtime = builder.build()?;
    // Those that speak HTTP are the first ones; others start when there is something for them to do, which is after this.
    started.wait();
    Ok(runtime)
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

        /// Gives this thread the processor of its number, or all where there is none: it would have that of the thread that started it.
        pub(super) fn settle(&self, number: usize) {
            let mut processors = self.all;
            if let Some(own) = self.each.get(number) {
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

    fn settle(&self, _: usize) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::{Processors, runtime};

    /// The processors that this thread may use.
    fn own() -> Vec<usize> {
        let own = sched_getaffinity(None).unwrap_or_default();
        let own = (0..CpuSet::MAX_CPU).filter(|processor| own.is_set(*processor));
        own.collect()
    }

    #[test]
    fn each_thread_that_speaks_http_has_a_processor_and_others_have_all() {
        let all = own();
        let runtime = runtime().unwrap();
        let count = runtime.metrics().num_workers();
        // Under a quota none is bound.
        let is_bound = count == all.len();
        let kinds = if is_bound { count } else { 1 };
        let seen = Arc::new((Mutex::new(BTreeSet::new()), Condvar::new()));
        let look = |seen: Arc<(Mutex<BTreeSet<_>>, Condvar)>| async move {
            seen.0.lock().unwrap().insert(own());
            seen.1.notify_all();
            // No thread does what another one is to do.
            let (seen, changed) = &*seen;
            let limit = Duration::from_secs(10);
            let seen = seen.lock().unwrap();
            drop(changed.wait_timeout_while(seen, limit, |seen| seen.len() < kinds));
            tokio::task::spawn_blocking(own).await.unwrap()
        };
        let looks = (0..count).map(|_| runtime.spawn(look(Arc::clone(&seen))));
        for look in looks.collect::<Vec<_>>() {
            assert_eq!(runtime.block_on(look).unwrap(), all);
        }
        let seen = seen.0.lock().unwrap().clone();
        let expected = if is_bound {
            all.into_iter().map(|one| vec![one]).collect()
        } else {
            BTreeSet::from([all])
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn where_there_are_more_processors_than_threads_none_is_bound() {
        let all = own().len();
        assert!(Processors::one_each(all).is_some());
        assert!(Processors::one_each(all + 1).is_none());
        assert!(Processors::one_each(all - 1).is_none());
    }
}
