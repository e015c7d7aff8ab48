//! A whole run: peers up, rounds, tables, peers down.

use std::path::Path;

use stemedb::error_chain;
use tokio::runtime::{Builder, Runtime};

use crate::args::Options;
use crate::bench::{Bench, PARTS, State};
use crate::clock;
use crate::document;
use crate::failure::{Doing, Result};
use crate::file;
use crate::goal;
use crate::interrupt;
use crate::machine::{Machine, cores};
use crate::output::{say, tell};
use crate::peer::{self, Peers, sqlite};
use crate::plot;
use crate::report::{Report, Setting};
use crate::table;

/// What is said of a run that had no time.
pub(crate) const QUICK: &str =
    "A quick run: everything ran, and no figure or verdict says anything.";

/// Runs what is asked for, and prints and writes what was measured.
///
/// # Errors
///
/// If nothing could be measured at all; a part that fails is noted as left out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let home = tempfile::Builder::new()
        .prefix("stemedb-bench-")
        .tempdir_in(&options.directory);
    let home = home.doing("make a directory")?;
    let runtime = runtime()?;
    interrupt::listen(home.path())?;
    let report = {
        let peers = Peers::start(&home.path().join(peer::DIRECTORY))?;
        let mut report = Report::new(setting(options, &peers));
        rounds(options, home.path(), (&peers, &runtime), &mut report);
        report
    };
    let report = Report {
        goals: goal::judge(&report),
        ..report
    };
    print(&report);
    write(options, &report)
}

fn runtime() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(cores()).enable_all();
    builder.build().doing("start threads")
}

fn setting(options: &Options, peers: &Peers) -> Setting {
    let mut versions = peers.versions();
    versions.insert("sqlite".to_owned(), sqlite::Database::version().to_owned());
    let own = || std::env::args().collect::<Vec<_>>().join(" ");
    Setting {
        command: options.called.clone().unwrap_or_else(own),
        date: clock::today(),
        rounds: options.rounds,
        records: options.records,
        is_quick: options.quick,
        machine: Machine::here(&options.directory),
        peers: versions,
    }
}

fn rounds(
    options: &Options,
    home: &Path,
    (peers, runtime): (&Peers, &Runtime),
    report: &mut Report,
) {
    let mut state = State::default();
    for round in 0..options.rounds {
        for part in PARTS
            .iter()
            .filter(|part| options.wants(part.name) && round < part.rounds_max)
        {
            let mut bench = Bench {
                options,
                home,
                peers,
                runtime,
                report,
                state: &mut state,
                round,
            };
            if let Err(failure) = (part.round)(&mut bench) {
                let text = format!("{}: {}", part.name, error_chain(&failure));
                tell(format_args!("error: {text}"));
                report.leave_out(text);
            }
        }
    }
}

fn print(report: &Report) {
    for name in report.benchmarks() {
        say(format_args!(
            "## {name}\n\n{}",
            table::benchmark(report, name)
        ));
    }
    if report.setting.is_quick {
        say(QUICK);
    }
    for what in &report.left_out {
        say(format_args!("left out: {what}"));
    }
    say(format_args!("## Goals\n\n{}", table::goals(&report.goals)));
}

fn write(options: &Options, report: &Report) -> Result<()> {
    let plots = plot::all(report);
    if let Some(directory) = &options.plots {
        plot::write(&plots, directory)?;
    }
    if let Some(path) = &options.json {
        let json = serde_json::to_vec_pretty(report).doing("write the report as JSON")?;
        file::write(path, json).doing(format!("write {}", path.display()))?;
    }
    if let Some(path) = &options.document {
        let beside = path.parent().unwrap_or(Path::new(""));
        let directory = options.plots.as_deref();
        let directory = directory.map(|plots| plots.strip_prefix(beside).unwrap_or(plots));
        document::update(path, &document::measured(report, &plots, directory))?;
    }
    Ok(())
}
