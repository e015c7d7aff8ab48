//! Rules about manifests: lints, registries, and which crate may use which.

use serde_json::Value;

use super::{Finding, bad_lines};

/// The only index that packages may come from.
const INDEX: &str = "https://github.com/rust-lang/crates.io-index";
/// Keys of a manifest that are links for people.
const LINKS: [&str; 3] = ["documentation", "homepage", "repository"];

/// Which crates of ours each crate may use; those that are not published may use any.
const EDGES: [(&str, &[&str]); 7] = [
    ("stemedb-core", &[]),
    ("stemedb-wal", &[]),
    ("stemedb-storage", &["stemedb-core"]),
    (
        "stemedb-ingest",
        &["stemedb-core", "stemedb-wal", "stemedb-storage"],
    ),
    (
        "stemedb",
        &[
            "stemedb-core",
            "stemedb-wal",
            "stemedb-storage",
            "stemedb-ingest",
        ],
    ),
    ("stemedb-cli", &["stemedb", "stemedb-server"]),
    ("stemedb-server", &["stemedb"]),
];
const UNPUBLISHED: [&str; 4] = [
    "stemedb-bench",
    "stemedb-fuzz",
    "stemedb-shuttle",
    "stemedb-testkit",
];

/// Finds addresses that are not that of the public index.
pub(super) fn foreign_hosts(text: &str) -> Vec<Finding> {
    bad_lines(text, "an address that is not the public index", |line| {
        let key = line.split('=').next().unwrap_or_default().trim();
        !LINKS.contains(&key) && line.replace(INDEX, "").contains("://")
    })
}

/// Finds that a manifest lacks `workspace = true` in its section `[lints]`.
pub(super) fn lints_not_inherited(text: &str) -> Vec<Finding> {
    let lines = text.lines().map(str::trim);
    let mut section = lines
        .skip_while(|line| *line != "[lints]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    if section.any(|line| line.replace(' ', "") == "workspace=true") {
        return Vec::new();
    }
    vec![Finding::new(1, "no `[lints] workspace = true`")]
}

/// Returns the dependencies between crates of ours that are not in the list.
///
/// `metadata` is the answer of `cargo metadata`. Tests may use any crate of ours.
pub(super) fn forbidden_edges(metadata: &Value) -> Vec<String> {
    let mut forbidden = Vec::new();
    for package in list(&metadata["packages"]) {
        let user = name(package);
        let ours = list(&package["dependencies"])
            .iter()
            .filter(|used| name(used).starts_with("stemedb"));
        let built = ours.filter(|used| used["kind"] != "dev");
        forbidden.extend(
            built
                .map(name)
                .filter(|used| !may_use(user, used))
                .map(|used| format!("{user} -> {used}")),
        );
        if !is_known(user) {
            forbidden.push(format!("{user} is not in the list"));
        }
    }
    forbidden
}

fn is_known(user: &str) -> bool {
    UNPUBLISHED.contains(&user) || EDGES.iter().any(|(name, _)| *name == user)
}

fn may_use(user: &str, used: &str) -> bool {
    UNPUBLISHED.contains(&user)
        || EDGES
            .iter()
            .any(|(name, uses)| *name == user && uses.contains(&used))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

#[test]
fn a_foreign_registry_is_found() {
    let good = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nrepository = \"https://example.org/x\"\n";
    assert_eq!(foreign_hosts(good), []);
    assert_eq!(
        foreign_hosts("registry = \"sparse+http://mirror.example:8080/index/\"\n").len(),
        1
    );
    assert_eq!(
        foreign_hosts("x = { git = \"https://github.com/a/b\" }\n").len(),
        1
    );
}

#[test]
fn a_crate_that_does_not_inherit_the_lints_is_found() {
    assert_eq!(
        lints_not_inherited("[package]\n\n[lints]\nworkspace = true\n"),
        []
    );
    assert_eq!(lints_not_inherited("[package]\nname = \"x\"\n").len(), 1);
    assert_eq!(
        lints_not_inherited("[lints]\n[dependencies]\nworkspace = true\n").len(),
        1
    );
    assert_eq!(
        lints_not_inherited("[lints.rust]\nworkspace = true\n").len(),
        1
    );
}

#[test]
fn an_edge_against_the_direction_is_found() {
    let dependency =
        |name: &str, kind: Option<&str>| serde_json::json!({"name": name, "kind": kind});
    let metadata = serde_json::json!({"packages": [
        {"name": "stemedb-core", "dependencies": [dependency("stemedb-wal", Some("dev")), dependency("serde", None)]},
        {"name": "stemedb-wal", "dependencies": [dependency("stemedb-core", None)]},
        {"name": "stemedb-cli", "dependencies": [dependency("stemedb", None), dependency("stemedb-wal", Some("build"))]},
        {"name": "stemedb-testkit", "dependencies": [dependency("stemedb", None)]},
        {"name": "stemedb-new", "dependencies": []},
    ]});
    let expected = [
        "stemedb-wal -> stemedb-core",
        "stemedb-cli -> stemedb-wal",
        "stemedb-new is not in the list",
    ];
    assert_eq!(forbidden_edges(&metadata), expected);
}
