//! A child, as its parent sees it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::disk::run;
use super::wire::{Garbled, Line};
use crate::failure::{Doing, Failure};

/// What comes from a child.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A line.
    Line(Line),
    /// Bytes that are no line.
    Garbled(String),
    /// Nothing for now.
    Nothing,
    /// Its pipe is closed: it is gone.
    End,
}

/// How a child is started.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// The program, which is this one.
    pub(crate) program: &'a Path,
    /// What it is told.
    pub(crate) arguments: Vec<String>,
    /// Bytes that a file may have.
    pub(crate) file_bytes_max: Option<u64>,
    /// Where its standard error goes.
    pub(crate) errors: PathBuf,
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    heard: Receiver<Result<Line, String>>,
}

impl Process {
    /// Starts a child.
    pub(crate) fn start(start: &Start<'_>) -> Result<Self, Failure> {
        let errors = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&start.errors);
        let errors = errors.doing("open", &start.errors)?;
        let mut child = command(start)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .doing("start", start.program)?;
        let (sender, heard) = channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || listen(stdout, &sender));
        }
        Ok(Self { child, heard })
    }

    /// The next line, if there is one in time.
    pub(crate) fn hear(&self, time: Duration) -> Heard {
        match self.heard.recv_timeout(time) {
            Ok(Ok(line)) => Heard::Line(line),
            Ok(Err(garbled)) => Heard::Garbled(garbled),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End,
        }
    }

    /// Sends a signal by name. A child that is gone already is no error.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Failure> {
        let command = format!("kill -{name} {}", self.child.id());
        match run("sh", &["-c", &command]) {
            Ok(_) | Err(Failure::Program { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Tells the child to end in order.
    pub(crate) fn end(&mut self) {
        self.child.stdin = None;
    }

    /// Kills the child.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill().doing("kill", Path::new("the child"))
    }

    /// How the child has ended.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Failure> {
        self.child.wait().doing("wait for", Path::new("the child"))
    }

    /// What each thread of the child is doing, for the report of a hang.
    pub(crate) fn threads(&self) -> String {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.child.id()));
        let mut text = String::new();
        for task in fs::read_dir(tasks).into_iter().flatten().flatten() {
            for file in ["comm", "wchan", "syscall", "stack"] {
                let content = fs::read_to_string(task.path().join(file)).unwrap_or_default();
                // Writing to a string does not fail.
                if writeln!(text, "{} {file}: {}", task.path().display(), content.trim()).is_err() {
                    break;
                }
            }
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It is gone already, or there is nothing left to try.
            let killed = self.child.kill().and_then(|()| self.child.wait());
            drop(killed);
        }
    }
}

fn command(start: &Start<'_>) -> Command {
    let Some(bytes) = start.file_bytes_max else {
        let mut command = Command::new(start.program);
        command.args(&start.arguments);
        return command;
    };
    // The signal of a file that is too large is ignored, so that the write fails. Blocks of the limit have 512 bytes.
    let script = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
        bytes / 512
    );
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .arg(start.program)
        .args(&start.arguments);
    command
}

/// Reads lines until the pipe is closed. A line without an end was cut off by the death of the child, and was never said.
fn listen(stdout: ChildStdout, heard: &Sender<Result<Line, String>>) {
    let mut stdout = BufReader::with_capacity(1 << 16, stdout);
    let mut line = String::new();
    while matches!(stdout.read_line(&mut line), Ok(1..)) {
        let Some(whole) = line.strip_suffix('\n') else {
            return;
        };
        let parsed = whole.parse().map_err(|Garbled| whole.to_owned());
        if heard.send(parsed).is_err() {
            return;
        }
        line.clear();
    }
}
