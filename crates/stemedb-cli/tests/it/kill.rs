//! kill -9 at random moments: what was reported is there, and the same command goes on.

use std::{collections::HashSet, process::Stdio, time::Instant};

use super::support::{Home, Moments, claims, reported};

/// Kills the ingest of `input` `count` times; then lets it end.
fn kill_often(input: &str, count: usize) {
    let undisturbed = Home::new();
    let started = Instant::now();
    undisturbed.run(["ingest", input]).fine();
    let whole = started.elapsed();
    let expected = undisturbed.run(["export"]).fine().stdout;

    let home = Home::new();
    let mut moments = Moments::new();
    let (mut interrupted, mut kept) = (0, 0);
    for _ in 0..count {
        let args = ["ingest", input, "--results", "results"];
        let mut child = home
            .command(args)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moments.next(whole.mul_f64(0.7)));
        child.kill().unwrap();
        interrupted += usize::from(!child.wait().unwrap().success());
        // It may have died before it had a database.
        if !home.path("stemedb-data/stemedb.marker").exists() {
            continue;
        }
        let ids = home.run(["export", "--ids"]).fine().stdout;
        let ids: HashSet<_> = ids.lines().collect();
        let results = if home.path("results").exists() {
            home.read("results")
        } else {
            String::new()
        };
        for id in reported(&results) {
            assert!(
                ids.contains(id.as_str()),
                "{id} was reported and is not there"
            );
            kept += 1;
        }
        std::fs::write(home.path("results"), "").unwrap();
    }
    eprintln!("{interrupted} of {count} runs were killed; {kept} reported records were looked for");
    assert!(interrupted > 0, "no run was interrupted");
    home.run(["ingest", input]).fine();
    assert!(
        home.run(["export"]).fine().stdout == expected,
        "the export differs"
    );
    home.run(["verify"]).fine();
}

#[test]
fn what_was_reported_survives_a_kill_and_the_same_command_goes_on() {
    let home = Home::new();
    home.write("x.ndjson", claims(60_000));
    kill_often(&home.path("x.ndjson").display().to_string(), 8);
}
