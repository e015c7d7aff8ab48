//! The file of figures: a name and a count in each line, a tab between them.

use crate::failure::Failure;

#[cfg(test)]
mod tests;

/// The command that writes the file.
pub(super) const COMMAND: &str = "cargo run --release -p stemedb-testkit -- instructions --write";

/// By how much a row may rise before it fails, and fall before it is spoken of, in percent.
const CHANGE_PERCENT_MAX: u64 = 10;

/// What stands at the top of the file.
const HEAD: &str = "\
# Instructions per record, of the release build, all threads together: name, tab, count.
#
# `cargo run --release -p stemedb-testkit -- instructions` counts them anew, and fails where a row rose by more than 10 %.
# With `--write` it writes this file, with `--only NAME ..` it counts some rows. A commit that writes it says why a row rose.
#
# valgrind (callgrind) counts what the processor is given, so that other work on the machine does not matter. Each workload runs with
# a number of operations and with twice as many; the difference is divided by the records, and what starting costs falls out.
# The kernel's work is not counted, and nothing waits for a disk: a lower count is less work, not always less time.
#
# valgrind shows programs one and the same processor wherever it finds AVX2 (a Haswell, without AVX-512), so that code which chooses by
# the processor chooses alike; one without AVX2 gives other counts. So may another compiler, C library or valgrind: then write the file
# on the commit before, and compare with that. From run to run the counts differ by what hashing with random seeds and waiting for
# other threads cost: by 0.7 % at most in five runs on a busy machine, and by up to 3 % with the length of the directory's path.
";

/// What the line begins with that names the tools.
const TOOLS: &str = "#\n# Counted with ";

/// A path through the code, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    /// Instructions for each record.
    pub(super) instructions: u64,
}

/// The figures of the file, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<Row>);

/// What a comparison found, a line for each row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Rows that rose too far, or that the file does not have: failures.
    pub(super) rises: Vec<String>,
    /// Rows that fell: gains, to be written down.
    pub(super) falls: Vec<String>,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If a line is neither a comment nor a row.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let lines = text
            .lines()
            .zip(1..)
            .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let rows = lines.map(|(line, number)| {
            parse_row(line)
                .ok_or_else(|| Failure::Usage(format!("line {number} of the figures is no row")))
        });
        rows.collect::<Result<_, _>>().map(Self)
    }

    /// The table with rows that were counted anew in the place of those of their names, or at its end.
    pub(super) fn with(mut self, rows: Vec<Row>) -> Self {
        for row in rows {
            match self.0.iter_mut().find(|old| old.name == row.name) {
                Some(old) => *old = row,
                None => self.0.push(row),
            }
        }
        self
    }

    /// The text of the file, for figures that were counted with these tools.
    pub(super) fn render(&self, tools: &str) -> String {
        let rows = self
            .0
            .iter()
            .map(|row| format!("{}\t{}\n", row.name, row.instructions));
        let head = [HEAD.to_owned(), format!("{TOOLS}{tools}\n")];
        head.into_iter().chain(rows).collect()
    }

    /// Compares what was counted with the file.
    pub(super) fn compare(&self, counted: &[Row]) -> Report {
        let mut report = Report::default();
        for row in counted {
            let Some(old) = self.0.iter().find(|old| old.name == row.name) else {
                let line = format!("{}: not in the file: `{COMMAND}` writes it", row.name);
                report.rises.push(line);
                continue;
            };
            let change = format!("{}: {} -> {}", row.name, old.instructions, row.instructions);
            if is_above(row.instructions, old.instructions) {
                report.rises.push(format!(
                    "{change}: a rise of more than {CHANGE_PERCENT_MAX} %"
                ));
            } else if is_below(row.instructions, old.instructions) {
                report
                    .falls
                    .push(format!("{change}: a gain: `{COMMAND}` writes it down"));
            }
        }
        report
    }
}

fn parse_row(line: &str) -> Option<Row> {
    let (name, count) = line.split_once('\t')?;
    let instructions = count.parse().ok()?;
    (!name.is_empty()).then(|| Row {
        name: name.to_owned(),
        instructions,
    })
}

fn is_above(new: u64, old: u64) -> bool {
    new.saturating_mul(100) > old.saturating_mul(100 + CHANGE_PERCENT_MAX)
}

fn is_below(new: u64, old: u64) -> bool {
    new.saturating_mul(100) < old.saturating_mul(100 - CHANGE_PERCENT_MAX)
}
