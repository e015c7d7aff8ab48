//! A store whose engine hangs in a system call: whoever waits for it gets an answer that says what to do, and nothing is lost.
//!
//! No switch of ours makes an engine hang: strace holds up its calls on one file of the store, in a child process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{park_timeout, spawn};
use std::time::Duration;

use stemedb::{Database, EngineOperation, Error, ErrorKind, Health, Record, Sequence};
use stemedb_testkit::skip::can_trace;

use crate::support::{Place, exported, numbered, refused};

/// Tells the child where the database is.
const DIRECTORY: &str = "STEMEDB_STALL_DIRECTORY";
/// How a line begins that the child has for its parent.
const ANSWER: &str = "= ";
/// How the line begins that says that the test in the child went well.
const ENDED: &str = "test result: ok. 1 passed";
/// For how long the engine hangs: far longer than anybody waits.
const DELAY_US: u64 = 600_000_000;
/// Longest that the child may take for one step before it counts as hanging.
const STEP_MAX: Duration = Duration::from_mins(5);
/// The child's patience: longer than a busy disk takes for what does not hang.
const STALL_FAILURE: Duration = Duration::from_secs(10);
/// Where fjall appends what is committed.
const JOURNAL: &str = "db/fjall/0.jnl";

/// A process with a database, of which `call` on the journal of fjall does not return.
struct Patient {
    strace: Child,
    answers: Receiver<String>,
}

impl Patient {
    fn start(database: &Path, test: &str, call: &str) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "-P"]);
        strace.arg(database.join(JOURNAL));
        strace.args(["-e", &format!("trace={call}")]);
        strace.args(["-e", &format!("inject={call}:delay_enter={DELAY_US}")]);
        strace.arg(std::env::current_exe().unwrap());
        strace.args(["--exact", test, "--nocapture"]);
        strace.env(DIRECTORY, database).stdout(Stdio::piped());
        let mut strace = strace.spawn().unwrap();
        let stdout = BufReader::new(strace.stdout.take().unwrap());
        let (sender, answers) = channel();
        spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let answer = line.strip_prefix(ANSWER);
                let ended = || line.starts_with(ENDED).then_some(ENDED);
                if let Some(answer) = answer.or_else(ended) {
                    drop(sender.send(answer.to_owned()));
                }
            }
        });
        Self { strace, answers }
    }

    #[track_caller]
    fn says(&self, expected: &str) {
        let answer = self.answers.recv_timeout(STEP_MAX);
        assert_eq!(answer.as_deref(), Ok(expected));
    }

    /// The test in the child ends well, and so does its process once nothing holds it up: strace keeps a thread that it delays, also
    /// from the end of its process.
    fn expect_end(mut self) {
        self.says(ENDED);
        self.strace.kill().unwrap();
        let end = self.answers.recv_timeout(STEP_MAX);
        assert_eq!(end, Err(RecvTimeoutError::Disconnected));
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        // Without strace nothing is held up any more, and the child ends by itself.
        drop(self.strace.kill());
        drop(self.strace.wait());
    }
}

/// The child's database, with little patience; `None` in the parent.
fn database() -> Option<Database> {
    let directory = std::env::var_os(DIRECTORY)?;
    let builder = Database::builder()
        .stall_warning_after(Duration::from_millis(20))
        .stall_failure_after(STALL_FAILURE);
    Some(builder.open(directory).unwrap())
}

fn tell(what: &str) {
    println!("\n{ANSWER}{what}");
}

/// The error says why, and what to do.
#[track_caller]
fn expect_stall(error: &Error, operation: &str) {
    let cause = std::error::Error::source(error).unwrap().to_string();
    let seconds = STALL_FAILURE.as_secs();
    let expected = format!("{operation} of engine fjall has not returned for {seconds}.");
    assert!(cause.starts_with(&expected), "{cause}");
    let advice = error.advice().expect("advice");
    assert!(advice.starts_with("restart the process"), "{advice}");
}

fn records(count: u64) -> Vec<Record> {
    (0..count).map(numbered).collect()
}

/// Two records of which one is applied, and a child in which `call` hangs.
fn with_hanging(call: &str, test: &str, steps: &[&str]) {
    if !can_trace() {
        return;
    }
    let place = Place::new();
    let database = place.database();
    database.add(numbered(0)).unwrap();
    database.close().unwrap();
    let patient = Patient::start(&place.path(), test, call);
    for step in steps {
        patient.says(step);
    }
    patient.expect_end();

    // What is advised: it is opened again by another process.
    let database = Database::open(place.path()).unwrap();
    let found: Vec<_> = exported(&database)
        .into_iter()
        .map(|stored| stored.record)
        .collect();
    assert_eq!(found, records(2));
    assert!(matches!(database.health(), Health::Good));
    database.close().unwrap();
}

#[test]
fn a_commit_that_hangs_is_told_of_and_ends_the_waiting() {
    const CHILD: &str = "stall::child_whose_commit_hangs";
    let steps = ["acknowledged", "stalled", "given up", "refused", "closed"];
    with_hanging("write", CHILD, &steps);
}

#[test]
fn child_whose_commit_hangs() {
    let Some(database) = database() else { return };
    let receipt = database.add(numbered(1)).unwrap();
    tell("acknowledged");
    let stall = loop {
        match database.health() {
            Health::Stalled(stall) => break stall,
            Health::Good => park_timeout(Duration::from_millis(5)),
            other => panic!("it did not stall, but {other:?}"),
        }
    };
    assert_eq!(
        (stall.engine, stall.operation),
        ("fjall", EngineOperation::Commit)
    );
    assert_eq!(stall.pending_flushes, Some(0));
    assert!(stall.text.contains("commit of engine fjall"), "{stall:?}");
    let store = database.stats().unwrap().store;
    assert!(store.stall.is_some_and(|now| now.waited >= stall.waited));
    // What is applied can be read meanwhile.
    assert_eq!(database.view().unwrap().counts().assertions, 1);
    tell("stalled");

    let error = refused(
        database.wait_applied(receipt.sequence).wait(),
        ErrorKind::Closed,
    );
    expect_stall(&error, "commit");
    database.wait_applied(Sequence::FIRST).wait().unwrap();
    let Health::NotApplying(error) = database.health() else {
        panic!("{:?}", database.health())
    };
    expect_stall(&error, "commit");
    tell("given up");

    let error = refused(database.add(numbered(2)), ErrorKind::Closed);
    expect_stall(&error, "commit");
    tell("refused");
    let error = refused(database.close(), ErrorKind::Closed);
    expect_stall(&error, "commit");
    tell("closed");
}

#[test]
fn a_close_whose_checkpoint_hangs_ends() {
    const CHILD: &str = "stall::child_whose_checkpoint_hangs";
    with_hanging("fdatasync", CHILD, &["applied", "closed"]);
}

#[test]
fn child_whose_checkpoint_hangs() {
    let Some(database) = database() else { return };
    let receipt = database.add(numbered(1)).unwrap();
    database.wait_applied(receipt.sequence).wait().unwrap();
    tell("applied");
    let error = refused(database.close(), ErrorKind::Closed);
    expect_stall(&error, "sync");
    tell("closed");
}
