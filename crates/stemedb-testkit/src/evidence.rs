//! Runs the commands that stand in the table of failure cases.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use stemedb_testkit::cases::{Case, Unproven, parse, prove};

use crate::failure::{Doing, Failure};
use crate::output::say;

/// Where the table stands, from the top of the repository.
const DOCUMENT: &str = "docs/DURABILITY.md";

/// Proves the cases with these numbers, or all.
///
/// # Errors
///
/// If the table cannot be read, a number is not in it, or a case is not proven; the others are tried all the same.
pub(crate) fn run(numbers: &[u32]) -> Result<(), Failure> {
    let path = Path::new(DOCUMENT);
    let cases = parse(&fs::read_to_string(path).doing("read", path)?);
    let wanted = choose(&cases, numbers)?;
    let mut unproven = Vec::new();
    // A command that several cases name runs once.
    let mut results: BTreeMap<&str, Result<u64, Unproven>> = BTreeMap::new();
    for case in wanted {
        let mut tests = 0;
        for command in &case.commands {
            match results.entry(command).or_insert_with(|| prove(command)) {
                Ok(count) => tests += *count,
                Err(error) => {
                    say(format_args!("case {}: {error}", case.number));
                    unproven.push(case.number);
                }
            }
        }
        say(format_args!(
            "case {}: {tests} tests: {}",
            case.number, case.title
        ));
    }
    if unproven.is_empty() {
        return Ok(());
    }
    Err(Failure::violated(format!("not proven: {unproven:?}")))
}

fn choose<'a>(cases: &'a [Case], numbers: &[u32]) -> Result<Vec<&'a Case>, Failure> {
    if numbers.is_empty() {
        return Ok(cases.iter().collect());
    }
    let find = |number: &u32| {
        let found = cases.iter().find(|case| case.number == *number);
        found.ok_or_else(|| Failure::Usage(format!("there is no case {number} in {DOCUMENT}")))
    };
    numbers.iter().map(find).collect()
}
