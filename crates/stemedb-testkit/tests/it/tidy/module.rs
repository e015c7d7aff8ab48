//! The rule that every Rust file is compiled: reachable by `mod` lines from the root of a target.
//!
//! Attributes `#[path]` and files named in inline modules are not followed; there are none.

use std::collections::BTreeSet;

use super::{Tree, is_rust};

/// Directories of a crate in which every file is the root of a target.
const ROOT_DIRECTORIES: [&str; 4] = ["src/bin", "benches", "examples", "fuzz_targets"];
/// Files of a crate that are roots. Integration tests are one binary, so no other file of `tests/` is.
const ROOT_FILES: [&str; 3] = ["src/lib.rs", "src/main.rs", "tests/it/main.rs"];

/// Returns the Rust files that no target of their crate reaches.
pub(super) fn unreachable(tree: &Tree) -> Vec<&str> {
    let sources: BTreeSet<&str> = tree
        .keys()
        .map(String::as_str)
        .filter(|path| is_rust(path))
        .collect();
    let mut pending: Vec<&str> = sources
        .iter()
        .copied()
        .filter(|path| is_root(tree, path))
        .collect();
    let mut reached: BTreeSet<&str> = pending.iter().copied().collect();
    while let Some(path) = pending.pop() {
        let candidates = module_names(&tree[path]).flat_map(|name| candidates(tree, path, name));
        for file in candidates.filter_map(|file| sources.get(file.as_str()).copied()) {
            if reached.insert(file) {
                pending.push(file);
            }
        }
    }
    sources.difference(&reached).copied().collect()
}

fn is_root(tree: &Tree, path: &str) -> bool {
    let manifests = tree
        .keys()
        .filter_map(|file| file.strip_suffix("Cargo.toml"));
    manifests
        .filter_map(|crate_directory| path.strip_prefix(crate_directory))
        .any(is_root_in_crate)
}

fn is_root_in_crate(path: &str) -> bool {
    let (directory, _) = path.rsplit_once('/').unwrap_or_default();
    ROOT_FILES.contains(&path) || ROOT_DIRECTORIES.contains(&directory)
}

/// Where the module `name` of the file `path` may stand.
fn candidates(tree: &Tree, path: &str, name: &str) -> [String; 2] {
    let (directory, file) = path.rsplit_once('/').unwrap_or_default();
    let owns_directory = file == "mod.rs" || is_root(tree, path);
    let children = if owns_directory {
        directory
    } else {
        path.trim_end_matches(".rs")
    };
    [
        format!("{children}/{name}.rs"),
        format!("{children}/{name}/mod.rs"),
    ]
}

/// Names of the modules that `text` declares in files of their own.
fn module_names(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(module_name)
}

fn module_name(line: &str) -> Option<&str> {
    let mut item = line.trim();
    while let Some(attribute) = item.strip_prefix("#[") {
        item = attribute.split_once(']')?.1.trim_start();
    }
    if let Some(visible) = item.strip_prefix("pub") {
        item = visible.trim_start();
        if item.starts_with('(') {
            item = item.split_once(')')?.1.trim_start();
        }
    }
    item.strip_prefix("mod ")?
        .split_once(';')
        .map(|(name, _)| name.trim())
}

#[test]
fn declarations_of_modules_are_read() {
    for line in [
        "mod a;",
        "pub mod a;",
        "  pub(crate) mod a; // why",
        "#[cfg(test)] mod a;",
        "pub(in crate::b) mod a;",
    ] {
        assert_eq!(module_name(line), Some("a"), "{line}");
    }
    for line in [
        "// mod a;",
        "mod a {",
        "model a;",
        "use mod_a;",
        "#[cfg(test)]",
    ] {
        assert_eq!(module_name(line), None, "{line}");
    }
}

#[test]
fn a_file_that_no_mod_names_is_found() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let tree = Tree::from([
        file("crates/a/Cargo.toml", ""),
        file("crates/a/src/lib.rs", "mod one;\nmod three;\n"),
        file("crates/a/src/one.rs", "#[cfg(test)]\nmod tests;\n"),
        file("crates/a/src/one/tests.rs", ""),
        file("crates/a/src/tests.rs", ""),
        file("crates/a/src/two.rs", "mod two;\n"),
        file("crates/a/src/three/mod.rs", "mod four;\n"),
        file("crates/a/src/three/four.rs", ""),
        file("crates/a/src/bin/tool.rs", ""),
        file("crates/a/tests/it/main.rs", "mod case;\n"),
        file("crates/a/tests/it/case.rs", ""),
        file("crates/a/tests/second.rs", ""),
    ]);
    let expected = [
        "crates/a/src/tests.rs",
        "crates/a/src/two.rs",
        "crates/a/tests/second.rs",
    ];
    assert_eq!(unreachable(&tree), expected);
}
