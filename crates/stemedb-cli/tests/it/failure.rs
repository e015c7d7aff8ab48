//! Every failure has one line, its exit code, and changes nothing.

use std::{fs, io::Read as _, process::Stdio};

use super::support::{Home, claims, say_skipped};

const READERS: [&[&str]; 6] = [
    &["stats"],
    &["subjects"],
    &["subject", "x"],
    &["export"],
    &["verify"],
    &["rebuild"],
];

#[test]
fn no_database_is_not_found_and_nothing_is_created() {
    let home = Home::new();
    for args in READERS {
        home.run(args).failed(3, &["stemedb-data", "stemedb init"]);
    }
    assert_eq!(home.files("").len(), 0);
}

#[test]
fn a_directory_that_is_no_database_is_left_alone() {
    let home = Home::new();
    fs::create_dir(home.path("stemedb-data")).unwrap();
    home.write("stemedb-data/notes.txt", "mine");
    let before = home.files("stemedb-data");
    for args in READERS {
        home.run(args).failed(3, &["stemedb-data"]);
    }
    home.run_on(b"", ["ingest", "-"])
        .failed(3, &["holds other files"]);
    home.run(["init"]).failed(3, &["holds other files"]);
    assert_eq!(home.files("stemedb-data"), before);
}

#[test]
fn a_newer_format_is_refused() {
    let home = Home::with(&claims(3));
    let marker = home.read("stemedb-data/stemedb.marker");
    home.write(
        "stemedb-data/stemedb.marker",
        marker.replace("format 1", "format 2"),
    );
    let before = home.files("stemedb-data");
    for args in READERS {
        home.run(args).failed(5, &["newer"]);
    }
    home.run_on(claims(9).as_bytes(), ["ingest", "-"])
        .failed(5, &["newer"]);
    assert_eq!(home.files("stemedb-data"), before);
}

#[test]
fn damage_is_refused_and_found_by_verify() {
    let home = Home::with(&claims(300));
    let path = home.path("stemedb-data/wal/0000000000000001.wal");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let before = home.files("stemedb-data/wal");
    home.run(["stats"])
        .failed(5, &["0000000000000001.wal", "salvage"]);
    let report = home.run(["verify", "--json"]).ended(1).json();
    assert_eq!(report["ok"], false);
    let problem = &report["problems"][0];
    assert!(
        problem["file"]
            .as_str()
            .unwrap()
            .ends_with("0000000000000001.wal"),
        "{problem}"
    );
    assert!(problem["offset"].is_u64(), "{problem}");
    assert!(home.run(["verify"]).ended(1).stdout.contains(": offset "));
    home.run(["journal", "info"]).ended(1);
    home.run(["journal", "salvage", "saved"]).ended(1);
    home.run(["--dir", "saved", "stats"]).fine();
    assert_eq!(home.files("stemedb-data/wal"), before);
}

#[test]
fn bad_usage_is_2() {
    let home = Home::new();
    for args in [
        &["nonsense"][..],
        &[],
        &["ingest"],
        &["get"],
        &["stats", "--nonsense"],
        &["init", "--store", "x"],
    ] {
        let run = home.run(args).ended(2);
        assert_eq!(run.stdout, "");
        assert_ne!(run.stderr, "");
    }
    for listing in [
        &["subject", "x"][..],
        &["subjects"],
        &["votes", "x"],
        &["epochs"],
        &["quarantine", "list"],
    ] {
        let run = home.run(listing.iter().chain(&["--limit", "0"])).ended(2);
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr.contains("'0'") && run.stderr.contains("1.."),
            "{}",
            run.stderr
        );
    }
    home.run(["ingest", "not-there"])
        .failed(2, &["not-there", "No such file"]);
    home.run(["ingest", "."]).failed(2, &[".: is a directory"]);
    assert_eq!(home.files("").len(), 0);
    home.run(["subject", ""]).failed(2, &["subject: is empty"]);
}

#[test]
fn bad_configuration_is_78() {
    let home = Home::new();
    home.write("stemedb.toml", "json = true\ndri = \"x\"\n");
    home.run(["config"])
        .failed(78, &["stemedb.toml:2: unknown field `dri`"]);
    home.run(["--config", "no.toml", "config"])
        .failed(78, &["no.toml"]);
    fs::remove_file(home.path("stemedb.toml")).unwrap();
    let mut command = home.command(["config"]);
    let output = command.env("STEMEDB_JSON", "maybe").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn bad_configuration_does_not_block_what_needs_none() {
    let home = Home::new();
    home.write("stemedb.toml", "nonsense");
    home.run(["completions", "bash"]).fine();
    home.run(["help", "ingest"]).fine();
    let made = home.run(["keygen", "my.key", "--json"]).fine().json();
    assert_eq!(made["file"], "my.key");
    for args in [&["config"][..], &["stats"], &["init"]] {
        home.run(args).failed(78, &["stemedb.toml:1"]);
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_refused() {
    let endless = "/dev/zero";
    if !std::path::Path::new(endless).exists() {
        say_skipped(&format!("there is no {endless}"));
        return;
    }
    let home = Home::new();
    home.run(["sign", "--key", endless])
        .failed(2, &[endless, "longer than 512 bytes"]);
    std::os::unix::fs::symlink(endless, home.path("stemedb.toml")).unwrap();
    home.run(["stats"])
        .failed(78, &["stemedb.toml", "longer than 1048576 bytes"]);
}

#[test]
fn a_full_device_for_the_answer_is_one_error() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        say_skipped("there is no /dev/full");
        return;
    };
    let home = Home::with(&claims(20_000));
    for args in [
        &["stats"][..],
        &["export"],
        &["subjects"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
        &["config"],
        &["store", "dump"],
        &["journal", "dump"],
    ] {
        let output = home
            .command(args)
            .stdout(full.try_clone().unwrap())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        assert!(
            stderr.starts_with("error: standard output: No space left"),
            "{args:?}: {stderr}"
        );
    }
    home.write("x", claims(30_000));
    let run = home
        .run(["ingest", "x", "--results", "/dev/full", "--json"])
        .ended(4);
    assert!(
        run.stderr.contains("error: /dev/full: No space left"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let home = Home::with(&claims(50_000));
    for args in [
        &["export"][..],
        &["subjects", "--json"],
        &["store", "dump"],
        &["journal", "dump"],
    ] {
        let mut child = home.start(args);
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
}

#[test]
fn closed_standard_error_is_no_panic() {
    let home = Home::new();
    let mut command = home.command(["stats"]);
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_unavailable() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    fs::create_dir(home.path("sealed")).unwrap();
    fs::set_permissions(home.path("sealed"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(home.path("sealed/probe"), "").is_ok() {
        say_skipped("this user may write to read-only directories");
        return;
    }
    home.run(["--dir", "sealed/db", "init"])
        .failed(4, &["sealed"]);
    home.run_on(b"", ["--dir", "sealed/db", "ingest", "-"])
        .failed(4, &["sealed"]);
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let home = Home::new();
    home.write("stemedb-data", "mine");
    let run = home.run(["init"]);
    assert!([3, 4].contains(&run.code), "{}", run.stderr);
    assert_eq!(home.read("stemedb-data"), "mine");
}
