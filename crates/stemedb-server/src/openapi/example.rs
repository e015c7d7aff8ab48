//! The examples: requests, and what a database is answered with that was new before the first of them.

use std::sync::LazyLock;

use serde_json::Value;

static ALL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("example.json")).unwrap_or_default());

/// The example of one operation; one that has none is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example(Option<&'static Value>);

/// The example of the operation of this id.
pub(super) fn of(operation: &str) -> Example {
    Example(ALL.get(operation))
}

impl Example {
    /// The value of a parameter.
    pub(super) fn parameter(self, name: &str) -> Option<&'static Value> {
        self.0?.get("parameters")?.get(name)
    }

    /// The body of the request.
    pub(super) fn request(self) -> Option<&'static Value> {
        self.0?.get("request")
    }

    /// The answer, if it has this status.
    pub(super) fn answer(self, status: u16) -> Option<&'static Value> {
        let example = self.0?;
        let is_it = example.get("status")?.as_u64() == Some(u64::from(status));
        example.get("answer").filter(|_| is_it)
    }
}
