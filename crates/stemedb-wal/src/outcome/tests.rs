use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll(outcome: &Outcome, place: &mut Option<usize>, count: &Arc<Count>) -> Poll<Written> {
    let waker = Waker::from(Arc::clone(count));
    outcome.poll(&Context::from_waker(&waker), place)
}

#[test]
fn a_task_is_woken_once_where_it_asked_last() {
    let settle = Settle::default();
    let outcome = settle.outcome();
    let (before, now, other) = <(Arc<Count>, Arc<Count>, Arc<Count>)>::default();
    let (mut first, mut second) = (None, None);
    assert!(poll(&outcome, &mut first, &before).is_pending());
    assert!(poll(&outcome, &mut second, &other).is_pending());
    // It was moved to another task.
    assert!(poll(&outcome, &mut first, &now).is_pending());
    assert!(poll(&outcome, &mut first, &now).is_pending());
    settle.with(Ok(()));
    assert_eq!((before.get(), now.get(), other.get()), (0, 1, 1));
    assert!(matches!(
        poll(&outcome, &mut first, &now),
        Poll::Ready(Ok(()))
    ));
}

#[test]
fn all_threads_are_woken() {
    let settle = Settle::default();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let outcome = settle.outcome();
            std::thread::spawn(move || outcome.wait())
        })
        .collect();
    settle.with(Ok(()));
    for thread in threads {
        assert!(thread.join().unwrap().is_ok());
    }
}

#[test]
fn whoever_waits_hears_of_a_journal_that_ended() {
    let settle = Settle::default();
    let outcome = settle.outcome();
    drop(settle);
    assert!(matches!(outcome.wait(), Err(AppendError::Closed)));
}

#[test]
fn what_was_settled_stays_so() {
    let settle = Settle::default();
    let outcome = settle.outcome();
    // The right to settle is used up, and dropped, by the first answer.
    settle.with(Ok(()));
    assert!(outcome.wait().is_ok());
}
