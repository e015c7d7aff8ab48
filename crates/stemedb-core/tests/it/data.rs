//! The real data sets of the project: what an independent program counted has to come out.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use stemedb_core::{Record, RecordId};
use stemedb_testkit::skip::say_skipped;

/// `../shared/data` beside the checkout.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

/// What is counted of one file.
#[derive(Default)]
struct Counts {
    lines: u64,
    by_type: HashMap<&'static str, u64>,
    ids: Vec<RecordId>,
}

impl Counts {
    fn read(input: impl Read) -> Self {
        let mut counts = Self::default();
        let mut buffer = Vec::new();
        let mut seen = HashSet::new();
        for line in BufReader::new(input).split(b'\n') {
            let line = line.unwrap();
            let record = Record::from_json(&line).unwrap_or_else(|invalid| {
                panic!("line {}: {invalid}", counts.lines + 1);
            });
            counts.lines += 1;
            let (id, pending) = record.check(&mut buffer).unwrap();
            assert_eq!(pending, None);
            if seen.insert(id) {
                *counts.by_type.entry(record.type_name()).or_default() += 1;
                counts.ids.push(id);
            }
            if counts.lines % 997 == 0 {
                let again = Record::from_json(record.to_json().as_bytes());
                assert_eq!(again.as_ref(), Ok(&record));
            }
        }
        counts.ids.sort_unstable();
        counts
    }

    fn ids_blake3(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for id in &self.ids {
            hasher.update(id.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn distinct(&self) -> u64 {
        u64::try_from(self.ids.len()).unwrap()
    }

    fn assert_equal(&self, expected: &Value, file: &str) {
        let of = |name| self.by_type.get(name).copied().unwrap_or(0);
        assert_eq!(self.lines, expected["lines"], "lines of {file}");
        assert_eq!(
            of("assertion"),
            expected["assertions"],
            "assertions of {file}"
        );
        assert_eq!(of("vote"), expected["votes"], "votes of {file}");
        assert_eq!(of("epoch"), expected["epochs"], "epochs of {file}");
        assert_eq!(
            self.lines - self.distinct(),
            expected["duplicates"],
            "duplicates of {file}"
        );
        assert_eq!(self.ids_blake3(), expected["ids_blake3"], "ids of {file}");
    }
}

/// Unpacks with the system's gzip; none if there is none.
fn gunzip(path: &Path) -> Option<Child> {
    let mut command = Command::new("gzip");
    command
        .arg("-dc")
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .ok()
}

#[test]
fn every_data_file_gives_the_expected_ids() {
    let directory = directory();
    let Ok(expected) = std::fs::read_to_string(directory.join("expected.json")) else {
        say_skipped("no ../shared/data beside the checkout");
        return;
    };
    let expected: HashMap<String, Value> = serde_json::from_str(&expected).unwrap();
    for (file, expected) in &expected {
        let path = directory.join(file);
        if path.extension().is_some_and(|extension| extension == "gz") {
            let Some(mut gzip) = gunzip(&path) else {
                say_skipped(&format!("{file}, as there is no gzip to unpack it"));
                continue;
            };
            Counts::read(gzip.stdout.take().unwrap()).assert_equal(expected, file);
            assert!(gzip.wait().unwrap().success(), "{file}");
        } else {
            let content = std::fs::read_to_string(&path).unwrap();
            Counts::read(content.as_bytes()).assert_equal(expected, file);
        }
    }
}
