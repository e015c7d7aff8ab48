//! Instructions per record, counted by valgrind: the cost of the paths that matter, which no other process on the machine changes.
//!
//! Each workload of [`workload`] runs twice in a process of its own, with a number of operations and with twice as many; the
//! difference, divided by the records, is free of what starting costs. The figures stand in a file of the repository ([`table`]), and a
//! rise above its limit is a failure.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::failure::{Doing, Failure};
use crate::output::say;

mod count;
mod line;
mod read;
mod table;
mod workload;
mod write;

use table::{Row, Table};
use workload::{Extent, WORKLOADS, Workload};

/// Where the figures stand, from the top of the repository.
const FILE: &str = "docs/instructions.tsv";

/// What to count.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The only rows to count.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Write the figures down instead of comparing them.
    #[arg(long)]
    write: bool,
    /// Where the workloads write, and valgrind leaves its profiles; a directory under `target` by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// What a counted process does.
#[derive(Debug, clap::Args)]
pub(crate) struct ChildOptions {
    /// The workload.
    name: String,
    /// How often.
    operations: u64,
    /// Where it writes.
    directory: PathBuf,
}

/// Counts, and compares with the file or writes it.
///
/// # Errors
///
/// If a row rose above its limit, the file does not fit, or the counting does not work.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join(FILE);
    let directory = options.directory.clone();
    let directory = directory.unwrap_or_else(|| root.join("target/instructions"));
    let chosen = chosen(&options.only)?;
    let tools = count::tools()?;
    let (before, text) = if options.write && options.only.is_empty() {
        (Table::default(), String::new())
    } else {
        let text = fs::read_to_string(&file).doing("read", &file)?;
        (Table::parse(&text)?, text)
    };
    let mut counted = Vec::with_capacity(chosen.len());
    for workload in chosen {
        let row = measure(workload, &directory)?;
        say(format_args!(
            "{:<28} {:>9} instructions per record",
            row.name, row.instructions
        ));
        counted.push(row);
    }
    if options.write {
        let text = before.with(counted).render(&tools);
        #[expect(
            clippy::disallowed_methods,
            reason = "the file is a document of the repository, not data"
        )]
        return fs::write(&file, text).doing("write", &file);
    }
    if !text.contains(&tools) {
        say(format_args!(
            "{FILE} was written with other tools than {tools}"
        ));
    }
    conclude(&before, &counted)
}

/// Does the work of one row: what is counted is this process.
///
/// # Errors
///
/// If the workload is unknown, or fails.
pub(crate) fn run_child(options: &ChildOptions) -> Result<(), Failure> {
    let workload = find(&options.name)?;
    let extent = Extent {
        operations: options.operations,
        operations_max: 2 * workload.operations,
    };
    (workload.run)(&options.directory, extent)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Workload>, Failure> {
    if names.is_empty() {
        return Ok(WORKLOADS.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

fn find(name: &str) -> Result<&'static Workload, Failure> {
    let found = WORKLOADS.iter().find(|workload| workload.name == name);
    found.ok_or_else(|| Failure::Usage(format!("there is no workload {name}")))
}

/// Runs a workload with its number of operations and with twice as many, both at once, each where nothing is yet.
fn measure(workload: &Workload, directory: &Path) -> Result<Row, Failure> {
    let place = directory.join(workload.name.replace('/', "-"));
    let count = |times: u64| {
        let place = place.join(times.to_string());
        if place.exists() {
            fs::remove_dir_all(&place).doing("clear", &place)?;
        }
        fs::create_dir_all(&place).doing("create", &place)?;
        workload.prepare.map_or(Ok(()), |prepare| prepare(&place))?;
        count::instructions(workload.name, workload.operations * times, &place)
    };
    let (once, twice) = thread::scope(|scope| {
        let once = scope.spawn(|| count(1));
        let twice = count(2);
        (once.join(), twice)
    });
    let once = once.unwrap_or_else(|_| Err(Failure::Usage("a count panicked".to_owned())))?;
    let records = workload.operations * workload.records;
    Ok(Row {
        name: workload.name.to_owned(),
        instructions: twice?.saturating_sub(once) / records,
    })
}

/// Fails where a row rose too far; says where one fell.
fn conclude(before: &Table, counted: &[Row]) -> Result<(), Failure> {
    let report = before.compare(counted);
    for line in report.falls.iter().chain(&report.rises) {
        say(line);
    }
    if report.rises.is_empty() {
        return Ok(());
    }
    Err(Failure::violated(format!(
        "more instructions per record than {FILE} allows; if that is meant, `{}` writes it anew",
        table::COMMAND
    )))
}
