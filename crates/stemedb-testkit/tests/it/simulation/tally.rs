//! What a run has met, so that one which met nothing is noticed.

use std::fmt::{self, Display, Formatter};

/// Declares the counts with their names.
macro_rules! tally {
    ($($count:ident: $name:literal,)*) => {
        /// Counts of what happened.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub(super) struct Tally {
            $(pub(super) $count: u64,)*
        }

        impl Tally {
            fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$count)),*]
            }

            pub(super) fn add(&mut self, other: &Self) {
                $(self.$count += other.$count;)*
            }
        }
    };
}

tally! {
    lives: "lives",
    power_losses: "power losses",
    kills: "kills",
    lost_in_recovery: "losses in recovery",
    clean_ends: "clean ends",
    failed_ends: "failed ends",
    worker_errors: "worker errors",
    records: "records",
    checks: "whole checks",
    looks: "looks",
    looks_between_commits: "looks between commits",
    replays: "replays",
    engines_apart: "engines apart",
    small_ahead: "small engine ahead",
    refusals: "refusals",
    rebuilds: "rebuilds",
}

impl Tally {
    /// Whether everything happened that a simulation is there for.
    pub(super) fn is_varied(&self) -> bool {
        self.named().iter().all(|(_, count)| *count > 0)
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = self.named().into_iter();
        let texts: Vec<String> = counts
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        f.write_str(&texts.join(", "))
    }
}
