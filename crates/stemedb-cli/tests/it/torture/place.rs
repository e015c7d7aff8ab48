//! Odd places, and copies of a live database.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::symlink,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use super::{
    super::support::{Home, claims, say_skipped},
    check::DIRECTORY,
    life::{INGEST, read_all, start, watch},
    mount::Mount,
};

#[test]
fn a_file_system_that_is_read_only_is_unavailable_and_works_again() {
    let Some(mount) = Mount::tmpfs("size=128m") else {
        return;
    };
    let database = mount.database();
    let home = &mount.home;
    home.write("x", claims(9));
    mount.run(&["ingest", "-q", "x"]).fine();
    mount.remount("ro");
    for args in [&["ingest", "x"][..], &["stats"], &["export"]] {
        mount
            .run(args)
            .failed(4, &[&database, "Read-only file system"]);
    }
    let other = mount.path.join("other").display().to_string();
    home.run(["--dir", &other, "init"])
        .failed(4, &[&other, "Read-only file system"]);
    mount.remount("rw");
    mount.run(&["verify"]).fine();
    let ids = mount.run(&["export", "--ids"]).fine().stdout;
    assert_eq!(ids.lines().count(), 9);
}

#[test]
fn nothing_of_a_database_needs_to_be_executed() {
    let Some(mount) = Mount::tmpfs("size=128m,noexec") else {
        return;
    };
    mount.home.write("x", claims(9));
    mount.run(&["ingest", "-q", "x"]).fine();
    mount.run(&["verify"]).fine();
}

#[test]
fn a_link_to_a_database_is_the_database() {
    let home = Home::new();
    home.write("x", claims(9));
    fs::create_dir(home.path("real")).unwrap();
    symlink(home.path("real"), home.path("link")).unwrap();
    home.run(["--dir", "link", "ingest", "-q", "x"]).fine();
    home.run(["--dir", "real", "verify"]).fine();
    let run = home
        .run(["--dir", "real", "ingest", "--json", "x"])
        .fine()
        .json();
    assert_eq!(run["duplicates"], 9);
    symlink(home.path("nowhere"), home.path("dangling")).unwrap();
    home.run(["--dir", "dangling", "stats"])
        .failed(3, &["dangling"]);
}

#[test]
fn a_long_path_works_and_one_that_is_too_long_is_refused() {
    let home = Home::new();
    home.write("x", claims(9));
    let part = "p".repeat(100);
    let long = [part.as_str(); 5].join("/");
    home.run(["--dir", &long, "ingest", "-q", "x"]).fine();
    home.run(["--dir", &long, "verify"]).fine();
    let before = home.files("").len();
    for too_long in ["p".repeat(300), [part.as_str(); 50].join("/")] {
        home.run(["--dir", &too_long, "ingest", "x"])
            .failed(4, &["File name too long"]);
        let stats = home.run(["--dir", &too_long, "stats"]);
        assert!(
            [3, 4].contains(&stats.code),
            "{}: {}",
            stats.code,
            stats.stderr
        );
    }
    assert_eq!(home.files("").len(), before, "something was created");
}

/// Copies of a database, made while it takes records, hold at least what was acknowledged before, and are what it was at some time, or are
/// refused; then a rebuild makes them so.
#[test]
fn a_copy_of_a_live_database_is_a_prefix_or_is_refused() {
    let home = Home::new();
    let owed = copy_while_it_grows(&home);
    let all = home.run(["export", "--ids"]).fine().stdout;
    let (mut opened, mut refused) = (0, 0);
    for (copy, owed) in owed.into_iter().enumerate() {
        let dir = format!("copy-{copy}");
        let ids = home.run(["--dir", &dir, "export", "--ids"]);
        let ids = if ids.code == 0 {
            opened += 1;
            ids
        } else {
            ids.failed(5, &["`stemedb rebuild`"]);
            refused += 1;
            // It tells of records that the store had, and the journal has not.
            let rebuilt = home.run(["--dir", &dir, "rebuild"]);
            assert!([0, 1].contains(&rebuilt.code), "{}", rebuilt.stderr);
            home.run(["--dir", &dir, "export", "--ids"]).fine()
        };
        assert!(all.starts_with(&ids.stdout), "{dir} is no prefix");
        let held = ids.stdout.lines().count();
        assert!(held >= owed, "{dir} holds {held} records of {owed}");
        home.run(["--dir", &dir, "verify"]).fine();
        fs::remove_dir_all(home.path(&dir)).unwrap();
    }
    eprintln!("{opened} copies opened, {refused} were refused and rebuilt");
}

/// Has a process take records until copies of its database are made; gives how many were acknowledged before each of them was begun.
fn copy_while_it_grows(home: &Home) -> Vec<usize> {
    const COPIES: usize = 20;

    let mut command = home.command(INGEST);
    command.stdin(Stdio::piped());
    let mut child = start(command);
    let alive = watch(&child);
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (is_over, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let is_over = &is_over;
    let owed = thread::scope(|scope| {
        scope.spawn(move || {
            let lines = claims(400_000);
            for lines in lines.as_bytes().chunks(16 * 1024) {
                // It lasts as long as the copying.
                thread::sleep(Duration::from_millis(5));
                if is_over.load(Ordering::Relaxed) || stdin.write_all(lines).is_err() {
                    break;
                }
            }
            // The last line may be cut, which makes it a rejected one.
        });
        scope.spawn(|| {
            for line in stdout.lines().map_while(Result::ok) {
                let is_stored = line.contains(r#""status":"stored""#);
                acknowledged.fetch_add(usize::from(is_stored), Ordering::Relaxed);
            }
        });
        while acknowledged.load(Ordering::Relaxed) == 0 && !alive.1.is_finished() {
            thread::yield_now();
        }
        let copy = |number| {
            let owed = acknowledged.load(Ordering::Relaxed);
            copy_live(home, &format!("copy-{number}"));
            owed
        };
        let owed = (0..COPIES).map(copy).collect();
        is_over.store(true, Ordering::Relaxed);
        owed
    });
    let words = read_all(child.stderr.take().unwrap());
    let code = child.wait().unwrap().code();
    drop(alive.0);
    assert!(!alive.1.join().unwrap(), "it hangs: {words}");
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {words}");
    owed
}

/// Copies the database as it is, one file after the other. A file may go away meanwhile, which is no matter.
fn copy_live(home: &Home, name: &str) {
    let mut cp = Command::new("cp");
    cp.args(["-r", "--sparse=always"]);
    cp.args([home.path(DIRECTORY), home.path(name)]);
    cp.output().unwrap();
}

#[test]
fn a_pipe_in_place_of_a_file_is_refused_and_not_waited_for() {
    // Opening a pipe waits until somebody opens its other end: a database with one in it could neither be opened nor be interrupted.
    for name in ["wal/0000000000000002.wal", "stemedb.marker"] {
        let home = Home::with(&claims(3));
        let path = home.path("stemedb-data").join(name);
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        let made = Command::new("mkfifo").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            say_skipped("mkfifo does not work here");
            return;
        }
        home.run(["stats"]).failed(4, &[name, "not a regular file"]);
    }
}
