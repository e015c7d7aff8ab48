//! A run of some seconds with bad clients beside good ones: all of it works, and nothing is lost.

#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files as anybody would"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stemedb_testkit::skip::say_skipped;

#[test]
fn a_quick_run_among_bad_clients_loses_nothing() {
    let program = Path::new(env!("CARGO_BIN_EXE_stemedb-bench"));
    if !program.with_file_name("stemedb").exists() {
        say_skipped("the program `stemedb` is not built");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("summary.json");
    let mut command = Command::new(program);
    command.args(["soak", "--quick", "--directory"]);
    command.arg(directory.path()).arg("--json").arg(&json);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let summary: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let lost = &summary["lost"];
    assert_eq!((&lost["missing"], &lost["double"]), (&0.into(), &0.into()));
    assert!(lost["acknowledged"].as_u64() > Some(100), "{lost}");
    let fed = ["since", "records"].map(|part| lost["feed"][part].as_u64().unwrap());
    assert!(fed[0] > 0, "{lost}");
    assert_eq!(lost["stored"], fed[0] + fed[1]);
    let answers = summary["answers"].as_object().unwrap();
    for kind in ["good writer", "good reader", "malformed head", "wide read"] {
        assert!(answers.contains_key(kind), "{kind}: {answers:?}");
    }
    let left = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 1, "something is left behind");
}
