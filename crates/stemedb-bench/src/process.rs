//! Processes that are started here: they are ended with the run, however it ends.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::clock;
use crate::failure::{Doing, Failure, Result};
use crate::machine::memory_mb;

/// The processes that are running.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// How often the memory of a process is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(20);

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends whatever is still running.
pub(crate) fn kill_all() {
    for process in running().drain(..) {
        // It may have ended by itself.
        drop(
            Command::new("kill")
                .args(["-KILL", &process.to_string()])
                .status(),
        );
    }
}

/// Runs a command to its end.
///
/// # Errors
///
/// If it cannot be started or waited for.
pub(crate) fn status(command: &mut Command) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    running().push(child.id());
    let status = child.wait();
    running().retain(|process| *process != child.id());
    status
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
}

/// How a process ended that was watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// From its start to its end.
    pub(crate) time: Duration,
    /// The most memory that it ever had.
    pub(crate) peak_mb: f64,
}

impl Process {
    /// Starts a command whose output is read here.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = child.doing(format!("start {name}"))?;
        running().push(child.id());
        Ok(Self { child, name })
    }

    /// This program again, with another task.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub(crate) fn task(name: &str, directory: &Path, arguments: &[String]) -> Result<Self> {
        let program = std::env::current_exe().doing("find this program")?;
        let mut command = Command::new(program);
        command
            .args(["task", name, "--directory"])
            .arg(directory)
            .args(arguments);
        Self::start(&mut command)
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to end, and waits until it has; what takes longer than `limit` is killed.
    ///
    /// # Errors
    ///
    /// If it ends badly, or not in time.
    pub(crate) fn end(mut self, limit: Duration) -> Result<()> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        told.doing(format!("tell {} to end", self.name))?;
        let start = clock::now();
        while self.child.try_wait().doing("wait for a process")?.is_none() {
            if start.elapsed() > limit {
                return Err(Failure::new(format!("end {} in time", self.name)));
            }
            clock::pause(WATCH_EVERY);
        }
        self.ended()
    }

    /// Waits for a line of its output.
    ///
    /// # Errors
    ///
    /// If it ends before.
    pub(crate) fn line(&mut self) -> Result<String> {
        let output = self
            .child
            .stdout
            .as_mut()
            .doing("read the output of a process")?;
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        read.doing(format!("read what {} says", self.name))?;
        if line.is_empty() {
            return Err(Failure::new(format!("hear of {}: it has ended", self.name)));
        }
        Ok(line)
    }

    /// Waits for the figures that it gives in its one line of output.
    ///
    /// # Errors
    ///
    /// If it gives none.
    pub(crate) fn figures<T: DeserializeOwned>(mut self) -> Result<T> {
        let line = self.line()?;
        let figures = serde_json::from_str(&line).doing("read the figures of a process")?;
        self.ended()?;
        Ok(figures)
    }

    /// Waits for its end, and watches its memory until then.
    ///
    /// # Errors
    ///
    /// If it ends badly.
    pub(crate) fn watched(mut self) -> Result<Ended> {
        let start = clock::now();
        // What it says is of no interest, but it must not wait for somebody to read it.
        let output = self.child.stdout.take();
        let drain = std::thread::spawn(move || {
            output.map(|mut output| io::copy(&mut output, &mut io::sink()))
        });
        let mut peak_mb: f64 = 0.0;
        while self.child.try_wait().doing("wait for a process")?.is_none() {
            peak_mb = peak_mb.max(memory_mb(self.child.id(), "VmHWM").unwrap_or(0.0));
            clock::pause(WATCH_EVERY.min(start.elapsed() / 100));
        }
        let time = start.elapsed();
        drop(drain.join());
        self.ended()?;
        Ok(Ended { time, peak_mb })
    }

    fn ended(&mut self) -> Result<()> {
        let status = self.child.wait().doing(format!("wait for {}", self.name))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "run {}: it ended with {status}",
            self.name
        )))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id();
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        running().retain(|process| *process != id);
    }
}
