//! What a run has met, so that one which met nothing is noticed.

use std::fmt::{self, Display, Formatter};

/// Counts of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) lives: u64,
    pub(super) power_losses: u64,
    pub(super) kills: u64,
    pub(super) lost_in_recovery: u64,
    pub(super) clean_ends: u64,
    pub(super) failed_ends: u64,
    pub(super) worker_errors: u64,
    pub(super) records: u64,
    pub(super) checks: u64,
    pub(super) looks: u64,
    pub(super) looks_between_commits: u64,
    pub(super) replays: u64,
    pub(super) engines_apart: u64,
    pub(super) small_ahead: u64,
    pub(super) refusals: u64,
    pub(super) rebuilds: u64,
}

impl Tally {
    fn fields(&self) -> [(&'static str, u64); 16] {
        [
            ("lives", self.lives),
            ("power losses", self.power_losses),
            ("kills", self.kills),
            ("losses in recovery", self.lost_in_recovery),
            ("clean ends", self.clean_ends),
            ("failed ends", self.failed_ends),
            ("worker errors", self.worker_errors),
            ("records", self.records),
            ("whole checks", self.checks),
            ("looks", self.looks),
            ("looks between commits", self.looks_between_commits),
            ("replays", self.replays),
            ("engines apart", self.engines_apart),
            ("small engine ahead", self.small_ahead),
            ("refusals", self.refusals),
            ("rebuilds", self.rebuilds),
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        let Self {
            lives,
            power_losses,
            kills,
            lost_in_recovery,
            clean_ends,
            failed_ends,
            worker_errors,
            records,
            checks,
            looks,
            looks_between_commits,
            replays,
            engines_apart,
            small_ahead,
            refusals,
            rebuilds,
        } = self;
        let mine = [
            lives,
            power_losses,
            kills,
            lost_in_recovery,
            clean_ends,
            failed_ends,
            worker_errors,
            records,
            checks,
            looks,
            looks_between_commits,
            replays,
            engines_apart,
            small_ahead,
            refusals,
            rebuilds,
        ];
        for (mine, (_, theirs)) in mine.into_iter().zip(other.fields()) {
            *mine += theirs;
        }
    }

    /// Whether everything happened that a simulation is there for.
    pub(super) fn is_varied(&self) -> bool {
        self.fields().iter().all(|(_, count)| *count > 0)
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fields = self.fields();
        let texts: Vec<String> = fields
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        f.write_str(&texts.join(", "))
    }
}
