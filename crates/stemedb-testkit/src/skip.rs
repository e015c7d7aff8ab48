//! What a test cannot do here, it says.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Says what is skipped and why, past the test harness, which keeps to itself what a passing test prints.
pub fn say_skipped(what: &str) {
    say(&format!("skipped: {what}"));
}

/// Says something past the test harness.
pub fn say(what: &str) {
    if writeln!(io::stderr(), "{what}").is_err() {
        // Nobody listens.
    }
}

/// Whether strace can be used here; says so if not.
#[must_use]
pub fn can_trace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"]);
    let traced = strace.stderr(Stdio::null()).status();
    let works = traced.is_ok_and(|status| status.success());
    if !works {
        say_skipped("strace is not installed, or may not trace here");
    }
    works
}
