//! SIGKILL at the N-th system call, in work and in recovery.

use std::os::unix::process::ExitStatusExt as _;

use super::{
    super::support::{Home, can_trace},
    check::{DIRECTORY, completes, recovered},
    life::{INGEST, Life},
    trace::{Effect, Fault},
    work::Work,
};

/// Calls that change what is on the disk, or that come between two that do.
pub(super) const CALLS: [&str; 12] = [
    "pwrite64",
    "write",
    "writev",
    "fdatasync",
    "fsync",
    "openat",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
    "ftruncate",
    "fallocate",
    "mkdir,mkdirat",
    "pread64",
];

/// Files that the journal's thread works on, which would hardly ever be the first to make its N-th call.
pub(super) const JOURNAL: [&str; 4] = [
    "stemedb-data/wal",
    "stemedb-data/wal/0000000000000001.wal",
    "stemedb-data/wal/0000000000000002.wal",
    "stemedb-data/wal/spare-0000000000000002.tmp",
];

/// Files of the two engines: a kill here comes between their commits.
pub(super) const ENGINES: [&str; 2] = ["stemedb-data/db/redb", "stemedb-data/db/fjall/0.jnl"];

/// Where each of many runs begins.
pub(super) struct Base {
    pub(super) home: Home,
    pub(super) work: Work,
    /// Records that were acknowledged before, and are not fed again.
    pub(super) acknowledged: usize,
}

impl Base {
    /// No database yet.
    pub(super) fn nothing() -> Self {
        Self {
            home: Home::new(),
            work: Work::of_all_types(),
            acknowledged: 0,
        }
    }

    /// A database whose process was killed between writing a group of the second segment and syncing it.
    pub(super) fn killed() -> Self {
        let mut base = Self::nothing();
        let fault = Fault {
            call: "fdatasync",
            nth: 2,
            effect: Effect::Kill,
            files: &["stemedb-data/wal/0000000000000002.wal"],
        };
        let life = Life::of(fault.command(&base.home, &INGEST), &base.work, 0);
        assert!(life.was_killed(), "{life:?}");
        base.acknowledged = life.acknowledged_upto();
        assert!(base.acknowledged > 4, "it was killed too soon");
        base
    }

    pub(super) fn copy(&self) -> Home {
        let home = Home::new();
        if self.home.path(DIRECTORY).exists() {
            home.copy_from(&self.home, DIRECTORY);
        }
        home
    }
}

/// Which calls are tried: every one with `STEMEDB_LONG_TESTS`, else the first ones and a few of the others.
pub(super) fn sample() -> impl Iterator<Item = usize> {
    let is_long = std::env::var_os("STEMEDB_LONG_TESTS").is_some();
    let (mut one, mut other) = (1, 1);
    std::iter::from_fn(move || {
        let nth = one;
        (one, other) = if is_long {
            (one + 1, 0)
        } else {
            (one + other, one)
        };
        Some(nth)
    })
}

/// What some runs found.
#[derive(Debug, Default)]
struct Found {
    killed: usize,
    acknowledged: usize,
}

/// Kills processes that begin on copies of `base`, at each call in the sample of each kind; then looks at what they left.
fn kill_at_each(base: &Base, calls: &[&'static str], files: &'static [&'static str]) -> Found {
    let mut found = Found::default();
    for &call in calls {
        for nth in sample() {
            let fault = Fault {
                call,
                nth,
                effect: Effect::Kill,
                files,
            };
            let home = base.copy();
            let life = Life::of(fault.command(&home, &INGEST), &base.work, base.acknowledged);
            if fault.injected(&home).is_none() {
                assert!(life.status.success(), "{fault}: {}", life.stderr);
                break;
            }
            assert!(life.was_killed(), "{fault}: {life:?}");
            eprintln!("{fault}: {} acknowledged", life.acknowledged.len());
            recovered(
                &home,
                &base.work,
                life.acknowledged_upto().max(base.acknowledged),
            );
            completes(&home, &base.work);
            found.killed += 1;
            found.acknowledged += life.acknowledged.len();
        }
    }
    eprintln!("{found:?}");
    found
}

#[test]
fn a_kill_at_any_call_from_creating_to_closing_loses_nothing() {
    if can_trace() {
        let found = kill_at_each(&Base::nothing(), &CALLS, &[]);
        assert!(found.killed > 20, "{found:?}");
    }
}

#[test]
fn a_kill_at_any_call_of_the_journal_loses_nothing() {
    if can_trace() {
        let found = kill_at_each(&Base::nothing(), &CALLS, &JOURNAL);
        assert!(found.killed > 20 && found.acknowledged > 100, "{found:?}");
    }
}

#[test]
fn a_kill_between_the_commits_of_the_engines_loses_nothing() {
    if can_trace() {
        for file in &ENGINES {
            let found = kill_at_each(&Base::nothing(), &CALLS, std::slice::from_ref(file));
            assert!(found.killed > 0 && found.acknowledged > 0, "{found:?}");
        }
    }
}

#[test]
fn a_kill_at_any_call_of_recovery_loses_nothing() {
    if can_trace() {
        let base = Base::killed();
        let found = kill_at_each(&base, &CALLS, &[]);
        assert!(found.killed > 20, "{found:?}");
    }
}

/// Five recoveries in a row are killed, each a little later, before one comes to its end.
#[test]
fn kills_of_one_recovery_after_the_other_lose_nothing() {
    if !can_trace() {
        return;
    }
    let base = Base::killed();
    for call in ["pwrite64", "fdatasync", "openat", "fsync", "ftruncate"] {
        let home = base.copy();
        let mut acknowledged = base.acknowledged;
        let mut killed = 0;
        for depth in 1..=5 {
            let nth = if call == "openat" { 12 * depth } else { depth };
            let fault = Fault {
                call,
                nth,
                effect: Effect::Kill,
                files: &[],
            };
            let life = Life::of(fault.command(&home, &INGEST), &base.work, base.acknowledged);
            acknowledged = acknowledged.max(life.acknowledged_upto());
            killed += usize::from(life.was_killed());
        }
        eprintln!("{call}: {killed} recoveries were killed");
        assert!(killed > 0, "{call}");
        recovered(&home, &base.work, acknowledged);
        completes(&home, &base.work);
    }
}

/// There is no handler: to be told to end is to be killed, which loses nothing.
#[test]
fn what_was_reported_before_the_signal_to_end_is_there() {
    let base = Base::nothing();
    let command = base.home.command(INGEST);
    let life = Life::interrupted(command, &base.work, "TERM");
    assert_eq!(life.status.signal(), Some(15), "{life:?}");
    assert!(
        life.acknowledged_upto() > 0 && life.stderr.lines().count() <= 1,
        "{life:?}"
    );
    recovered(&base.home, &base.work, life.acknowledged_upto());
    completes(&base.home, &base.work);
}
