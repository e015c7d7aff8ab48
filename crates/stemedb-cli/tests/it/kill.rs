//! kill -9 at random moments: what was reported is there, and the same command goes on.

use std::{collections::HashSet, process::Stdio, thread::park_timeout, time::Duration};

use super::support::{Home, Moments, claims, reported};

/// How much of the results there is.
fn bytes_reported(home: &Home) -> u64 {
    let results = home.path("results").metadata();
    results.map_or(0, |results| results.len())
}

/// Kills the ingest of `input` `count` times; then lets it end.
fn kill_often(input: &str, count: usize) {
    let undisturbed = Home::new();
    let args = ["ingest", input, "--results", "results"];
    undisturbed.run(args).fine();
    let whole = bytes_reported(&undisturbed);
    let expected = undisturbed.run(["export"]).fine().stdout;

    let home = Home::new();
    let mut moments = Moments::new();
    let (mut interrupted, mut kept) = (0, 0);
    for _ in 0..count {
        let mut child = home
            .command(args)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // How far it is, and not how long it has been at it: the machine may be less busy than it was. The first part is the start.
        let parts = moments.below(8) as u64;
        while bytes_reported(&home) < whole / 10 * parts && child.try_wait().unwrap().is_none() {
            park_timeout(Duration::from_millis(1));
        }
        park_timeout(moments.next(Duration::from_millis(30)));
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
