//! What a soak has done so far.

use std::fmt;
use std::time::Duration;

/// Counts of everything that a soak does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// How long it has been going on.
    pub(crate) elapsed: Duration,
    /// Children that were started.
    pub(crate) lives: u64,
    /// Of them, those that a signal has ended.
    pub(crate) kills: u64,
    /// Those that ended in order.
    pub(crate) ends: u64,
    /// Pauses by SIGSTOP.
    pub(crate) stops: u64,
    /// Lives in which the disk was full, or files were limited.
    pub(crate) starvations: u64,
    /// Calls of the child that failed for it.
    pub(crate) errors: u64,
    /// Panics that were caught while the disk was full.
    pub(crate) panics: u64,
    /// Times that a child has opened the database.
    pub(crate) opens: u64,
    /// Stores that were built anew, because an engine had failed to write to the full disk.
    pub(crate) rebuilds: u64,
    /// Acknowledgements.
    pub(crate) acknowledged: u64,
    /// Looks of the child at what it can read.
    pub(crate) reads: u64,
    /// Checks by the oracle.
    pub(crate) checks: u64,
    /// Records that these checks have found, each time anew.
    pub(crate) records: u64,
    /// Databases that grew large enough.
    pub(crate) databases: u64,
    /// Damage on purpose that was found and mended.
    pub(crate) damage_found: u64,
    /// Damage on purpose that hit what means nothing.
    pub(crate) damage_harmless: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>5} s: {} lives, {} kills, {} ends, {} stops, {} starvations ({} errors, {} panics), ",
            self.elapsed.as_secs(),
            self.lives,
            self.kills,
            self.ends,
            self.stops,
            self.starvations,
            self.errors,
            self.panics,
        )?;
        write!(
            f,
            "{} opens, {} rebuilds, {} acknowledged, {} reads, {} checks of {} records, {} databases, {} damages found, {} harmless",
            self.opens,
            self.rebuilds,
            self.acknowledged,
            self.reads,
            self.checks,
            self.records,
            self.databases,
            self.damage_found,
            self.damage_harmless,
        )
    }
}
