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

/// What to try, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The only mutants to try.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Where the copy is built; a directory under `target` by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Take it that the tests pass without a mutant: they were run just before.
    #[arg(long)]
    unchanged_passes: bool,
}

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

/// Tries every mutant, or those that are named.
///
/// # Errors
///
/// If a mutant lives, does not compile, hangs, or no longer fits the code; or if the code itself does not pass.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::fs::canonicalize(&root).doing("find", &root)?;
    let directory = options.directory.clone();
    let directory = directory.unwrap_or_else(|| root.join("target/mutants"));
    // The copy is built from within itself.
    let directory = std::path::absolute(&directory).doing("find", &directory)?;
    let mutants = chosen(&options.only)?;
    let begun = clock::now();
    let tree = Tree::copy(&root, &directory)?;
    for mutant in &mutants {
        mutant.check(&tree)?;
    }
    if !options.unchanged_passes {
        check_unchanged(&tree, &mutants)?;
    }
    let mut rows = Vec::with_capacity(mutants.len());
    for (at, mutant) in mutants.iter().enumerate() {
        let row = try_one(&tree, mutant)?;
        say(format_args!("[{:>2}/{}] {row}", at + 1, mutants.len()));
        rows.push(row);
    }
    conclude(&rows, clock::now().saturating_duration_since(begun))
}

/// Says how all fared; those that were killed come first, so that the others stand at the end.
fn conclude(rows: &[Row], took: Duration) -> Result<(), Failure> {
    let (killed, alive): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.verdict.is_killed());
    say("");
    for row in killed.iter().chain(&alive) {
        say(row);
    }
    let late = alive.iter().filter(|row| row.verdict.is_late()).count();
    say(format_args!(
        "\n{} mutants in {} s: {} killed, {late} not done in time, {} not killed otherwise",
        rows.len(),
        took.as_secs(),
        killed.len(),
        alive.len() - late,
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

/// The mutants of these names, or all where there is no name.
fn chosen(only: &[String]) -> Result<Vec<Mutant>, Failure> {
    let all = patch::read_all(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mutants"))?;
    if let Some(unknown) = only
        .iter()
        .find(|name| all.iter().all(|mutant| mutant.name != **name))
    {
        return Err(Failure::Usage(format!("there is no mutant {unknown}")));
    }
    let is_chosen = |mutant: &Mutant| only.is_empty() || only.contains(&mutant.name);
    Ok(all.into_iter().filter(is_chosen).collect())
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
            "unchanged: cargo test {command} passes, {took} s with building"
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
    use std::time::Duration;

    use super::{Row, Verdict, chosen, conclude, tree::Tree};

    /// Checked here as well, so that a change of the code finds out at once that a mutant no longer fits.
    #[test]
    fn mutants_are_chosen_by_name() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
            let chosen = chosen(&only).ok()?;
            Some(chosen.into_iter().map(|mutant| mutant.name).collect())
        };
        let two = ["wal-no-group-fsync", "wal-no-poison"].map(str::to_owned);
        assert_eq!(
            names(&["wal-no-poison", "wal-no-group-fsync"]),
            Some(two.to_vec())
        );
        assert_eq!(names(&["wal-no-poison", "wal-no-poisson"]), None);
    }

    #[test]
    fn a_mutant_that_is_not_killed_is_a_broken_promise() {
        let row = |verdict| Row {
            name: "m".to_owned(),
            verdict,
            took: Duration::ZERO,
        };
        let killed = || row(Verdict::Killed("t".to_owned(), 1));
        assert!(conclude(&[killed()], Duration::ZERO).is_ok());
        for alive in [Verdict::Survived, Verdict::Hung("-p a".to_owned())] {
            let result = conclude(&[killed(), row(alive)], Duration::ZERO);
            assert_eq!(result.unwrap_err().exit(), 1);
        }
    }

    #[test]
    fn every_mutant_fits_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = Tree::original(&root);
        let mutants = chosen(&[]).unwrap();
        assert!(mutants.len() > 20, "there are {} mutants", mutants.len());
        for mutant in mutants {
            mutant.check(&tree).unwrap();
        }
    }
}
