//! Tables, aligned for a terminal and for a document alike.

use crate::goal::Judged;
use crate::report::{Cell, Quantity, Report};

/// Rows of text under a head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self::default();
        table.push(head);
        table
    }

    pub(crate) fn push<T: Into<String>>(&mut self, row: impl IntoIterator<Item = T>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// The table in Markdown, which a terminal shows well enough.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column: usize| {
            let widths = self.rows.iter().map(|row| cell(row, column).len());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells = widths.iter().enumerate();
            let cells = cells.map(|(column, width)| format!(" {:<width$} ", cell(row, column)));
            text += &line(cells);
            if number == 0 {
                text += &line(widths.iter().map(|width| "-".repeat(width + 2)));
            }
        }
        text
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("|{}|\n", cells.join("|"))
}

/// What became of every goal.
pub(crate) fn goals(goals: &[Judged]) -> String {
    let mut table = Table::new(["goal", "what", "demanded", "measured", "verdict"]);
    for goal in goals {
        let measured = goal.measured.map_or_else(
            || "-".to_owned(),
            |spread| format!("{}{}", spread.text(), goal.unit),
        );
        table.push([
            goal.name,
            goal.what,
            &goal.bound,
            &measured,
            goal.verdict.text(),
        ]);
    }
    table.text()
}

/// What a benchmark measured: a row for each subject, and a last column that compares with the first of them.
pub(crate) fn benchmark(report: &Report, name: &str) -> String {
    let quantities = report.quantities(name);
    let subjects = report.subjects(name);
    let lead = quantities.first().copied();
    let mut head = vec!["subject"];
    head.extend(quantities.iter().map(|quantity| quantity.head()));
    head.push("ratio to the first");
    let mut table = Table::new(head);
    for subject in &subjects {
        let mut row = vec![(*subject).to_owned()];
        for quantity in &quantities {
            let spread = report.spread(&Cell::new(name, subject, *quantity));
            row.push(spread.map_or_else(|| "-".to_owned(), |spread| spread.text()));
        }
        row.push(ratio(report, name, (subject, subjects.first()), lead));
        table.push(row);
    }
    table.text()
}

fn ratio(
    report: &Report,
    name: &str,
    (subject, first): (&str, Option<&&str>),
    quantity: Option<Quantity>,
) -> String {
    let pair = first.zip(quantity).and_then(|(first, quantity)| {
        let rounds = |subject: &str| report.rounds(&Cell::new(name, subject, quantity));
        let pairs = rounds(subject).iter().zip(rounds(first));
        let ratios: Vec<f64> = pairs.map(|(this, first)| this / first).collect();
        crate::report::Spread::of(&ratios)
    });
    pair.map_or_else(|| "-".to_owned(), |spread| spread.text())
}
