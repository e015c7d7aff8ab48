//! Two processes, one database: the second is told who has it, at once, and touches nothing.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::SystemTime,
};

use super::{
    super::support::{Home, claims},
    check::DIRECTORY,
    life::{INGEST, kill},
};

const MARKER: &str = "stemedb-data/stemedb.marker";

/// A process that has the database open, and waits for more. Dropping it kills it, also where it is held up.
struct Holder {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Holder {
    /// It has acknowledged some records.
    fn of(home: &Home) -> Self {
        let mut command = home.command(INGEST);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut holder = Self { child, answers };
        holder.takes(&claims(3));
        holder
    }

    fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// It acknowledges `lines`.
    fn takes(&mut self, lines: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(lines.as_bytes()).unwrap();
        for _ in lines.lines() {
            let mut answer = String::new();
            self.answers.read_line(&mut answer).unwrap();
            assert!(answer.contains("\"status\":\""), "{answer:?}");
        }
    }

    /// Holds it up: whoever waits for it waits for ever.
    fn stop(&self) {
        kill(&self.id(), "STOP");
        let state = format!("/proc/{}/stat", self.id());
        while !fs::read_to_string(&state).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
    }

    fn go_on(&self) {
        kill(&self.id(), "CONT");
    }

    /// It comes to its end.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn die(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// All below a directory: what is in each file, and when it was changed.
fn state(home: &Home) -> Vec<(PathBuf, String, SystemTime)> {
    let files = home.files(DIRECTORY);
    let changed = |path: &Path| path.metadata().unwrap().modified().unwrap();
    let mut all: Vec<_> = files
        .into_iter()
        .map(|(path, hash)| (path.clone(), hash, changed(&path)))
        .collect();
    for name in ["", "/wal", "/wal/pid", "/db", "/db/fjall"] {
        let path = home.path(&format!("{DIRECTORY}{name}"));
        all.push((path.clone(), String::new(), changed(&path)));
    }
    all
}

#[test]
fn a_second_process_is_told_who_has_it_at_once_and_touches_nothing() {
    let home = Home::new();
    let mut holder = Holder::of(&home);
    holder.stop();
    let before = state(&home);
    home.write("x", claims(9));
    for args in [
        &["ingest", "x"][..],
        &["stats"],
        &["subjects"],
        &["export"],
        &["verify"],
        &["rebuild"],
        &["init"],
    ] {
        home.run(args)
            .failed(4, &["in use by process", &holder.id()]);
    }
    assert!(state(&home) == before, "a file was touched");
    holder.go_on();
    holder.takes(&claims(9)[claims(3).len()..]);
    holder.end();
    let ids = home.run(["export", "--ids"]).fine().stdout;
    assert_eq!(ids.lines().count(), 9);
}

#[test]
fn a_lock_of_a_killed_process_holds_nobody_up() {
    let home = Home::new();
    let holder = Holder::of(&home);
    let id = holder.id();
    holder.die();
    assert_eq!(
        home.read("stemedb-data/wal/pid").trim(),
        id,
        "it is still noted"
    );
    assert_eq!(
        home.run(["export", "--ids"]).fine().stdout.lines().count(),
        3
    );
}

#[test]
fn no_trick_with_the_files_lets_a_second_process_write() {
    let home = Home::new();
    let mut holder = Holder::of(&home);
    home.write("x", claims(9));
    // The note of who it is counts for nothing.
    fs::remove_file(home.path("stemedb-data/wal/pid")).unwrap();
    home.run(["ingest", "x"]).failed(4, &["in use"]);
    home.write("stemedb-data/wal/pid", "1\n");
    home.run(["ingest", "x"]).failed(4, &["in use"]);
    // Another name of the directory is the same directory.
    fs::rename(home.path(DIRECTORY), home.path("moved")).unwrap();
    home.run(["--dir", "moved", "ingest", "x"])
        .failed(4, &["in use"]);
    fs::rename(home.path("moved"), home.path(DIRECTORY)).unwrap();
    // Another directory of that name is no journal of this database.
    fs::rename(home.path("stemedb-data/wal"), home.path("aside")).unwrap();
    home.run(["ingest", "x"])
        .failed(5, &["journal of this database is missing"]);
    fs::create_dir(home.path("stemedb-data/wal")).unwrap();
    home.run(["ingest", "x"])
        .failed(5, &["journal of this database is missing"]);
    fs::remove_dir_all(home.path("stemedb-data/wal")).unwrap();
    fs::rename(home.path("aside"), home.path("stemedb-data/wal")).unwrap();
    assert!(home.path(MARKER).exists());
    holder.takes(&claims(9)[claims(3).len()..]);
    holder.end();
    let ids = home.run(["export", "--ids"]).fine().stdout;
    assert_eq!(ids.lines().count(), 9);
    home.run(["verify"]).fine();
}

/// What a child process would inherit is what is not closed on exec.
#[test]
fn no_file_of_the_database_would_be_inherited() {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;

    let home = Home::new();
    let holder = Holder::of(&home);
    let process = PathBuf::from(format!("/proc/{}", holder.id()));
    if !process.join("fdinfo").is_dir() {
        super::super::support::say_skipped("there is no /proc with descriptors");
        return;
    }
    let mut looked_at = 0;
    for entry in fs::read_dir(process.join("fd")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(target) = fs::read_link(&path) else {
            continue;
        };
        if !target.starts_with(home.path(DIRECTORY).canonicalize().unwrap()) {
            continue;
        }
        let info = process.join("fdinfo").join(path.file_name().unwrap());
        let info = fs::read_to_string(info).unwrap();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_ne!(
            flags & CLOSE_ON_EXEC,
            0,
            "{} would be inherited",
            target.display()
        );
        looked_at += 1;
    }
    assert!(looked_at > 3, "{looked_at} files are open");
    holder.end();
}
