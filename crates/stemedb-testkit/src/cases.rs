//! The table of failure cases at the end of `docs/DURABILITY.md`, as data: which command proves which case.
//!
//! The document is the only place where the table stands. The program of this crate runs its commands (`cases`), and a test holds every
//! command to name a test that exists, for a filter that matches nothing passes without having tested anything.

use std::process::{Command, Stdio};

/// The heading under which the table stands.
const HEADING: &str = "## Every case";

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its number, from 1.
    pub number: u32,
    /// What happens.
    pub title: String,
    /// What must pass.
    pub commands: Vec<String>,
}

/// Reads the table out of the document.
#[must_use]
pub fn parse(document: &str) -> Vec<Case> {
    let lines = document.lines().skip_while(|line| *line != HEADING).skip(1);
    let section = lines.take_while(|line| !line.starts_with("## "));
    section.filter_map(row).collect()
}

/// Reads `| number | what happens | what is done | commands in backquotes |`.
fn row(line: &str) -> Option<Case> {
    let cells: Vec<&str> = line.split(" | ").collect();
    let [number, title, .., commands] = cells.as_slice() else {
        return None;
    };
    Some(Case {
        number: number.trim_start_matches("| ").trim().parse().ok()?,
        title: (*title).to_owned(),
        commands: spans(commands),
    })
}

/// What stands in backquotes.
fn spans(text: &str) -> Vec<String> {
    let odd = text.split('`').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}

/// Why a case is not proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unproven {
    /// A command could not be started.
    #[error("`{command}` did not start")]
    Start {
        /// The command.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command failed.
    #[error("`{command}` failed:\n{output}")]
    Failed {
        /// The command.
        command: String,
        /// What it printed.
        output: String,
    },
    /// A command passed without having run any test.
    #[error("`{command}` ran no test")]
    Nothing {
        /// The command.
        command: String,
    },
}

/// Runs a command of the table in the present directory; gives how many tests it ran.
///
/// # Errors
///
/// See [`Unproven`].
pub fn prove(command: &str) -> Result<u64, Unproven> {
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", command]).stdin(Stdio::null());
    let output = shell.output().map_err(|source| Unproven::Start {
        command: command.to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Unproven::Failed {
            command: command.to_owned(),
            output: format!("{text}{errors}"),
        });
    }
    match passed(&text) {
        0 => Err(Unproven::Nothing {
            command: command.to_owned(),
        }),
        count => Ok(count),
    }
}

/// Adds up the tests that passed in the output of a test run.
fn passed(output: &str) -> u64 {
    let results = output.lines().filter_map(|line| {
        let counts = line.strip_prefix("test result: ok. ")?;
        counts.split_once(" passed")?.0.parse::<u64>().ok()
    });
    results.sum()
}

#[cfg(test)]
mod tests {
    use super::{Case, Unproven, parse, passed, prove};

    #[test]
    fn a_row_gives_its_commands() {
        let document = "# T\n\n## Every case\n\n| # | what | done | command |\n|--|--|--|--|\n| 7 | it \
                        rains | umbrella | `cargo test -p a b`, `cargo test c` |\n\n## More\n| 8 | x | y | `z` |\n";
        let commands = vec!["cargo test -p a b".to_owned(), "cargo test c".to_owned()];
        let case = Case {
            number: 7,
            title: "it rains".to_owned(),
            commands,
        };
        assert_eq!(parse(document), [case]);
    }

    #[test]
    fn tests_of_several_binaries_are_added_up() {
        let output =
            "test result: ok. 2 passed; 0 failed\nx\ntest result: ok. 3 passed; 0 failed\n";
        assert_eq!(passed(output), 5);
    }

    #[test]
    fn a_command_that_fails_or_tests_nothing_proves_nothing() {
        let line = "test result: ok. 1 passed; 0 failed";
        assert_eq!(prove(&format!("echo '{line}'")).unwrap(), 1);
        let failed = prove(&format!("echo '{line}'; exit 1")).unwrap_err();
        assert!(matches!(failed, Unproven::Failed { .. }));
        let nothing = prove("echo 'test result: ok. 0 passed; 0 failed'").unwrap_err();
        assert!(matches!(nothing, Unproven::Nothing { .. }));
    }
}
