//! The soak for a few seconds: it does what it says. The long one is a command of its own.

use std::process::Command;

/// The number before `name` in the last report.
fn count(said: &str, name: &str) -> u64 {
    let report = said.lines().rev().find(|line| line.contains(" lives, "));
    let mut words = report
        .unwrap_or_default()
        .split([' ', ',', '('])
        .filter(|word| !word.is_empty());
    let mut before = "";
    let found = words.find(|word| {
        *word == name || {
            before = word;
            false
        }
    });
    assert!(found.is_some(), "no {name} in {said}");
    before.parse().unwrap()
}

/// Soaks for so many minutes; gives what was said, if it was clean.
fn soak(minutes: f64) -> String {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_stemedb-testkit"))
        .args(["soak", "--minutes", &minutes.to_string(), "--seed", "3"])
        .arg("--directory")
        .arg(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    eprintln!("{said}");
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.ends_with("clean\n"), "{said}");
    said
}

#[test]
fn a_short_soak_kills_restarts_checks_and_is_clean() {
    let everything = |said: &str| {
        let done = ["kills", "acknowledged", "reads", "checks", "records"];
        done.iter().all(|name| count(said, name) > 0) && count(said, "lives") > 1
    };
    // On a busy machine ten seconds are not enough for everything.
    let mut minutes = [0.15, 0.5, 2.0].into_iter();
    assert!(minutes.any(|minutes| everything(&soak(minutes))));
}
