//! Rules about the table of failure cases.

use stemedb_testkit::cases::Case;

use super::Tree;

/// Cases that there must be.
const CASE_COUNT: u32 = 68;

/// Finds the numbers that do not stand in the table exactly once, and in order.
pub(super) fn misnumbered(cases: &[Case]) -> Vec<u32> {
    let wanted = 1..=CASE_COUNT;
    let mut found = cases.iter().map(|case| case.number);
    let mut wrong: Vec<u32> = wanted
        .filter(|number| found.next() != Some(*number))
        .collect();
    wrong.extend(found);
    wrong
}

/// Finds the commands that run no test of the tree.
pub(super) fn unproven<'a>(cases: &'a [Case], tree: &Tree) -> Vec<(u32, &'a str)> {
    let mut found = Vec::new();
    for case in cases {
        if case.commands.is_empty() {
            found.push((case.number, "no command"));
        }
        let commands = case.commands.iter().map(String::as_str);
        found.extend(
            commands
                .filter(|command| !names_a_test(command, tree))
                .map(|command| (case.number, command)),
        );
    }
    found
}

/// Whether a test of the crate after `-p` has the command's last word in its name.
fn names_a_test(command: &str, tree: &Tree) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| *word == "-p") else {
        return false;
    };
    let (Some(package), Some(filter)) = (words.get(at + 1), words.last()) else {
        return false;
    };
    let directory = format!("crates/{package}/");
    let filter = filter.rsplit("::").next().unwrap_or(filter);
    tree.iter()
        .filter(|(path, _)| path.starts_with(&directory))
        .any(|(_, text)| tests(text).any(|name| name.contains(filter)))
}

/// The names of the functions of a source.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim_start);
    lines.filter_map(|line| {
        let name = line.strip_prefix("fn ")?;
        Some(name.split_once('(').map_or(name, |(name, _)| name))
    })
}

#[test]
fn a_command_that_tests_nothing_is_found() {
    let source = "#[test]\nfn a_gap_is_refused() {}\n".to_owned();
    let tree = Tree::from([("crates/stemedb-wal/tests/it/x.rs".to_owned(), source)]);
    let case = |command: &str| Case {
        number: 1,
        title: String::new(),
        commands: vec![command.to_owned()],
    };
    let good = [case("cargo test -p stemedb-wal a_gap")];
    assert_eq!(unproven(&good, &tree), []);
    for command in [
        "cargo test -p stemedb-wal a_hole",
        "cargo test -p stemedb a_gap",
        "cargo test",
    ] {
        assert_eq!(unproven(&[case(command)], &tree).len(), 1, "{command}");
    }
}

#[test]
fn a_missing_number_is_found() {
    let cases = |numbers: Vec<u32>| {
        let case = |number| Case {
            number,
            title: String::new(),
            commands: Vec::new(),
        };
        numbers.into_iter().map(case).collect::<Vec<_>>()
    };
    assert!(misnumbered(&cases((1..=68).collect())).is_empty());
    assert_eq!(misnumbered(&cases((1..=67).collect())), [68]);
    assert_eq!(misnumbered(&cases((1..=69).collect())), [69]);
    assert_eq!(misnumbered(&cases((2..=68).collect())).len(), 68);
}
