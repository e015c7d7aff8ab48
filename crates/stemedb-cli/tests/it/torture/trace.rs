//! A run of the program under strace, in which one system call goes wrong.

use std::{collections::HashMap, fmt, path::PathBuf, process::Command};

use super::{super::support::Home, check::DIRECTORY};

/// What strace writes down, in the home.
const LOG: &str = "strace.log";

/// Only the calls that are asked for stop the process; with it strace 6.1 forgets to send some signals.
const FAST: &str = "--seccomp-bpf";

/// What happens instead of a system call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect {
    /// The process is killed.
    Kill,
    /// It fails with this error.
    Error(&'static str),
    /// It does nothing, and returns this.
    Returns(u8),
}

/// The N-th call of a kind that some thread makes.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) call: &'static str,
    pub(crate) nth: usize,
    pub(crate) effect: Effect,
    /// Only calls with one of these files in the home count; with any file if there are none.
    pub(crate) files: &'static [&'static str],
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, nth, .. } = self;
        write!(f, "{:?} at {call} {nth} of {:?}", self.effect, self.files)
    }
}

impl Fault {
    /// The program with `args`, in `home`, with this fault.
    pub(crate) fn command(&self, home: &Home, args: &[&str]) -> Command {
        let effect = match self.effect {
            Effect::Kill => "signal=SIGKILL".to_owned(),
            Effect::Error(name) => format!("error={name}"),
            Effect::Returns(value) => format!("retval={value}"),
        };
        let mut traced = vec!["-f".to_owned()];
        if !matches!(self.effect, Effect::Kill) {
            traced.push(FAST.to_owned());
        }
        traced.extend(["-o".to_owned(), LOG.to_owned()]);
        traced.extend(["-e".to_owned(), format!("trace={}", self.call)]);
        let inject = format!("inject={}:{effect}:when={}", self.call, self.nth);
        traced.extend(["-e".to_owned(), inject]);
        for file in self.files {
            let path: PathBuf = home.path(file);
            traced.extend(["-P".to_owned(), path.display().to_string()]);
        }
        traced.push(env!("CARGO_BIN_EXE_stemedb").to_owned());
        let mut command = home.program("strace", traced);
        // Paths that strace is to know are absolute.
        command.arg("--dir").arg(home.path(DIRECTORY)).args(args);
        command
    }

    /// The calls of its kind that were made in the run that was the last in `home`, without the thread that made them.
    pub(crate) fn calls(&self, home: &Home) -> Vec<String> {
        let log = std::fs::read_to_string(home.path(LOG)).unwrap();
        let calls = whole_calls(&log).into_iter();
        calls.filter(|call| call.starts_with(self.call)).collect()
    }

    /// The call that went wrong in the run that was the last in `home`, if there was one.
    pub(crate) fn injected(&self, home: &Home) -> Option<String> {
        let log = std::fs::read(home.path(LOG)).unwrap();
        let log = String::from_utf8_lossy(&log);
        let mark = match self.effect {
            Effect::Kill => "+++ killed by SIGKILL",
            Effect::Error(_) | Effect::Returns(_) => "(INJECTED)",
        };
        log.lines()
            .find(|line| line.contains(mark))
            .map(str::to_owned)
    }
}

/// The calls of a log in the order in which they began; where another thread's came in between, strace writes one in two lines.
fn whole_calls(log: &str) -> Vec<String> {
    let mut calls: Vec<String> = Vec::new();
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for (thread, text) in log.lines().filter_map(|line| line.split_once(' ')) {
        let text = text.trim_start();
        let rest = text
            .strip_prefix("<... ")
            .and_then(|text| text.split_once(" resumed>"));
        if let Some((_, rest)) = rest {
            let begun = unfinished.remove(thread).expect("it was begun");
            calls[begun].push_str(rest);
            continue;
        }
        let begun = text.strip_suffix(" <unfinished ...>");
        if begun.is_some() {
            unfinished.insert(thread, calls.len());
        }
        calls.push(begun.unwrap_or(text).to_owned());
    }
    calls
}

#[test]
fn a_call_in_two_lines_is_one() {
    let log = "7 fdatasync(5</a> <unfinished ...>\n8   openat(3) = 4\n7 <... fdatasync resumed>) = -1 EIO (INJECTED)\n8 close(4) = 0\n";
    let calls = [
        "fdatasync(5</a>) = -1 EIO (INJECTED)",
        "openat(3) = 4",
        "close(4) = 0",
    ];
    assert_eq!(whole_calls(log), calls);
}
