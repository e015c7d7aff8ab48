//! The files that describe mutants.
//!
//! First lines `why:` and `test:` (what follows `cargo test`; more than one are tried in turn), then for each change a line `file:`,
//! and between lines of `<<<<`, `====` and `>>>>` the text that is searched for and the text in its place.

use std::fs;
use std::path::Path;

use super::tree::Tree;
use crate::failure::{Doing, Failure};

/// A mutant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// The name of its file.
    pub(crate) name: String,
    /// Which promise it breaks.
    pub(crate) why: String,
    /// What follows `cargo test`.
    pub(crate) tests: Vec<String>,
    /// The changes.
    pub(crate) hunks: Vec<Hunk>,
}

/// A change of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// The file, from the root of the repository.
    pub(crate) file: String,
    /// What must be there exactly once.
    search: String,
    /// What comes in its place.
    replacement: String,
}

/// Where in a file the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Search,
    Replacement,
}

impl Mutant {
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut mutant = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let mut part = Part::Head;
        let mut hunk = Hunk::default();
        for line in text.lines() {
            match (part, line) {
                (Part::Head, "<<<<") => part = Part::Search,
                (Part::Search, "====") => part = Part::Replacement,
                (Part::Replacement, ">>>>") => {
                    part = Part::Head;
                    mutant.hunks.push(hunk.clone());
                    (hunk.search, hunk.replacement) = Default::default();
                }
                (Part::Head, "") => {}
                (Part::Head, line) => {
                    let (field, value) = line.split_once(": ").ok_or(format!("line {line:?}"))?;
                    match field {
                        "why" => value.clone_into(&mut mutant.why),
                        "test" => mutant.tests.push(value.to_owned()),
                        "file" => value.clone_into(&mut hunk.file),
                        _ => return Err(format!("field {field:?}")),
                    }
                }
                (Part::Search, line) => push_line(&mut hunk.search, line),
                (Part::Replacement, line) => push_line(&mut hunk.replacement, line),
            }
        }
        let is_whole = part == Part::Head
            && !mutant.why.is_empty()
            && !mutant.tests.is_empty()
            && mutant
                .hunks
                .iter()
                .all(|hunk| !hunk.file.is_empty() && !hunk.search.is_empty());
        if !is_whole || mutant.hunks.is_empty() {
            return Err("it lacks a reason, a test or a change".to_owned());
        }
        Ok(mutant)
    }

    /// Fails unless each text that is searched for is there exactly once.
    ///
    /// # Errors
    ///
    /// What is not.
    pub(crate) fn check(&self, tree: &Tree) -> Result<(), Failure> {
        for hunk in &self.hunks {
            self.mutated(&tree.read(&hunk.file)?, hunk)?;
        }
        Ok(())
    }

    /// Changes the files of a copy; gives each with what it held before.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and where a file cannot be written.
    pub(crate) fn apply(&self, tree: &Tree) -> Result<Vec<(String, String)>, Failure> {
        let mut before = Vec::with_capacity(self.hunks.len());
        for hunk in &self.hunks {
            let text = tree.read(&hunk.file)?;
            tree.write(&hunk.file, &self.mutated(&text, hunk)?)?;
            before.push((hunk.file.clone(), text));
        }
        Ok(before)
    }

    fn mutated(&self, text: &str, hunk: &Hunk) -> Result<String, Failure> {
        let count = text.matches(&hunk.search).count();
        if count == 1 {
            return Ok(text.replacen(&hunk.search, &hunk.replacement, 1));
        }
        let file = &hunk.file;
        Err(Failure::Usage(format!(
            "mutant {} no longer fits: its text stands {count} times in {file}",
            self.name
        )))
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Reads all mutants of a directory, in the order of their names.
///
/// # Errors
///
/// If one cannot be read.
pub(crate) fn read_all(directory: &Path) -> Result<Vec<Mutant>, Failure> {
    let mut mutants = Vec::new();
    for entry in fs::read_dir(directory).doing("list", directory)? {
        let path = entry.doing("list", directory)?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "mutant")
        {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path).doing("read", &path)?;
        let mutant = Mutant::parse(&name, &text);
        mutants.push(mutant.map_err(|what| Failure::Usage(format!("mutant {name}: {what}")))?);
    }
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    use super::Mutant;

    const SAMPLE: &str = "why: it lies\ntest: -p a\nfile: x.rs\n<<<<\none\n====\ntwo\n>>>>\n";

    #[test]
    fn a_mutant_changes_what_is_there_once() {
        let mutant = Mutant::parse("m", SAMPLE).unwrap();
        let mutate = |text: &str| mutant.mutated(text, &mutant.hunks[0]);
        assert_eq!(mutate("zero\none\nthree\n").unwrap(), "zero\ntwo\nthree\n");
        assert!(mutate("zero\n").is_err());
        assert!(mutate("one\none\n").is_err());
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for lost in [
            "why: it lies\n",
            "test: -p a\n",
            "file: x.rs\n",
            "one\n",
            ">>>>\n",
        ] {
            assert!(
                Mutant::parse("m", &SAMPLE.replace(lost, "")).is_err(),
                "{lost}"
            );
        }
        assert!(Mutant::parse("m", &format!("{SAMPLE}nonsense\n")).is_err());
    }
}
