//! Courtesy: work that takes long stops for a moment every so often, so that whoever waits for the processor has it then.
//!
//! The kernel takes a processor away when a timer rings, every few milliseconds, whatever the niceness of who has it. What others wait for
//! is done in a tenth of one.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::COURTESY_MICROS;

thread_local! {
    /// When this thread took its turn; `None` where its work takes none.
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
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

fn is_over() -> bool {
    let turn = Duration::from_micros(COURTESY_MICROS);
    TURN.get().is_some_and(|begun| begun.elapsed() >= turn)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{COURTESY_MICROS, TURN, in_turns, is_over, let_others_run};

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
}
