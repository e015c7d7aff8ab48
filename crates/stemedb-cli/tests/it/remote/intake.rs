//! Records that are sent: as if they had been ingested there, whatever happens on the way.

use std::{
    io::Write as _,
    process::{Child, Stdio},
    thread::park_timeout,
    time::Duration,
};

use serde_json::Value;

use super::{Served, variety};
use crate::{
    serve::Server,
    support::{Home, Run, claims, examples},
};

/// After this long, what has not happened does not happen.
const PATIENCE: Duration = Duration::from_mins(2);

const LOOK: Duration = Duration::from_millis(2);

/// Waits until `is_so`.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    while !is_so() {
        assert!(waited < PATIENCE, "it does not happen");
        park_timeout(LOOK);
        waited += LOOK;
    }
}

/// How many lines the file has.
fn lines_of(home: &Home, name: &str) -> usize {
    let text = std::fs::read_to_string(home.path(name)).unwrap_or_default();
    text.matches('\n').count()
}

/// Records, duplicates, blank lines, and lines that are none.
fn mixed() -> String {
    let mut lines = String::from("\u{feff}");
    lines += &variety();
    lines += "\n  \nno record\n{\"type\":\"vote\"}\n\u{1b}[31m\n";
    lines += &claims(40);
    lines += &"x".repeat(5 << 20);
    lines += "\n";
    lines += claims(41).trim_end();
    lines
}

/// What an ingest says, without how long it took.
fn timeless(run: &Run) -> (Vec<String>, String) {
    let lines = run
        .stdout
        .lines()
        .filter(|line| !line.contains(" read in "));
    (lines.map(str::to_owned).collect(), run.stderr.clone())
}

#[test]
fn an_ingest_says_the_same_and_leaves_the_same() {
    let served = Served::with("");
    let home = &served.home;
    home.write("mixed.ndjson", mixed());
    let example = examples()
        .join("crowd_bluebird.ndjson.gz")
        .display()
        .to_string();
    for round in 0..2 {
        for file in ["mixed.ndjson", &example] {
            let args = |side: &str| {
                let (results, rejects) = (format!("results.{side}"), format!("rejects.{side}"));
                ["ingest", file, "--results", &results, "--rejects", &rejects].map(str::to_owned)
            };
            let url = served.server.url();
            let there = home.run([&["--url".into(), url.clone()][..], &args("there")].concat());
            let here = home.run([&["--dir".into(), "copy".into()][..], &args("here")].concat());
            assert_eq!(there.code, here.code);
            let (said, notes) = timeless(&there);
            let said: Vec<_> = said.iter().map(|line| line.replace(&url, "copy")).collect();
            assert_eq!((said, notes), timeless(&here), "{file} {round}");
            assert!(home.read("results.there") == home.read("results.here"));
            assert!(home.read("rejects.there") == home.read("rejects.here"));
        }
    }
    let figures = |run: Run| {
        let mut figures = run.ended(1).json();
        figures["elapsed_ms"] = Value::Null;
        figures
    };
    let args = ["ingest", "--json", "mixed.ndjson"];
    assert_eq!(figures(served.there(&args)), figures(served.here(&args)));
    for list in [&["subjects", "--json"][..], &["subject", "many", "--json"]] {
        let timeless = |run: Run| {
            let mut entries = run.fine().ndjson();
            for entry in &mut entries {
                entry["arrived_at"] = Value::Null;
            }
            entries
        };
        assert_eq!(timeless(served.there(list)), timeless(served.here(list)));
    }
}

#[test]
fn it_stops_at_the_first_rejected_line() {
    let served = Served::with("");
    let text = format!("{}bad\n{}", claims(3), claims(9));
    served.home.write("x.ndjson", text);
    let args = ["ingest", "--json", "--stop-on-error", "x.ndjson"];
    let there = served.there(&args).ended(1).json();
    assert_eq!(
        (&there["stored"], &there["rejected"]),
        (&3.into(), &1.into())
    );
    assert_eq!(
        served.there(&["stats", "--json"]).fine().json()["assertions"],
        3
    );
}

#[test]
fn a_line_from_a_pipe_does_not_wait_for_more() {
    let served = Served::with("");
    let url = served.server.url();
    let args = ["--url", &url, "ingest", "-", "--results", "results"];
    let mut child = served.home.start(args);
    let mut stdin = child.stdin.take().unwrap();
    for (count, line) in (1..).zip(claims(5).split_inclusive('\n')) {
        stdin.write_all(line.as_bytes()).unwrap();
        wait_until(|| lines_of(&served.home, "results") == count);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

fn start(home: &Home, url: &str, file: &str) -> Child {
    let mut command = home.command(["--url", url, "ingest", file, "--results", "results"]);
    command.stderr(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn an_ingest_goes_on_where_the_server_is_killed_and_started_again() {
    let mut served = Served::with("");
    let count = 60_000;
    served.home.write("x.ndjson", claims(count));
    let url = served.server.url();
    let address = served.server.address.to_string();
    let child = start(&served.home, &url, "x.ndjson");
    for part in [1, 3, 5] {
        wait_until(|| lines_of(&served.home, "results") >= count / 10 * part);
        served.server.child.kill().unwrap();
        served.server.child.wait().unwrap();
        let command = served.home.command(["serve", "--listen", &address]);
        served.server = Server::of(command).0;
    }
    let output = child.wait_with_output().unwrap();
    let (said, notes) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{said}{notes}");
    assert!(notes.contains("is sent again"), "{notes}");
    assert!(said.contains("rejected    0"), "{said}");
    assert_eq!(lines_of(&served.home, "results"), count);
    let figures = served.there(&["stats", "--json"]).fine().json();
    // Exactly once: a record that had been appended twice would have taken another sequence.
    assert_eq!(
        (&figures["assertions"], &figures["durable_sequence"]),
        (&count.into(), &count.into())
    );
    served
        .home
        .run(["--dir", "copy", "ingest", "-q", "x.ndjson"])
        .fine();
    served.server.signal("TERM");
    assert_eq!(served.server.code(), Some(0));
    let ids = |dir: &str| {
        served
            .home
            .run(["--dir", dir, "export", "--ids"])
            .fine()
            .stdout
    };
    assert!(ids("stemedb-data") == ids("copy"));
    served.home.run(["verify"]).fine();
}

#[test]
fn a_token_that_may_only_write_is_enough() {
    let served = Served::with("");
    let token = |scope: &str| {
        let made = served
            .home
            .run(["token", "create", "--name", "t", "--scope", scope, "-q"]);
        made.fine().stdout
    };
    served.home.write("write", token("write"));
    served.home.write("read", token("read"));
    let with = |file: &str, args: &[&str]| served.there(&[&["--token-file", file], args].concat());
    served.home.write("x.ndjson", claims(3));
    // The server looks for new tokens once a second.
    wait_until(|| served.there(&["stats"]).code == 4);
    let ingested = with("write", &["ingest", "--json", "x.ndjson"])
        .fine()
        .json();
    assert_eq!(
        (&ingested["stored"], &ingested["durable_sequence"]),
        (&3.into(), &3.into())
    );
    // How far it is is told to those who may read.
    assert_eq!(ingested["applied_sequence"], Value::Null);
    let again = with("write", &["ingest", "x.ndjson"]).fine().stdout;
    assert!(
        again.contains("\ndurable up to sequence 3, in http"),
        "{again}"
    );
    served.home.write("bad.ndjson", "{}\n");
    let rejected = with("write", &["ingest", "--json", "bad.ndjson"]).ended(1);
    assert_eq!(rejected.json()["durable_sequence"], Value::Null);
    let refused = with("read", &["ingest", "x.ndjson"]).ended(4);
    assert!(
        refused.error().contains("scope write"),
        "{}",
        refused.stderr
    );
    with("write", &["stats"]).failed(4, &["scope read", "use a token that allows it"]);
    assert_eq!(
        with("read", &["stats", "--json"]).fine().json()["assertions"],
        3
    );
}
