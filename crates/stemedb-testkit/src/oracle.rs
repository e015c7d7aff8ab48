//! The oracle: what must be true after every recovery, in one place for every harness.
//!
//! 1. Everything acknowledged is there, once, at its sequence, with its bytes: [`History::check`].
//! 2. Whatever else is there was submitted, and sequences have no gaps: [`History::check`].
//! 3. The store is what a replay of the journal gives, in each engine and across them: [`Model`].
//! 4. Nobody sees half a group: [`Model::compare`] of any view, at the sequence of that view.
//! 5. Recovering again changes no byte of the journal: [`directory::check`].
//!
//! A refusal to open, a panic, a hang and the use of memory are the harness's to judge, for only it knows what it did to the disk.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

pub mod directory;
mod history;
mod model;

pub use history::History;
pub use model::{Entry, Layout, Model};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    /// Says what was seen.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Says where it was seen.
    #[must_use]
    pub fn within(self, place: impl Display) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Violation {}
