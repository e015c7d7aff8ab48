//! What is said aloud: the warnings of a piece of work, through `tracing`.
//!
//! tracing notes, for each place in the code that says something, whether anybody listens, when a thread first comes to it.
//! While there is one listener, on the thread of one test, that note is what holds on the thread that makes it: where another test comes to the
//! place first, nobody listens, and the listener hears nothing from there.
//! No place is noted before there is a listener, so coming to it earlier does not help.
//! But each new listener has all notes made anew, so whoever listens again hears it in the end.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber, subscriber};

/// How often something is done that should warn.
const RUNS_MAX: u32 = 300;
/// For another thread that is in the middle of making a note.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns the warnings of some work, a line each, with every field as `name=value`.
///
/// It does the work again, a bounded number of times, until it warns; and returns nothing where it never does.
pub fn warnings(mut work: impl FnMut()) -> Vec<String> {
    for _ in 0..RUNS_MAX {
        let lines = warnings_of_one_run(&mut work);
        if !lines.is_empty() {
            return lines;
        }
        thread::park_timeout(PAUSE);
    }
    Vec::new()
}

/// Returns the warnings of some work that is done once, and should not warn.
///
/// It may miss one; see [`warnings`] for work that should.
pub fn warnings_of_one_run(work: impl FnOnce()) -> Vec<String> {
    let listener = Listener::default();
    subscriber::with_default(listener.clone(), work);
    let mut lines = listener
        .lines
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut lines)
}

/// Keeps the warnings of one thread.
#[derive(Clone, Debug, Default)]
struct Listener {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let said = format!("{}={value:?} ", field.name());
        self.0.push_str(&said);
    }
}

#[cfg(test)]
mod tests;
