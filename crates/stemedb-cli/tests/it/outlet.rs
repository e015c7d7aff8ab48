//! Results and rejects never cost a file that is needed.

use std::fs;

use super::support::{Home, claims};

/// Runs an ingest that has to be refused with `words`; nothing in the whole home may change.
#[track_caller]
fn refused(home: &Home, args: &[&str], words: &[&str]) {
    let before = home.files("");
    home.run(["ingest"].iter().chain(args)).failed(2, words);
    assert_eq!(home.files(""), before);
}

#[test]
fn an_input_is_never_written_over() {
    let home = Home::new();
    home.write("same", claims(3));
    home.write("other", claims(3));
    fs::create_dir(home.path("sub")).unwrap();
    for flag in ["--results", "--rejects"] {
        let words = [flag, "is the input same too"];
        refused(&home, &["same", flag, "same"], &words);
        refused(&home, &["other", "same", flag, "sub/../same"], &words);
    }
    assert!(!home.path("stemedb-data").exists());
}

#[cfg(unix)]
#[test]
fn links_to_an_input_are_the_input() {
    let home = Home::new();
    home.write("same", claims(3));
    std::os::unix::fs::symlink("same", home.path("soft")).unwrap();
    fs::hard_link(home.path("same"), home.path("hard")).unwrap();
    for link in ["soft", "hard"] {
        refused(&home, &["same", "--results", link], &["is the input"]);
        refused(&home, &[link, "--rejects", "same"], &["is the input"]);
    }
    let mut command = home.command(["ingest", "-", "--results", "same"]);
    let input = fs::File::open(home.path("same")).unwrap();
    let output = command.stdin(input).output().unwrap();
    if std::path::Path::new("/dev/stdin").exists() {
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(home.read("same"), claims(3));
    }
}

#[test]
fn the_database_is_never_written_over() {
    let home = Home::with(&claims(3));
    home.write("x", claims(5));
    for name in [
        "stemedb-data/wal/0000000000000001.wal",
        "stemedb-data/db/redb",
        "stemedb-data/stemedb.marker",
        "stemedb-data/new",
        "./stemedb-data/../stemedb-data/new",
    ] {
        for flag in ["--results", "--rejects"] {
            refused(&home, &["x", flag, name], &[flag, "inside the database"]);
        }
    }
    home.run(["verify"]).fine();
}

#[cfg(unix)]
#[test]
fn links_into_the_database_are_seen_through() {
    let home = Home::with(&claims(3));
    home.write("x", claims(5));
    std::os::unix::fs::symlink("stemedb-data", home.path("dir")).unwrap();
    for name in ["dir/stemedb.marker", "dir/none/new"] {
        let words = ["inside the database"];
        refused(&home, &["x", "--results", name], &words);
    }
    let args = ["--dir", "dir", "x", "--results", "stemedb-data/new"];
    refused(&home, &args, &["inside the database"]);
    std::os::unix::fs::symlink("dir/wal/new", home.path("dangling")).unwrap();
    home.run(["ingest", "x", "--results", "dangling"])
        .failed(2, &["inside the database"]);
    assert!(!home.path("stemedb-data/wal/new").exists());
}

#[test]
fn a_database_that_is_still_to_come_is_protected_too() {
    let home = Home::new();
    home.write("x", claims(5));
    let args = ["x", "--results", "stemedb-data/r"];
    refused(&home, &args, &["inside the database"]);
    assert!(!home.path("stemedb-data").exists());
}

#[test]
fn results_and_rejects_are_two_files() {
    let home = Home::new();
    home.write("x", "nonsense\n");
    let words = ["--rejects ./r: is the file of --results too"];
    refused(&home, &["x", "--results", "r", "--rejects", "./r"], &words);
    home.write("r", "mine");
    refused(&home, &["x", "--results", "r", "--rejects", "./r"], &words);
    if std::path::Path::new("/dev/null").exists() {
        let null = "/dev/null";
        home.run(["ingest", "x", "--results", null, "--rejects", null])
            .ended(1);
    }
}

#[test]
fn what_is_refused_has_begun_no_file_anew() {
    let home = Home::new();
    home.write("x", claims(3));
    home.write("r", "of another run");
    fs::create_dir(home.path("stemedb-data")).unwrap();
    home.write("stemedb-data/notes.txt", "mine");
    home.run(["ingest", "x", "--results", "r", "--rejects", "j"])
        .failed(3, &["holds other files"]);
    assert_eq!(home.read("r"), "of another run");
    assert!(!home.path("j").exists());
}
