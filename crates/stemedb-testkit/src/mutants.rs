//! Mutants: the code with one promise taken out, in a copy that is built and tested. A test must fail for each.
//!
//! A mutant is a file of `mutants/`, read by [`patch`]; the copy of the repository is kept by [`tree`]; what its tests say is read by
//! [`trial`]. A mutant that no test notices means that a test is missing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock;
use crate::failure::{Doing, Failure};
use crate::output::say;

mod patch;
mod tree;
mod trial;

use patch::Mutant;
use tree::Tree;
use trial::{Verdict, try_tests};

/// How a mutant fared.
#[derive(Debug)]
struct Row {
    name: String,
    verdict: Verdict,
    took: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs();
        write!(f, "{:<36} {seconds:>4} s  {}", self.name, self.verdict)
    }
}

/// Tries every mutant, or the one that is named.
///
/// # Errors
///
/// If a mutant lives, does not compile, hangs, or no longer fits the code; or if the code itself does not pass.
pub(crate) fn run(only: Option<&str>, directory: Option<&Path>) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::fs::canonicalize(&root).doing("find", &root)?;
    let directory = directory.map_or_else(|| root.join("target/mutants"), Path::to_owned);
    let mutants = chosen(only)?;
    let begun = clock::now();
    let tree = Tree::copy(&root, &directory)?;
    for mutant in &mutants {
        mutant.check(&tree)?;
    }
    check_unchanged(&tree, &mutants)?;
    let mut rows = Vec::with_capacity(mutants.len());
    for mutant in &mutants {
        let row = try_one(&tree, mutant)?;
        say(&row);
        rows.push(row);
    }
    let took = clock::now().saturating_duration_since(begun).as_secs();
    let alive: Vec<_> = rows.iter().filter(|row| !row.verdict.is_killed()).collect();
    say(format_args!(
        "\n{} mutants, {} killed, {took} s",
        rows.len(),
        rows.len() - alive.len()
    ));
    if alive.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = alive.iter().map(|row| row.name.as_str()).collect();
    Err(Failure::violated(format!(
        "not killed: {}",
        names.join(", ")
    )))
}

fn chosen(only: Option<&str>) -> Result<Vec<Mutant>, Failure> {
    let all = patch::read_all(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mutants"))?;
    let Some(only) = only else {
        return Ok(all);
    };
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|mutant| mutant.name == only)
        .collect();
    if chosen.is_empty() {
        return Err(Failure::Usage(format!("there is no mutant {only}")));
    }
    Ok(chosen)
}

/// The commands that kill must pass without a mutant, or they say nothing.
fn check_unchanged(tree: &Tree, mutants: &[Mutant]) -> Result<(), Failure> {
    let mut commands = BTreeMap::new();
    for mutant in mutants {
        for test in &mutant.tests {
            commands.insert(test, &mutant.name);
        }
    }
    for command in commands.into_keys() {
        let begun = clock::now();
        let verdict = try_tests(tree, std::slice::from_ref(command))?;
        let took = clock::now().saturating_duration_since(begun).as_secs();
        if !matches!(verdict, Verdict::Survived) {
            let said = format!("cargo test {command}: {verdict}");
            return Err(Failure::Usage(format!(
                "the code itself does not pass: {said}"
            )));
        }
        say(format_args!(
            "unchanged: cargo test {command} passes, {took} s"
        ));
    }
    Ok(())
}

fn try_one(tree: &Tree, mutant: &Mutant) -> Result<Row, Failure> {
    let begun = clock::now();
    let before = mutant.apply(tree)?;
    let verdict = try_tests(tree, &mutant.tests);
    // In reverse, so that a file that was changed twice is again what it was first.
    for (file, text) in before.iter().rev() {
        tree.write(file, text)?;
    }
    Ok(Row {
        name: mutant.name.clone(),
        verdict: verdict?,
        took: clock::now().saturating_duration_since(begun),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{chosen, tree::Tree};

    /// Checked here as well, so that a change of the code finds out at once that a mutant no longer fits.
    #[test]
    fn every_mutant_fits_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = Tree::original(&root);
        let mutants = chosen(None).unwrap();
        assert!(mutants.len() > 20, "there are {} mutants", mutants.len());
        for mutant in mutants {
            mutant.check(&tree).unwrap();
        }
    }
}
