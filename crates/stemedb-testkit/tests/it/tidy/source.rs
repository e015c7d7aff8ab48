//! Rules about the text of source files.

use super::{Finding, Tree, bad_lines, is_rust};

/// Lines of a file with production code.
const PRODUCTION_LINE_COUNT_MAX: usize = 500;
/// Lines of a file with nothing but tests.
const TEST_LINE_COUNT_MAX: usize = 1000;

/// Crates whose files on disk are ours, so that one file each may know them.
pub(super) const ENGINES: [&str; 3] = ["fjall", "redb", "sled"];

/// Marks of unfinished work, taken apart so that this file does not hold them.
const UNFINISHED: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Where home and work directories begin, taken apart likewise.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!(r"\Us", r"ers\"),
];

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Returns how many lines a Rust file may have.
pub(super) fn line_count_max(path: &str) -> usize {
    if is_test_file(path) {
        TEST_LINE_COUNT_MAX
    } else {
        PRODUCTION_LINE_COUNT_MAX
    }
}

/// Finds the first line beyond `limit`.
pub(super) fn too_long(text: &str, limit: usize) -> Vec<Finding> {
    let count = text.lines().count();
    if count <= limit {
        return Vec::new();
    }
    vec![Finding::new(
        limit + 1,
        format!("{count} lines, at most {limit} are allowed"),
    )]
}

/// Finds notes of work to be done, which belong in an issue or a decision.
pub(super) fn unfinished(text: &str) -> Vec<Finding> {
    bad_lines(text, "a note of unfinished work", |line| {
        UNFINISHED.iter().any(|mark| has_word(line, mark))
    })
}

/// Finds characters that a terminal or an editor may show as something else.
pub(super) fn not_ascii(text: &str) -> Vec<Finding> {
    bad_lines(text, "a character outside ASCII", |line| !line.is_ascii())
}

/// Finds absolute paths into somebody's home or work directory.
pub(super) fn machine_paths(text: &str) -> Vec<Finding> {
    bad_lines(text, "a path of one machine", |line| {
        MACHINE_PATHS.iter().any(|path| has_path(line, path))
    })
}

/// Returns the production files that use the crate `engine`.
pub(super) fn files_that_name<'a>(engine: &str, tree: &'a Tree) -> Vec<&'a str> {
    let sources = tree.iter().filter(|(path, _)| is_product_source(path));
    sources
        .filter(|(_, text)| names_crate(text, engine))
        .map(|(path, _)| path.as_str())
        .collect()
}

fn is_product_source(path: &str) -> bool {
    let unpublished = ["crates/stemedb-testkit/", "crates/stemedb-bench/"];
    path.contains("/src/")
        && is_rust(path)
        && !is_test_file(path)
        && !unpublished.iter().any(|dir| path.starts_with(dir))
}

/// Whether code, comments aside, holds a path that begins with the crate `name`.
fn names_crate(text: &str, name: &str) -> bool {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let (rest, imports): (Vec<&str>, Vec<&str>) = code.split(';').map(split_own_import).unzip();
    let is_module = imports.iter().any(|import| imports_module(import, name));
    let path = format!("{name}::");
    let mut befores = rest.iter().flat_map(|code| before_each(code, &path));
    befores.any(|before| is_path_start(before) && (!is_module || before.ends_with("::")))
}

/// Splits off the import from this crate with which `statement` ends, if it does.
fn split_own_import(statement: &str) -> (&str, &str) {
    let starts = ["use crate::", "use super::", "use self::"];
    let start = starts
        .iter()
        .filter_map(|start| statement.find(start))
        .min();
    statement.split_at(start.unwrap_or(statement.len()))
}

/// Whether `import` brings a module `name` of this crate into scope, which hides the crate `name`.
fn imports_module(import: &str, name: &str) -> bool {
    before_each(import, name).any(|before| {
        let after = import[before.len() + name.len()..].trim_start();
        let ends = after.is_empty()
            || [",", "}", "::{self"]
                .iter()
                .any(|end| after.starts_with(end));
        ends && !before.ends_with(is_word)
    })
}

/// Whether a crate name may stand after `before`: `self::sled::` is a module, `::sled::` is the crate.
fn is_path_start(before: &str) -> bool {
    let outer = before.strip_suffix("::").unwrap_or(before);
    !outer.ends_with(is_word)
}

fn has_word(line: &str, word: &str) -> bool {
    let ends = |after: &str| !after.starts_with(is_word);
    before_each(line, word)
        .any(|before| !before.ends_with(is_word) && ends(&line[before.len() + word.len()..]))
}

/// Whether `path` stands in `line` as the beginning of a path, not in the middle of an address.
fn has_path(line: &str, path: &str) -> bool {
    let is_inside = |c: char| is_word(c) || matches!(c, '.' | '-' | '~' | '/');
    before_each(line, path).any(|before| !before.ends_with(is_inside))
}

/// What stands in `line` before each place where `needle` occurs.
fn before_each<'a>(line: &'a str, needle: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(needle).map(|(at, _)| &line[..at])
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn a_file_of_one_line_too_many_is_found() {
    assert_eq!(too_long("a\nb\n", 2), []);
    assert_eq!(too_long("a\nb\nc\n", 2).len(), 1);
    assert_eq!(
        line_count_max("crates/a/src/b.rs"),
        PRODUCTION_LINE_COUNT_MAX
    );
    assert_eq!(
        line_count_max("crates/a/src/contests.rs"),
        PRODUCTION_LINE_COUNT_MAX
    );
    assert_eq!(
        line_count_max("crates/a/src/b/tests.rs"),
        TEST_LINE_COUNT_MAX
    );
    assert_eq!(
        line_count_max("crates/a/tests/it/b.rs"),
        TEST_LINE_COUNT_MAX
    );
}

#[test]
fn a_note_of_unfinished_work_is_found() {
    for mark in UNFINISHED {
        let found = unfinished(&format!("fine\n// {mark}: later\n"));
        assert_eq!(
            found.iter().map(|found| found.line).collect::<Vec<_>>(),
            [2],
            "{mark}"
        );
    }
    assert_eq!(unfinished(concat!("mas", "TO", "DON and TO", "DOS")), []);
}

#[test]
fn a_character_outside_ascii_is_found() {
    assert_eq!(not_ascii("// plain\n"), []);
    assert_eq!(not_ascii("// caf\u{e9}\n").len(), 1);
}

#[test]
fn a_path_of_a_machine_is_found() {
    for path in MACHINE_PATHS {
        assert_eq!(machine_paths(&format!("see {path}x\n")).len(), 1, "{path}");
        assert_eq!(machine_paths(&format!("\"{path}x\"")).len(), 1, "{path}");
    }
    assert_eq!(machine_paths(concat!("https://example.org/wo", "rk/x")), []);
    assert_eq!(machine_paths("../shared/data"), []);
}

#[test]
fn a_second_file_that_names_an_engine_is_found() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let tree = Tree::from([
        file("crates/a/src/fjall.rs", "use fjall::Database;\n"),
        file("crates/a/src/other.rs", "let x: Vec<::fjall::Keyspace>;\n"),
        file(
            "crates/a/src/module.rs",
            "use crate::fjall::Adapter;\n// fjall::Database is elsewhere\nmy_fjall::x();\n",
        ),
        file(
            "crates/a/src/a.rs",
            "use b;\nuse crate::engine::{\n    fjall::{self, Engine},\n};\nfjall::NAME;\n",
        ),
        file(
            "crates/a/src/b.rs",
            "use crate::fjall;\n::fjall::Database::open();\n",
        ),
        file(
            "crates/a/src/c.rs",
            "use crate::{fjall::Engine};\nfjall::Database::open();\n",
        ),
        file("crates/a/src/fjall/tests.rs", "use fjall::Database;\n"),
        file(
            "crates/stemedb-testkit/src/disk.rs",
            "use fjall::Database;\n",
        ),
    ]);
    assert_eq!(
        files_that_name("fjall", &tree),
        [
            "crates/a/src/b.rs",
            "crates/a/src/c.rs",
            "crates/a/src/fjall.rs",
            "crates/a/src/other.rs"
        ]
    );
    assert_eq!(files_that_name("redb", &tree), [""; 0]);
}
