//! Running tests on the copy, and what they say.

use std::fmt;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::tree::Tree;
use crate::clock;
use crate::failure::{Doing, Failure};

/// Building may wait for another build.
const BUILD_TIME_MAX: Duration = Duration::from_hours(1);
const TEST_TIME_MAX: Duration = Duration::from_mins(10);
/// Lines of the end of what was said that are kept.
const LINES_KEPT: usize = 30;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A test failed: its name, and how many did.
    Killed(String, usize),
    /// All tests passed.
    Survived,
    /// It does not compile.
    NotBuilt(String),
    /// The tests did not end in time, or the compiler did not.
    Hung(String),
    /// They ended badly, and no test had failed.
    Broken(String),
}

impl Verdict {
    /// Whether a test has noticed.
    pub(crate) const fn is_killed(&self) -> bool {
        matches!(self, Self::Killed(..))
    }

    /// Whether time ran out, which says nothing of the tests.
    pub(crate) const fn is_late(&self) -> bool {
        matches!(self, Self::Hung(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(test, 1) => write!(f, "killed by {test}"),
            Self::Killed(test, count) => write!(f, "killed by {test} and {} more", count - 1),
            Self::Survived => f.write_str("SURVIVED"),
            Self::NotBuilt(said) => write!(f, "DOES NOT COMPILE\n{said}"),
            Self::Hung(command) => write!(f, "NOT DONE IN TIME: cargo test {command}"),
            Self::Broken(said) => write!(f, "ENDS WITHOUT A FAILING TEST\n{said}"),
        }
    }
}

/// How a command has ended.
enum Ended {
    Fine,
    Badly(String),
    /// It was killed after its time.
    Late,
}

/// Runs one command after the other until a test fails.
///
/// # Errors
///
/// Where cargo cannot be run.
pub(crate) fn try_tests(tree: &Tree, tests: &[String]) -> Result<Verdict, Failure> {
    for test in tests {
        let arguments: Vec<&str> = test.split_whitespace().collect();
        let build = [&["--no-run"][..], &before_names(&arguments)].concat();
        match cargo_test(tree, &build, BUILD_TIME_MAX)? {
            Ended::Fine => {}
            Ended::Badly(said) => return Ok(Verdict::NotBuilt(last_lines(&said))),
            Ended::Late => return Ok(Verdict::Hung(build.join(" "))),
        }
        match cargo_test(tree, &arguments, TEST_TIME_MAX)? {
            Ended::Fine => {}
            Ended::Late => return Ok(Verdict::Hung(test.clone())),
            Ended::Badly(said) => return Ok(judge(&said)),
        }
    }
    Ok(Verdict::Survived)
}

/// The arguments without what is handed to the tests themselves.
fn before_names<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let ours = arguments.iter().take_while(|argument| **argument != "--");
    ours.copied().collect()
}

/// Finds the tests that failed in what `cargo test` said.
fn judge(said: &str) -> Verdict {
    let failed = |line: &str| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.trim_end_matches(" - should panic").to_owned())
    };
    let mut failed: Vec<_> = said.lines().filter_map(failed).collect();
    // Tests run side by side: the first to fail differs from run to run.
    failed.sort();
    match failed.first() {
        Some(first) => Verdict::Killed(first.clone(), failed.len()),
        None => Verdict::Broken(last_lines(said)),
    }
}

fn last_lines(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    let kept = lines.get(lines.len().saturating_sub(LINES_KEPT)..);
    kept.unwrap_or_default().join("\n")
}

fn cargo_test(tree: &Tree, arguments: &[&str], time_max: Duration) -> Result<Ended, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--locked"])
        .args(arguments)
        .current_dir(tree.path())
        .env("CARGO_TARGET_DIR", tree.build());
    run_in_time(&mut command, time_max)
}

/// Runs a command; what has not ended in time is killed with all that it has begun.
fn run_in_time(command: &mut Command, time_max: Duration) -> Result<Ended, Failure> {
    let program = command.get_program().to_owned();
    let program = Path::new(&program);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that the tests end with cargo.
        .process_group(0)
        .spawn()
        .doing("run", program)?;
    let (sender, said) = channel();
    listen(child.stdout.take(), &sender);
    listen(child.stderr.take(), &sender);
    drop(sender);
    let text = all_said(&said, time_max);
    if text.is_none() {
        kill_group(child.id())?;
    }
    let status = child.wait().doing("wait for", program)?;
    Ok(match text {
        None => Ended::Late,
        Some(_) if status.success() => Ended::Fine,
        Some(text) => Ended::Badly(text),
    })
}

/// Sends all that an output says, once it has ended.
fn listen(output: Option<impl Read + Send + 'static>, sender: &Sender<String>) {
    let sender = sender.clone();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is all there is.
        drop(output.map(|mut output| output.read_to_end(&mut bytes)));
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
}

fn kill_group(leader: u32) -> Result<(), Failure> {
    let kill = format!("kill -s KILL -- -{leader}");
    let shell = Path::new("sh");
    let output = Command::new(shell).args(["-c", &kill]).output();
    let output = output.doing("run", shell)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Program {
        program: kill,
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// What a command says until its outputs end, or nothing where they have not ended in time.
fn all_said(said: &Receiver<String>, time_max: Duration) -> Option<String> {
    let end = clock::now() + time_max;
    let mut text = String::new();
    loop {
        match said.recv_timeout(end.saturating_duration_since(clock::now())) {
            Ok(part) => text.push_str(&part),
            Err(RecvTimeoutError::Disconnected) => return Some(text),
            Err(RecvTimeoutError::Timeout) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::{Command, Ended, Verdict, all_said, judge, run_in_time};

    #[test]
    fn what_does_not_end_is_killed_with_its_children() {
        // A shell that does not know how a group is named left the tests running, and was waited for without end.
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]);
        let ended = run_in_time(&mut command, Duration::from_millis(50));
        assert!(matches!(ended.unwrap(), Ended::Late));
    }

    #[test]
    fn what_does_not_end_is_late() {
        let (sender, said) = channel();
        sender.send("a".to_owned()).unwrap();
        assert_eq!(all_said(&said, Duration::from_millis(1)), None);
        sender.send("b".to_owned()).unwrap();
        drop(sender);
        assert_eq!(all_said(&said, Duration::from_mins(1)).unwrap(), "b");
    }

    #[test]
    fn only_a_failing_test_kills() {
        let said = "test a::b ... ok\ntest c ... FAILED\ntest b::x ... FAILED\n";
        assert_eq!(judge(said), Verdict::Killed("b::x".to_owned(), 2));
        assert!(!judge("error: could not compile\n").is_killed());
        assert!(!judge("test a ... ok\nerror: test failed (signal: 6)\n").is_killed());
    }
}
