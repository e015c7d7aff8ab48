//! Where the worker takes its groups from: the local journal now, a replicated one later.

use std::fmt::Debug;
use std::time::Duration;

use stemedb_wal::{Group, JournalReader, Wake};

use crate::Error;

/// A stream of groups in the order of their numbers, from the place at which it was opened.
pub trait Source: Debug + Send {
    /// The next group that is durable, or `None` where there is none yet.
    ///
    /// One that was given before may be given again: it is passed over. None may be left out.
    ///
    /// # Errors
    ///
    /// What the journal behind it could not read.
    fn next_group(&mut self) -> Result<Option<Group>, Error>;

    /// Waits until there is a group, but no longer than `timeout`.
    fn wait(&self, timeout: Duration) -> Wake;

    /// Bytes of all groups before the next one.
    fn passed_bytes(&self) -> u64;

    /// Time since some fixed moment; it never goes backwards.
    fn monotonic(&self) -> Duration;
}

impl Source for JournalReader {
    fn next_group(&mut self) -> Result<Option<Group>, Error> {
        Ok(Self::next_group(self)?)
    }

    fn wait(&self, timeout: Duration) -> Wake {
        Self::wait(self, timeout)
    }

    fn passed_bytes(&self) -> u64 {
        Self::passed_bytes(self)
    }

    fn monotonic(&self) -> Duration {
        Self::monotonic(self)
    }
}
