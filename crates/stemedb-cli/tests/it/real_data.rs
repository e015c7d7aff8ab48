//! Every set of real data against figures that an independent program counted.

use std::path::Path;

use serde_json::Value;

use super::support::{Home, examples, long_tests, shared};

const FLIGHT: &str = "flight_1-12_dec.ndjson.gz";

/// The most memory that the whole flight file may take.
const MEMORY_KIB_MAX: u64 = 512 * 1024;

fn expected(directory: &Path) -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(directory.join("expected.json")).unwrap();
    let Value::Object(files) = serde_json::from_str(&text).unwrap() else {
        panic!("{} is no map", directory.display());
    };
    files.into_iter().collect()
}

/// The hash over the sorted ids that `export --ids` printed.
fn hash_of_ids(ids: &str) -> String {
    let mut ids: Vec<_> = ids.lines().collect();
    ids.sort_unstable();
    let byte = |at: usize, id: &str| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap();
    let bytes: Vec<u8> = ids
        .iter()
        .flat_map(|id| (0..32).map(move |at| byte(at, id)))
        .collect();
    blake3::hash(&bytes).to_string()
}

fn check(file: &Path, figures: &Value) {
    let name = file.file_name().unwrap().to_string_lossy();
    let home = Home::new();
    let path = file.display().to_string();
    let first = home.run(["ingest", "--json", &path]).fine().json();
    let figure = |key: &str| figures[key].as_u64().unwrap();
    for key in ["lines", "assertions", "votes", "epochs", "duplicates"] {
        assert_eq!(first[key], figures[key], "{name}: {key}");
    }
    let stored = figure("assertions") + figure("votes") + figure("epochs");
    assert_eq!(
        (&first["stored"], &first["rejected"]),
        (&stored.into(), &0.into()),
        "{name}"
    );
    assert_eq!(
        first["durable_sequence"], first["applied_sequence"],
        "{name}"
    );
    let ids = home.run(["export", "--ids"]).fine().stdout;
    assert_eq!(
        hash_of_ids(&ids),
        figures["ids_blake3"].as_str().unwrap(),
        "{name}"
    );

    let before = home.run(["stats", "--json"]).fine().json();
    let again = home.run(["ingest", "--json", &path]).fine().json();
    assert_eq!(
        (&again["stored"], &again["duplicates"]),
        (&0.into(), &figures["lines"]),
        "{name}"
    );
    let after = home.run(["stats", "--json"]).fine().json();
    assert_eq!(
        before["durable_sequence"], after["durable_sequence"],
        "{name}"
    );
    assert_eq!(before["journal"], after["journal"], "{name}");

    let export = home.run(["export"]).fine().stdout;
    let copy = Home::new();
    copy.run_on(export.as_bytes(), ["ingest", "-"]).fine();
    assert!(
        copy.run(["export"]).fine().stdout == export,
        "{name}: the copy differs"
    );
    copy.run(["verify"]).fine();
}

#[test]
fn the_examples_give_the_expected_figures() {
    let directory = examples();
    let files = expected(&directory);
    assert!(!files.is_empty());
    for (name, figures) in files {
        check(&directory.join(name), &figures);
    }
}

#[test]
fn the_shared_sets_give_the_expected_figures() {
    let Some(directory) = shared() else { return };
    for (name, figures) in expected(&directory) {
        let is_example = examples().join(&name).exists();
        if name != FLIGHT && !is_example {
            check(&directory.join(name), &figures);
        }
    }
}

#[test]
fn the_flight_file_gives_the_expected_figures() {
    let Some(directory) = shared().filter(|_| long_tests()) else {
        return;
    };
    let files = expected(&directory);
    let (name, figures) = files.iter().find(|(name, _)| name == FLIGHT).unwrap();
    check(&directory.join(name), figures);
}

#[cfg(target_os = "linux")]
#[test]
fn the_flight_file_takes_bounded_memory() {
    let Some(directory) = shared().filter(|_| long_tests()) else {
        return;
    };
    let home = Home::new();
    let path = directory.join(FLIGHT).display().to_string();
    let mut child = home.command(["-q", "ingest", &path]).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = kib.unwrap_or(peak).max(peak);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
    eprintln!("peak of resident memory: {peak} KiB");
    assert!((1..=MEMORY_KIB_MAX).contains(&peak), "{peak} KiB");
}
