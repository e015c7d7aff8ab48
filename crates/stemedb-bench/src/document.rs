//! The published page: what a run measured, between two marks; what people wrote around them stays.

use std::path::Path;

use crate::failure::{Doing, Result};
use crate::file;
use crate::plot::Plot;
use crate::report::Report;
use crate::run::QUICK;
use crate::subject::ABOUT;
use crate::table::{self, Table};

/// After this line the page is written by the program.
const BEGIN: &str = "<!-- measured: begin -->";
/// Before this line it ends.
const END: &str = "<!-- measured: end -->";

/// Writes the page anew between its marks.
///
/// # Errors
///
/// If it cannot be read or written, or has no marks.
pub(crate) fn update(path: &Path, measured: &str) -> Result<()> {
    let name = path.display();
    let page = file::text(path).doing(format!("read {name}"))?;
    let page = replaced(&page, measured).doing(format!("find the marks in {name}"))?;
    file::write(path, page).doing(format!("write {name}"))
}

fn replaced(page: &str, measured: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        measured.trim()
    ))
}

/// The measured part of the page; `plots` lie in a directory that is named as seen from the page.
pub(crate) fn measured(report: &Report, plots: &[Plot], directory: Option<&Path>) -> String {
    let mut parts = vec![
        setting(report),
        "## Goals".to_owned(),
        table::goals(&report.goals),
    ];
    parts.push("## Plots".to_owned());
    for plot in plots {
        let file = directory.map(|directory| directory.join(&plot.file));
        parts.extend(file.map(|file| format!("![{}]({})", plot.title, file.display())));
    }
    parts.push("## What was compared".to_owned());
    let head = [
        "subject",
        "an acknowledgement waits for",
        "what is kept and checked",
    ];
    let mut about = Table::new(head);
    for subject in ABOUT {
        about.push([subject.subject, subject.waits, subject.does]);
    }
    parts.push(about.text());
    parts.push("## Figures".to_owned());
    parts.push("Medians of the rounds, and in brackets the least and the greatest.".to_owned());
    for name in report.benchmarks() {
        parts.push(format!("### `{name}`"));
        parts.push(table::benchmark(report, name));
    }
    let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
    parts.join("\n\n")
}

fn setting(report: &Report) -> String {
    let setting = &report.setting;
    let machine = &setting.machine;
    let versions = setting.peers.iter();
    let peers: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let mut lines = vec![
        format!(
            "Measured on {} by `{}`: {} rounds, {} records to a load.",
            setting.date, setting.command, setting.rounds, setting.records
        ),
        format!(
            "Machine: {}, {} cores, {} GB of memory, Linux {}, {}.",
            machine.processor, machine.cores, machine.memory_gb, machine.kernel, machine.disk
        ),
        format!("Peers: {}.", peers.join(", ")),
    ];
    if setting.is_quick {
        lines.push(QUICK.to_owned());
    }
    lines.extend(
        report
            .left_out
            .iter()
            .map(|what| format!("Left out: {what}.")),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replaced};

    #[test]
    fn what_people_wrote_stays() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nwhy\n");
        let new = replaced(&page, "new\n").unwrap();
        assert_eq!(new, format!("# Title\n{BEGIN}\n\nnew\n\n{END}\nwhy\n"));
        assert_eq!(replaced(&new, "new\n").unwrap(), new);
    }

    #[test]
    fn a_page_without_marks_is_refused() {
        assert_eq!(replaced("# Title\n", "new"), None);
        assert_eq!(replaced(END, BEGIN), None);
    }
}
