//! Runs the program in a directory of its own.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
pub(crate) use stemedb_testkit::skip::{can_trace, say, say_skipped};
use tempfile::TempDir;

/// A directory in which the program is run; it goes away at the end.
pub(crate) struct Home(TempDir);

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A home with a database that holds `lines`.
    pub(crate) fn with(lines: &str) -> Self {
        let home = Self::new();
        home.run_on(lines.as_bytes(), ["ingest", "-q", "-"]).fine();
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program, to be started here, without any setting from outside.
    pub(crate) fn command<I: IntoIterator<Item = impl AsRef<OsStr>>>(&self, args: I) -> Command {
        self.program(env!("CARGO_BIN_EXE_stemedb"), args)
    }

    /// Another program, to be started here, without any setting from outside.
    pub(crate) fn program<I: IntoIterator<Item = impl AsRef<OsStr>>>(
        &self,
        program: &str,
        args: I,
    ) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("STEMEDB_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.0.path()).args(args);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run<I: IntoIterator<Item = impl AsRef<OsStr>>>(&self, args: I) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    /// Runs it with `input` on standard input.
    pub(crate) fn run_on<I: IntoIterator<Item = impl AsRef<OsStr>>>(
        &self,
        input: &[u8],
        args: I,
    ) -> Run {
        let mut child = self.start(args);
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // It may end before it has read everything.
            scope.spawn(move || drop(stdin.write_all(input)));
            Run::of(child.wait_with_output().unwrap())
        })
    }

    /// Starts it with pipes on all sides.
    pub(crate) fn start<I: IntoIterator<Item = impl AsRef<OsStr>>>(&self, args: I) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Copies what `other` has at `name`, holes of files included.
    pub(crate) fn copy_from(&self, other: &Self, name: &str) {
        let mut copy = Command::new("cp");
        copy.args(["-a", "--sparse=always"]);
        let copied = copy.args([other.path(name), self.path(name)]).status();
        assert!(copied.unwrap().success());
    }

    /// Every file below `name` and the hash of what is in it, but for the note of who held the lock last.
    pub(crate) fn files(&self, name: &str) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        let mut directories = vec![self.path(name)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if !path.ends_with("wal/pid") {
                    let hash = blake3::hash(&fs::read(&path).unwrap());
                    files.push((path, hash.to_string()));
                }
            }
        }
        files.sort();
        files
    }
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It ended with `code`.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "stdout: {stdout}\nstderr: {stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn fine(self) -> Self {
        self.ended(0)
    }

    /// It failed with `code`, no answer, and one line that holds all of `words`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        let run = self.ended(code);
        assert_eq!(run.stdout, "");
        let error = run.error();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
        run
    }

    /// The one line that says what went wrong.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let errors = errors(&self.stderr);
        assert_eq!(errors.len(), 1, "{}", self.stderr);
        errors[0]
    }

    /// The one JSON document of the answer.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The JSON documents of the answer, one a line.
    #[track_caller]
    pub(crate) fn ndjson(&self) -> Vec<Value> {
        ndjson(&self.stdout)
    }
}

/// The lines that say what went wrong.
pub(crate) fn errors(stderr: &str) -> Vec<&str> {
    let lines = stderr.lines();
    lines.filter(|line| line.starts_with("error: ")).collect()
}

#[track_caller]
pub(crate) fn ndjson(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The ids that complete lines of the results say are stored.
pub(crate) fn reported(results: &str) -> Vec<String> {
    let complete = results.rfind('\n').map_or("", |end| &results[..end]);
    let lines = complete
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["status"] != "rejected")
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect()
}

/// One assertion a line: `count` of them about as many subjects.
pub(crate) fn claims(count: usize) -> String {
    let line = |at| {
        format!(
            r#"{{"type":"assertion","subject":"subject {at}","predicate":"size","object":{at},"agent":"agent:{}","source":"made up"}}"#,
            at % 7
        )
    };
    (0..count).map(|at| line(at) + "\n").collect()
}

/// The directory of the examples.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data")
}

/// The directory of all sets of real data, if it is there; says so if not.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if beside.is_dir() {
        return Some(beside);
    }
    say_skipped("../shared/data is not beside the checkout");
    None
}

/// Whether tests that take minutes are wanted; says so if not.
pub(crate) fn long_tests() -> bool {
    let wanted = std::env::var_os("STEMEDB_LONG_TESTS").is_some();
    if !wanted {
        say_skipped("takes minutes, set STEMEDB_LONG_TESTS=1 to run it");
    }
    wanted
}

/// A generator of moments that can be replayed: set `STEMEDB_TEST_SEED` to what a failure printed.
pub(crate) struct Moments(u64);

impl Moments {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let given = std::env::var("STEMEDB_TEST_SEED").ok();
        let seed = given.map_or(u64::from(now.subsec_nanos()), |seed| seed.parse().unwrap());
        say(&format!("STEMEDB_TEST_SEED={seed}"));
        Self(seed | 1)
    }

    /// A moment before `end`.
    pub(crate) fn next(&mut self, end: Duration) -> Duration {
        let parts = u32::try_from(self.random() >> 32).unwrap();
        end.mul_f64(f64::from(parts) / f64::from(u32::MAX))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        usize::try_from((self.random() >> 16) % end).unwrap()
    }

    fn random(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
