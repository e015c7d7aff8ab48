//! Rules of the repository that neither the compiler nor clippy can check.
//!
//! Each rule is a pure function from text to findings, with a test beside it that shows it failing
//! on a bad sample. The tests here apply the rules to the files of the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

mod case;
mod document;
mod manifest;
mod module;
mod source;

/// Directories that hold no sources.
const DIRECTORIES_SKIPPED: [&str; 3] = [".git", "stemedb-data", "target"];
/// Kinds of files that people write; everything else is data.
const TEXT_EXTENSIONS: [&str; 7] = ["rs", "md", "toml", "lock", "json", "sh", "yml"];
/// Where the scripts of the checks stand, which have no extension.
const SCRIPT_DIRECTORY: &str = ".ci/";
/// Where the copies of public data stand, which are kept as they came.
const DATA_DIRECTORY: &str = "examples/data/";
/// Files on which the limits of the walk rest: a walk that misses them looked in the wrong place.
const LANDMARKS: [&str; 4] = [
    ".ci/run",
    "Cargo.lock",
    "README.md",
    "crates/stemedb-core/src/lib.rs",
];

/// Something wrong in one line of one file.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Finding {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
        }
    }
}

/// Finds every line in which `is_bad`.
fn bad_lines(text: &str, what: &str, is_bad: impl Fn(&str) -> bool) -> Vec<Finding> {
    let numbered = text.lines().zip(1..);
    numbered
        .filter(|(line, _)| is_bad(line))
        .map(|(_, number)| Finding::new(number, what))
        .collect()
}

/// The texts of the repository by their path from its root, with `/` between the parts.
type Tree = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Directories below the root, and their files, that are part of the repository.
fn paths(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() && is_source_directory(&path) {
                pending.push(path);
            }
        }
    }
    found
}

fn is_source_directory(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    // Cargo marks a target directory of any name by this file.
    !DIRECTORIES_SKIPPED.contains(&name) && !path.join("CACHEDIR.TAG").exists()
}

fn tree() -> Tree {
    let root = root();
    let mut tree = Tree::new();
    for path in paths(&root) {
        let parts = path.strip_prefix(&root).unwrap().iter();
        let name = parts
            .map(|part| part.to_str().unwrap())
            .collect::<Vec<_>>()
            .join("/");
        if TEXT_EXTENSIONS.contains(&extension(&name)) || name.starts_with(SCRIPT_DIRECTORY) {
            tree.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    for landmark in LANDMARKS {
        assert!(
            tree.contains_key(landmark),
            "{landmark} was not found below {}",
            root.display()
        );
    }
    tree
}

/// Applies a rule to the files that it is about and fails with all that it found.
fn check(is_about: impl Fn(&str) -> bool, rule: impl Fn(&str, &str) -> Vec<Finding>) {
    let mut report = Vec::new();
    let mut applied = 0;
    for (path, text) in tree().iter().filter(|(path, _)| is_about(path)) {
        applied += 1;
        let findings = rule(path, text);
        report.extend(
            findings
                .iter()
                .map(|found| format!("{path}:{}: {}", found.line, found.what)),
        );
    }
    assert!(applied > 0, "the rule is about no file at all");
    assert!(report.is_empty(), "\n{}", report.join("\n"));
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_rust(path: &str) -> bool {
    extension(path) == "rs"
}

fn is_markdown(path: &str) -> bool {
    extension(path) == "md"
}

fn is_crate_manifest(path: &str) -> bool {
    path.starts_with("crates/") && path.ends_with("/Cargo.toml")
}

#[test]
fn files_are_short() {
    check(is_rust, |path, text| {
        source::too_long(text, source::line_count_max(path))
    });
}

#[test]
fn no_work_is_left_in_notes() {
    check(
        |path| !path.starts_with(DATA_DIRECTORY),
        |_, text| source::unfinished(text),
    );
}

#[test]
fn rust_sources_are_ascii() {
    check(is_rust, |_, text| source::not_ascii(text));
}

#[test]
fn no_path_of_a_machine_is_named() {
    check(|_| true, |_, text| source::machine_paths(text));
}

#[test]
fn manifests_name_no_registry_but_the_public_one() {
    let is_about = |path: &str| {
        ["toml", "lock"].contains(&extension(path)) || path.starts_with(SCRIPT_DIRECTORY)
    };
    check(is_about, |_, text| manifest::foreign_hosts(text));
}

#[test]
fn crates_inherit_the_lints() {
    check(is_crate_manifest, |_, text| {
        manifest::lints_not_inherited(text)
    });
}

#[test]
fn markdown_has_one_title() {
    check(is_markdown, |_, text| document::not_one_title(text));
}

#[test]
fn links_of_documents_lead_somewhere() {
    let root = root();
    check(is_markdown, |path, text| {
        document::dead_links(path, text, |file| root.join(file).exists())
    });
}

#[test]
fn decisions_are_indexed() {
    let tree = tree();
    let index = &tree["docs/adr/README.md"];
    let decisions = tree
        .keys()
        .filter_map(|path| path.strip_prefix("docs/adr/"));
    assert_eq!(document::not_indexed(index, decisions), Vec::<&str>::new());
}

#[test]
fn every_case_is_proven_by_tests_that_exist() {
    let tree = tree();
    let cases = stemedb_testkit::cases::parse(&tree["docs/DURABILITY.md"]);
    assert_eq!(case::misnumbered(&cases), Vec::<u32>::new());
    assert_eq!(case::unproven(&cases, &tree), Vec::new());
}

#[test]
fn data_files_have_an_entry_and_a_notice() {
    let tree = tree();
    let readme = &tree["examples/data/README.md"];
    let expected: serde_json::Value =
        serde_json::from_str(&tree["examples/data/expected.json"]).unwrap();
    let data = root().join(DATA_DIRECTORY);
    for path in paths(&data) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.contains(".ndjson") {
            assert!(
                expected.get(name).is_some(),
                "{name} has no entry in expected.json"
            );
            assert!(
                readme.contains(&format!("`{name}`")),
                "{name} has no row in the README"
            );
        }
    }
    for name in expected.as_object().unwrap().keys() {
        assert!(data.join(name).exists(), "{name} is expected and absent");
    }
}

#[test]
fn every_source_is_reachable_from_a_mod() {
    assert_eq!(module::unreachable(&tree()), Vec::<&str>::new());
}

#[test]
fn engines_are_named_in_one_file_each() {
    let tree = tree();
    for engine in source::ENGINES {
        let files = source::files_that_name(engine, &tree);
        assert!(
            files.len() <= 1,
            "{engine} is named in {files:?}; one adapter file is enough"
        );
    }
}

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ];
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest::forbidden_edges(&metadata), Vec::<String>::new());
}
