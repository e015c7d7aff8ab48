//! Every benchmark runs, with a handful of records. No figure is looked at: only that there is one.

#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files as anybody would"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PAGE: &str =
    "# Page\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\nwritten by hand\n";

/// The goals, by name: those of the list, with each of its demands.
const GOALS: [&str; 23] = [
    "append/bare",
    "append/postgres",
    "append/fsync=1ms",
    "append/fsync=1ms/p99",
    "serve/redis",
    "serve/upload",
    "ingest/unsigned/postgres",
    "ingest/unsigned/sqlite",
    "ingest/signed",
    "ingest/flight",
    "ingest/flight/memory",
    "growth/rate",
    "growth/late-rate",
    "growth/memory",
    "growth/flat",
    "disk",
    "read/point",
    "read/page",
    "read/loading",
    "read/commit",
    "open/killed",
    "ingest/duplicates",
    "ingest/duplicates/journal",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// A quick run in a directory of its own, from the top of the repository.
fn run(directory: &Path, names: &[&str]) -> Value {
    let page = directory.join("page.md");
    fs::write(&page, PAGE).unwrap();
    let json = directory.join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stemedb-bench"));
    command
        .current_dir(root())
        .args(names)
        .arg("--quick")
        .arg("--directory")
        .arg(directory);
    command
        .arg("--json")
        .arg(&json)
        .arg("--plots")
        .arg(directory.join("plots"));
    let output = command.arg("--document").arg(&page).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
}

/// What a goal needs that a machine may not have: then it is not measured, and the report says why.
fn is_excused(goal: &str, report: &Value) -> bool {
    let left_out = report["left_out"].to_string();
    let needs_postgres = [
        "append/postgres",
        "ingest/unsigned/postgres",
        "ingest/flight",
    ]
    .contains(&goal);
    let of_program = ["ingest/flight", "ingest/duplicates", "serve/"];
    let needs_program = of_program.iter().any(|part| goal.starts_with(part));
    (needs_postgres && left_out.contains("PostgreSQL is not installed"))
        || (goal == "serve/redis" && left_out.contains("Redis is not installed"))
        || (needs_program && left_out.contains("the program `stemedb`, which is not built"))
}

#[test]
fn every_goal_is_measured() {
    let directory = tempfile::tempdir().unwrap();
    let report = run(directory.path(), &[]);
    let goals = report["goals"].as_array().unwrap();
    let names: BTreeSet<&str> = goals
        .iter()
        .map(|goal| goal["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from(GOALS));
    for goal in goals {
        let name = goal["name"].as_str().unwrap();
        let measured = &goal["measured"]["median"];
        if is_excused(name, &report) {
            println!("not measured here: {name}: {}", report["left_out"]);
        } else {
            assert!(
                measured.is_f64(),
                "{name} is not measured: {}",
                report["left_out"]
            );
        }
    }
    check_files(directory.path());
}

/// The page keeps what people wrote, plots and tables are there, and nothing else is left of the run.
fn check_files(directory: &Path) {
    let page = fs::read_to_string(directory.join("page.md")).unwrap();
    assert!(
        page.starts_with("# Page\n") && page.ends_with("written by hand\n"),
        "{page}"
    );
    assert!(
        !page.contains("old\n") && page.contains("| growth/memory"),
        "{page}"
    );
    for plot in [
        "append.svg",
        "append-1ms.svg",
        "ingest.svg",
        "read.svg",
        "growth-rate.svg",
    ] {
        let drawing = fs::read_to_string(directory.join("plots").join(plot)).unwrap();
        assert!(
            drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"),
            "{plot}"
        );
        assert!(
            !drawing.contains("NaN") && !drawing.contains("inf"),
            "{plot}: {drawing}"
        );
        assert!(
            page.contains(&format!("](plots/{plot})")),
            "{plot} is not in the page"
        );
    }
    let left: BTreeSet<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        left,
        ["page.md", "plots", "report.json"]
            .map(str::to_owned)
            .into()
    );
}

#[test]
fn a_part_can_be_asked_for_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let report = run(directory.path(), &["growth"]);
    let series = report["series"].as_array().unwrap();
    assert!(!series.is_empty());
    for one in series {
        assert!(
            one["benchmark"].as_str().unwrap().starts_with("growth/"),
            "{one}"
        );
    }
    let measured = report["goals"].as_array().unwrap().iter();
    let measured: Vec<_> = measured
        .filter(|goal| goal["verdict"] != "not_measured")
        .collect();
    assert_eq!(measured.len(), 4, "{measured:?}");
}
