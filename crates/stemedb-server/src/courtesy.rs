//! Courtesy: work that takes long stops for a moment every so often, so that whoever waits for the processor has it then.
//!
//! The kernel takes a processor away when a timer rings, every few milliseconds, whatever the niceness of who has it. What others wait for
//! is done in a tenth of one.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{COURTESY_MICROS, TASKS_GAP_MICROS, TASKS_MICROS, USUAL_TURN_MICROS};

thread_local! {
    /// The turn that this thread took; `None` where its work takes none.
    static TURN: Cell<Option<Taken>> = const { Cell::new(None) };

    /// Since when this thread polls the task that it polls; `None` between two.
    static POLL: Cell<Option<Instant>> = const { Cell::new(None) };

    /// What this thread polled last.
    static TASKS: Cell<Option<Tasks>> = const { Cell::new(None) };
}

/// How long a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// Somebody waits for an answer that takes about a millisecond: each turn that ends costs a wait for whoever else is there.
    Usual,
    /// What may take long.
    Short,
}

impl Turns {
    const fn length(self) -> Duration {
        Duration::from_micros(match self {
            Self::Usual => USUAL_TURN_MICROS,
            Self::Short => COURTESY_MICROS,
        })
    }
}

/// A turn, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    turns: Turns,
    begun: Instant,
}

impl Taken {
    fn now(turns: Turns) -> Self {
        let begun = Instant::now();
        Self { turns, begun }
    }
}

/// Does work that takes turns with others.
pub(crate) fn in_turns<T>(turns: Turns, work: impl FnOnce() -> T) -> T {
    let _before = Before(TURN.replace(Some(Taken::now(turns))));
    work()
}

/// The turn that this thread had before, which it has again when this is dropped: also where the work panics, for the thread goes on.
struct Before(Option<Taken>);

impl Drop for Before {
    fn drop(&mut self) {
        TURN.set(self.0);
    }
}

/// Lets others run if the turn of this thread was long enough, which costs what reading a clock does. Where no work takes turns it does
/// nothing.
pub(crate) fn let_others_run() {
    if let Some(taken) = TURN.get()
        && taken.begun.elapsed() >= taken.turns.length()
    {
        thread::yield_now();
        TURN.set(Some(Taken::now(taken.turns)));
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
    POLL.set(Some(Instant::now()));
    let polled = poll();
    POLL.set(None);
    TASKS.set(Some(Tasks {
        begun,
        ended: Instant::now(),
    }));
    polled
}

/// Ready as long as the task that is polled may go on; after that it is polled again when those were that wait already.
///
/// A client that sends faster than what it sends is read would have its task go on for as long as it likes.
pub(crate) fn poll_go_on(cx: &Context<'_>) -> Poll<()> {
    let most = Duration::from_micros(COURTESY_MICROS);
    if POLL.get().is_none_or(|begun| begun.elapsed() < most) {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Does a task as one of many: each of its polls goes through [`poll_in_turn`].
pub(crate) fn among_others<T>(task: impl Future<Output = T>) -> impl Future<Output = T> {
    let mut task = Box::pin(task);
    poll_fn(move |cx| poll_in_turn(|| task.as_mut().poll(cx)))
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

/// Whether work lets others run whose turn was over before it began.
#[cfg(test)]
pub(crate) fn lets_others_run(work: impl FnOnce()) -> bool {
    let taken = Taken::now(Turns::Short);
    let begun = taken.begun.checked_sub(Duration::from_secs(1));
    let over = begun.map(|begun| Taken { begun, ..taken });
    TURN.set(over);
    work();
    TURN.take() != over
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::time::{Instant, advance};

    use super::{
        COURTESY_MICROS, TASKS, TASKS_GAP_MICROS, TASKS_MICROS, TURN, Taken, Turns,
        USUAL_TURN_MICROS, among_others, in_turns, let_others_run, poll_in_turn,
    };

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_over_after_its_time_and_begins_anew() {
        let_others_run();
        assert_eq!(TURN.get(), None, "no work takes turns");
        for (turns, micros) in [
            (Turns::Usual, USUAL_TURN_MICROS),
            (Turns::Short, COURTESY_MICROS),
        ] {
            let first = in_turns(turns, || TURN.get());
            let begun = Instant::now();
            assert_eq!((first, TURN.get()), (Some(Taken { turns, begun }), None));
            TURN.set(first);
            advance(Duration::from_micros(micros - 1)).await;
            let_others_run();
            assert_eq!(TURN.get(), first);
            advance(Duration::from_micros(1)).await;
            let_others_run();
            let begun = Instant::now();
            assert_eq!(TURN.get(), Some(Taken { turns, begun }));
            TURN.set(None);
        }
        // Within another one, which goes on behind it.
        let outer = in_turns(Turns::Usual, || {
            let outer = TURN.get();
            let inner = in_turns(Turns::Short, || TURN.get());
            assert_ne!(inner, outer);
            assert_eq!(TURN.get(), outer);
            outer
        });
        assert_eq!(outer.map(|taken| taken.turns), Some(Turns::Usual));
        let panics = || in_turns(Turns::Short, || panic!("on purpose"));
        assert!(std::panic::catch_unwind(panics).is_err() && TURN.get().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_among_others_is_one_of_the_row() {
        TASKS.set(None);
        assert_eq!(among_others(async { 7 }).now_or_never(), Some(7));
        let begun = || TASKS.get().map(|tasks| tasks.begun);
        let first = begun();
        assert_eq!(first, Some(Instant::now()));
        advance(Duration::from_micros(TASKS_GAP_MICROS - 1)).await;
        // Also one that is not done, each time that it is polled.
        let mut task = among_others(std::future::pending::<()>());
        for _ in 0..2 {
            assert_eq!((&mut task).now_or_never(), None);
            let ended = TASKS.get().map(|tasks| tasks.ended);
            assert_eq!((begun(), ended), (first, Some(Instant::now())));
            advance(Duration::from_micros(1)).await;
        }
        TASKS.set(None);
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
