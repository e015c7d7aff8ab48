//! What recovery says aloud.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use crate::story::{Story, directory};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps warnings, one line each.
#[derive(Clone, Debug, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What one reopening says.
fn warnings(story: &Story) -> Vec<String> {
    // tracing remembers, where an event is met first, whether anybody listens. A test beside this one may meet it at the very moment at
    // which this one begins to listen, and then nobody is told: so it has been met before.
    story.reopen().result.as_ref().unwrap();
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        story.reopen().result.as_ref().unwrap();
    });
    let lines = warnings.0.lock().unwrap();
    lines.clone()
}

#[test]
fn a_torn_tail_is_named_once_with_its_place() {
    let mut story = Story::small().append_all(&["a", "b"]);
    let last = story.groups().last().unwrap().offset;
    let at = usize::try_from(last).unwrap();
    story.segment(1)[at] ^= 1;
    let lines = warnings(&story);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let named = [
        "0000000000000001.wal".to_owned(),
        format!("offset={last} "),
        "bytes=".to_owned(),
        "0000000000000001-1.torn".to_owned(),
    ];
    for name in named {
        assert!(lines[0].contains(&name), "{name} in {lines:?}");
    }
}

#[test]
fn names_that_are_not_ours_are_named_and_a_rewrite_is_not() {
    let mut story = Story::small().append_all(&["a", "b"]);
    assert!(warnings(&story).is_empty());
    story
        .files
        .insert(directory().join("notes.txt"), b"?".to_vec());
    let lines = warnings(&story);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("notes.txt"), "{lines:?}");
}
