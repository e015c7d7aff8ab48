//! One process: what it was fed, what it acknowledged, how it ended.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::work::Work;

/// No life lasts longer; whoever does hangs.
const SECONDS_MAX: u64 = 60;

/// The arguments that make a process take lines from its input, and acknowledge each in its output.
pub(crate) const INGEST: [&str; 5] = ["ingest", "-", "--json", "--results", "/dev/stdout"];

/// How a process went.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) status: ExitStatus,
    /// Which records it acknowledged, as stored or as duplicates.
    pub(crate) acknowledged: Vec<usize>,
    pub(crate) stderr: String,
}

impl Life {
    /// Feeds the records of `work` from `from` on to a process, piece by piece, until it ends.
    ///
    /// # Panics
    ///
    /// Where it does not end in time, or acknowledges what it was not fed.
    pub(crate) fn of(command: Command, work: &Work, from: usize) -> Self {
        let mut child = start(command);
        let alive = watch(&child);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        let reading = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        let stderr = child.stderr.take().unwrap();
        let complaining = thread::spawn(move || read_all(stderr));
        let mut acknowledged = Vec::new();
        {
            let mut stdin = child.stdin.take().unwrap();
            for piece in &work.pieces {
                let piece = piece.start.max(from)..piece.end;
                if piece.is_empty() {
                    continue;
                }
                // It may be gone.
                if stdin
                    .write_all(work.lines[piece.clone()].concat().as_bytes())
                    .is_err()
                {
                    break;
                }
                if !answered(&answers, work, from, &piece, &mut acknowledged) {
                    break;
                }
            }
        }
        let status = child.wait().unwrap();
        reading.join().unwrap();
        while let Ok(line) = answers.try_recv() {
            acknowledged.extend(acknowledgement(&line, work, from));
        }
        let stderr = complaining.join().unwrap();
        drop(alive.0);
        assert!(!alive.1.join().unwrap(), "it hangs: {stderr}");
        Self {
            status,
            acknowledged,
            stderr,
        }
    }

    /// How many records are acknowledged, counted from the first of all.
    pub(crate) fn acknowledged_upto(&self) -> usize {
        self.acknowledged.iter().max().map_or(0, |last| last + 1)
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }
}

/// Starts it with pipes on all sides, in a process group of its own.
fn start(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).process_group(0);
    command.spawn().unwrap()
}

/// Kills the group of `child` if it is still there when its time is over; gives whether that was so.
fn watch(child: &Child) -> (mpsc::Sender<()>, thread::JoinHandle<bool>) {
    let (sender, over) = mpsc::channel::<()>();
    let group = format!("-{}", child.id());
    let watching = thread::spawn(move || {
        let hangs =
            over.recv_timeout(Duration::from_secs(SECONDS_MAX)) == Err(RecvTimeoutError::Timeout);
        if hangs {
            kill(&group, "KILL");
        }
        hangs
    });
    (sender, watching)
}

/// Sends a signal to a process, or to a group if its number is negative.
pub(crate) fn kill(process: &str, signal: &str) {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, "--", process]);
    drop(kill.stderr(Stdio::null()).status());
}

fn read_all(mut from: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    drop(from.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until all records of `piece` are acknowledged; false if the process ends before.
fn answered(
    answers: &Receiver<String>,
    work: &Work,
    from: usize,
    piece: &Range<usize>,
    acknowledged: &mut Vec<usize>,
) -> bool {
    while acknowledged.last().is_none_or(|last| last + 1 < piece.end) {
        match answers.recv() {
            Ok(line) => acknowledged.extend(acknowledgement(&line, work, from)),
            Err(_) => return false,
        }
    }
    true
}

/// The record that a line of the answer acknowledges; none if it is the summary, or incomplete.
fn acknowledgement(line: &str, work: &Work, from: usize) -> Option<usize> {
    let told: Value = serde_json::from_str(line).ok()?;
    let status = told.get("status")?;
    assert_ne!(status, "rejected", "{line}");
    let number = usize::try_from(told["line"].as_u64().unwrap()).unwrap();
    let at = from + number - 1;
    assert_eq!(told["id"], work.ids[at].to_string(), "{line}");
    Some(at)
}
