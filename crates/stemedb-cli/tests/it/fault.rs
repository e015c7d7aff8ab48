//! A failing fsync: the command fails, and nothing that it reported is missing.

use std::{collections::HashSet, process::Command};

use super::{
    support::{Home, can_trace, claims, errors, long_tests, reported},
    torture::trace::{Effect, Fault},
};

/// Runs the program with `args` in `home`, with an error from the `nth` call of `call` by each thread; gives its exit code and its answer.
fn run_with_failing(
    home: &Home,
    (call, nth): (&'static str, usize),
    error: &'static str,
    args: &[&str],
) -> (Option<i32>, String) {
    let fault = Fault {
        call,
        nth,
        effect: Effect::Error(error),
        files: &[],
    };
    let output = fault.command(home, args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert!(stderr.contains("error: "), "{stderr}");
    }
    assert!(!stderr.contains("internal failure"), "{stderr}");
    let answer = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), answer)
}

#[test]
fn after_a_failed_fsync_the_command_fails_and_what_it_reported_is_there() {
    if !can_trace() {
        return;
    }
    let (mut failed, mut looked_for) = (0, 0);
    for (call, calls) in [("fdatasync", 2..=4), ("fsync", 3..=4)] {
        for nth in calls {
            let home = Home::new();
            // Creating a database syncs too, and is not what is to fail here.
            home.run(["init"]).fine();
            home.write("x.ndjson", claims(40_000));
            let args = ["ingest", "--json", "--results", "results", "x.ndjson"];
            let (code, answer) = run_with_failing(&home, (call, nth), "EIO", &args);
            failed += usize::from(code != Some(0));
            let results = home.path("results");
            let told = if results.exists() {
                reported(&home.read("results"))
            } else {
                Vec::new()
            };
            if told.is_empty() {
                continue;
            }
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["stored"], told.len(), "{call} {nth}: {answer}");
            let ids = ids(&home);
            let ids: HashSet<_> = ids.lines().collect();
            looked_for += told.len();
            for id in told {
                assert!(
                    ids.contains(id.as_str()),
                    "{call} {nth}: {id} was reported and is not there"
                );
            }
        }
    }
    assert!(failed > 0, "no failure was injected");
    assert!(looked_for > 0, "every failure came before the first report");
}

/// The ids that are stored; where the fsync that failed was the store's, it asks to be built anew first.
fn ids(home: &Home) -> String {
    let export = home.run(["export", "--ids"]);
    if export.code == 0 {
        return export.stdout;
    }
    let said = errors(&export.stderr).concat();
    assert!(said.contains("`stemedb rebuild`"), "{}", export.stderr);
    home.run(["rebuild"]).fine();
    home.run(["export", "--ids"]).fine().stdout
}

/// The program waits for an engine for a minute; strace holds the engine up for longer than that.
#[test]
fn an_engine_that_hangs_ends_the_command_which_says_what_to_do() {
    if !long_tests() || !can_trace() {
        return;
    }
    let home = Home::new();
    home.run(["init"]).fine();
    home.write("x.ndjson", claims(1));
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "-P"]);
    strace.arg(home.path("stemedb-data/db/fjall/0.jnl"));
    strace.args(["-e", "trace=write"]);
    strace.args(["-e", "inject=write:delay_enter=90000000:when=1"]);
    strace.arg(env!("CARGO_BIN_EXE_stemedb")).arg("--dir");
    strace.arg(home.path("stemedb-data")).arg("ingest");
    let output = strace.arg(home.path("x.ndjson")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    let said = errors(&stderr)[0];
    assert!(
        said.contains("commit of engine fjall has not returned for 60."),
        "{said}"
    );
    assert!(said.contains("; restart the process"), "{said}");

    // The record was durable before the engine hung, and the next command has it.
    let ids = home.run(["export", "--ids"]).fine().stdout;
    assert_eq!(ids.lines().count(), 1);
    home.run(["verify"]).fine();
}

#[test]
fn a_salvage_that_failed_halfway_is_never_opened_as_a_database() {
    // A salvage that a full disk or a kill had ended left a journal with a part of the records, under the name of a whole one: the
    // program said that its creation was interrupted, and `stemedb init` made a database of it that nobody could tell from a whole one.
    if !can_trace() {
        return;
    }
    let home = Home::with(&claims(20_000));
    let whole = home.run(["export", "--ids"]).fine().stdout;
    let mut failed = 0;
    for (call, nth) in [("fdatasync", 2), ("fdatasync", 3), ("pwrite64", 2)] {
        let saved = format!("saved-{call}-{nth}");
        let args = ["journal", "salvage", &saved];
        let (code, _) = run_with_failing(&home, (call, nth), "ENOSPC", &args);
        failed += usize::from(code != Some(0));
        if home.run(["--dir", &saved, "init"]).code == 0 {
            let kept = home.run(["--dir", &saved, "export", "--ids"]).fine().stdout;
            assert_eq!(kept, whole, "{call} {nth}");
        }
    }
    assert!(failed > 0, "nothing failed");
}
