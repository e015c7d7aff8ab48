//! Courtesy: work that takes long stops for a moment every so often, so that whoever waits for the processor has it then.
//!
//! The kernel takes a processor away when a timer rings, every few milliseconds, whatever the niceness of who has it. What others wait for
//! is done in a tenth of one.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{COURTESY_MICROS, TASKS_GAP_MICROS, TASKS_MICROS};

thread_local! {
    /// When this thread took its turn; `None` where its work takes none.
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };

    /// What this thread polled last.
    static TASKS: Cell<Option<Tasks>> = const { Cell::new(None) };
}

/// Does work that takes turns with others.
pub(crate) fn in_turns<T>(work: impl FnOnce() -> T) -> T {
    TURN.set(Some(Instant::now()));
    let _turn = Turn;
    work()
}

/// The turn of this thread, which ends when this is dropped: also where the work panics, for the thread goes on.
struct Turn;

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.set(None);
    }
}

/// Lets others run if the turn of this thread was long enough, which costs what reading a clock does. Where no work takes turns it does
/// nothing.
pub(crate) fn let_others_run() {
    if is_over() {
        thread::yield_now();
        TURN.set(Some(Instant::now()));
    }
}

/// Polls one of the many tasks of a thread, and lets others run before it if those before it, one right behind the other, took long enough.
///
/// A thread that goes from task to task does not sleep in between, and so is not woken: it would keep the processor until a timer rings.
pub(crate) fn poll_in_turn<T>(poll: impl FnOnce() -> T) -> T {
    let now = Instant::now();
    let mut begun = TASKS.get().map_or(now, |tasks| tasks.begun_at(now));
    if now.duration_since(begun) >= Duration::from_micros(TASKS_MICROS) {
        thread::yield_now();
        begun = Instant::now();
    }
    let polled = poll();
    TASKS.set(Some(Tasks {
        begun,
        ended: Instant::now(),
    }));
    polled
}

/// Tasks that a thread polled, one right behind the other.
#[derive(Clone, Copy, Debug)]
struct Tasks {
    begun: Instant,
    ended: Instant,
}

impl Tasks {
    /// When the tasks began of which one is polled now: those before it, unless the thread polled none for a while.
    fn begun_at(self, now: Instant) -> Instant {
        let gap = now.duration_since(self.ended);
        if gap < Duration::from_micros(TASKS_GAP_MICROS) {
            self.begun
        } else {
            now
        }
    }
}

fn is_over() -> bool {
    let turn = Duration::from_micros(COURTESY_MICROS);
    TURN.get().is_some_and(|begun| begun.elapsed() >= turn)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::time::{Instant, advance};

    use super::{
        COURTESY_MICROS, TASKS, TASKS_GAP_MICROS, TASKS_MICROS, TURN, in_turns, is_over,
        let_others_run, poll_in_turn,
    };

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_over_after_its_time_and_begins_anew() {
        assert!(!is_over(), "no work takes turns");
        in_turns(|| assert!(!is_over()));
        let begun = in_turns(|| TURN.get());
        assert!(begun.is_some() && TURN.get().is_none());
        let panicked = std::panic::catch_unwind(|| in_turns(|| panic!("on purpose")));
        assert!(panicked.is_err() && TURN.get().is_none());
        TURN.set(begun);
        advance(Duration::from_micros(COURTESY_MICROS - 1)).await;
        assert!(!is_over());
        advance(Duration::from_micros(1)).await;
        assert!(is_over());
        let_others_run();
        assert!(!is_over());
        TURN.set(None);
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_of_a_thread_share_one_turn_until_it_sleeps() {
        let gap = Duration::from_micros(TASKS_GAP_MICROS);
        let short = Duration::from_micros(TASKS_GAP_MICROS - 1);
        TASKS.set(None);
        let begun = || TASKS.get().map(|tasks| tasks.begun);
        // However long one takes, it is part of the row.
        assert_eq!(
            poll_in_turn(|| advance(gap).now_or_never().map_or(7, |()| 8)),
            7
        );
        let first = begun();
        assert_ne!(first, Some(Instant::now()));
        let mut took = gap;
        while took + short < Duration::from_micros(TASKS_MICROS) {
            advance(short).await;
            took += short;
            poll_in_turn(|| ());
            assert_eq!(begun(), first, "one row, {took:?}");
        }
        // Long enough: others had their turn, and a new one begins.
        advance(short).await;
        poll_in_turn(|| ());
        let second = begun();
        assert_eq!(second, Some(Instant::now()));
        advance(short).await;
        poll_in_turn(|| ());
        assert_eq!(begun(), second);
        // It slept.
        advance(gap).await;
        poll_in_turn(|| ());
        assert_eq!(begun(), Some(Instant::now()));
        TASKS.set(None);
    }
}
