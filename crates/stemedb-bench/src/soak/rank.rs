//! Who goes before whom, where the server and those who ask it share the processors of one machine.
//!
//! Elsewhere clients have processors of their own. What a good one waits for here would also be its own turn, behind whatever the server
//! does for bad ones, and what a bad one does would take time from the server.

use std::process::{Command, Stdio};

/// When the kernel lets a thread run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rank {
    /// Before all usual ones, as soon as there is something to do (`SCHED_RR`); this needs a right.
    First,
    /// Where nobody else wants a processor (`SCHED_IDLE`).
    Last,
}

/// Ranks the thread that calls it; whether that was possible.
pub(super) fn rank(rank: Rank) -> bool {
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let Some(thread) = link.file_name() else {
        return false;
    };
    let mut chrt = Command::new("chrt");
    match rank {
        Rank::First => chrt.args(["--rr", "--pid", "1"]),
        Rank::Last => chrt.args(["--idle", "--pid", "0"]),
    };
    let chrt = chrt.arg(thread).stdout(Stdio::null()).stderr(Stdio::null());
    chrt.status().is_ok_and(|status| status.success())
}
