//! One process: what it was fed, what it acknowledged, how it ended.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::work::Work;

/// No life lasts longer; whoever does hangs.
const SECONDS_MAX: u64 = 600;

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
        Self::lived(command, work, from, |_| {})
    }

    /// The same from the first record on, but that `signal` is sent when the first piece is acknowledged and the second on its way.
    pub(crate) fn interrupted(command: Command, work: &Work, signal: &str) -> Self {
        let mut sent = false;
        Self::lived(command, work, 0, |process| {
            if sent {
                kill(&process.to_string(), signal);
            }
            sent = true;
        })
    }

    /// Calls `fed` with the number of the process after each piece was written.
    fn lived(mut command: Command, work: &Work, from: usize, mut fed: impl FnMut(u32)) -> Self {
        command.stdin(Stdio::piped());
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
        let acknowledged = Vec::new();
        let mut told = Told {
            work,
            from,
            acknowledged,
        };
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
                fed(child.id());
                if !answered(&answers, &mut told, piece.end) {
                    break;
                }
            }
        }
        let status = child.wait().unwrap();
        reading.join().unwrap();
        while let Ok(line) = answers.try_recv() {
            told.take(&line);
        }
        let stderr = complaining.join().unwrap();
        drop(alive.0);
        assert!(!alive.1.join().unwrap(), "it hangs: {stderr}");
        Self {
            status,
            acknowledged: told.acknowledged,
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

/// Starts it with pipes for what it says, in a process group of its own.
pub(crate) fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped()).process_group(0);
    command.spawn().unwrap()
}

/// Kills the group of `child` if it is still there when its time is over; gives whether that was so.
pub(crate) fn watch(child: &Child) -> (mpsc::Sender<()>, thread::JoinHandle<bool>) {
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

pub(crate) fn read_all(mut from: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    drop(from.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes answers until the records before `end` are acknowledged; false if the process ends before.
fn answered(answers: &Receiver<String>, told: &mut Told<'_>, end: usize) -> bool {
    while told.acknowledged.last().is_none_or(|last| last + 1 < end) {
        match answers.recv() {
            Ok(line) => told.take(&line),
            Err(_) => return false,
        }
    }
    true
}

/// What a process has told of the records that it was fed.
struct Told<'a> {
    work: &'a Work,
    /// The record in its first line.
    from: usize,
    acknowledged: Vec<usize>,
}

impl Told<'_> {
    /// Takes a line of the answer, which is an acknowledgement, or the summary, or incomplete.
    fn take(&mut self, line: &str) {
        let Ok(told) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let Some(status) = told.get("status") else {
            return;
        };
        assert_ne!(status, "rejected", "{line}");
        let number = usize::try_from(told["line"].as_u64().unwrap()).unwrap();
        let at = self.from + number - 1;
        assert_eq!(told["id"], self.work.ids[at].to_string(), "{line}");
        self.acknowledged.push(at);
    }
}
