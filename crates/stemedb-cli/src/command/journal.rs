//! `journal`: the ledger as it lies on disk.

use std::{ops::ControlFlow, path::Path};

use serde::Serialize;
use stemedb::maintenance::{self, DumpedGroup, JournalItem, SalvageReport};

use super::{Context, record::print_rows};
use crate::{
    args::Journal,
    failure::{Exit, Failure},
    file,
    output::{Form, Output},
    text::{self, grouped, printable},
};

/// The answer of `journal info` with `--json`.
#[derive(Debug, Default, Serialize)]
struct Info {
    segments: u64,
    groups: u64,
    records: u64,
    bytes: u64,
    last_sequence: u64,
    head_hash: Option<String>,
    damaged: u64,
    segments_missing: u64,
}

/// The answer of `journal salvage` with `--json`.
#[derive(Debug, Serialize)]
struct Salvaged {
    journal: String,
    records: u64,
    missing: Vec<Range>,
    damaged: Vec<Damaged>,
}

/// Sequences that could not be kept.
#[derive(Debug, Serialize)]
struct Range {
    first: u64,
    last: u64,
}

/// A place of damage.
#[derive(Debug, Serialize)]
struct Damaged {
    file: String,
    offset: u64,
    found: String,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: Journal) -> Result<Exit, Failure> {
    match args {
        Journal::Info => info(context),
        Journal::Dump => dump(context),
        Journal::Salvage { destination } => salvage(context, &destination),
    }
}

fn info(context: &mut Context) -> Result<Exit, Failure> {
    let mut info = Info::default();
    maintenance::dump_journal(context.dir(), &mut |item| {
        info.add(&item);
        ControlFlow::Continue(())
    })?;
    match context.output.form() {
        Form::Json => context.output.json(&info)?,
        Form::People => print_rows(&mut context.output, &info.rows())?,
    }
    Ok(match info.damaged + info.segments_missing {
        0 => Exit::Fine,
        _ => Exit::Found,
    })
}

impl Info {
    fn add(&mut self, item: &JournalItem) {
        match item {
            JournalItem::Segment { .. } => self.segments += 1,
            JournalItem::Group(group) => self.add_group(group),
            JournalItem::Damage { .. } => self.damaged += 1,
            JournalItem::Missing { from, to } => {
                self.segments_missing += to.saturating_sub(*from) + 1;
            }
            // Zeros are room for groups to come.
            _ => {}
        }
    }

    fn add_group(&mut self, group: &DumpedGroup) {
        self.groups += 1;
        self.bytes += group.bytes;
        self.records += count(group.records.len());
        if let Some(last) = group.records.last() {
            self.last_sequence = last.sequence;
            self.head_hash = Some(group.hash.clone());
        }
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let head_hash = self.head_hash.as_deref();
        vec![
            ("segments", grouped(self.segments)),
            ("groups", grouped(self.groups)),
            ("records", grouped(self.records)),
            ("bytes of groups", grouped(self.bytes)),
            ("last sequence", grouped(self.last_sequence)),
            (
                "head hash",
                head_hash.unwrap_or("none, there is no record").to_owned(),
            ),
            ("damaged places", grouped(self.damaged)),
            ("segments missing", grouped(self.segments_missing)),
        ]
    }
}

fn dump(context: &mut Context) -> Result<Exit, Failure> {
    let output = &mut context.output;
    let mut printed = Ok(());
    maintenance::dump_journal(&context.settings.dir.value, &mut |item| {
        printed = print(output, &item);
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    printed.map(|()| Exit::Fine)
}

fn print(output: &mut Output, item: &JournalItem) -> Result<(), Failure> {
    match item {
        JournalItem::Segment {
            number,
            file,
            bytes,
            first_group,
            first_sequence,
        } => {
            let known = |number: &Option<u64>| number.map_or("?".into(), |it| it.to_string());
            output.line(format_args!(
                "segment {number} file {} bytes {bytes} first_group {} first_sequence {}",
                printable(file),
                known(first_group),
                known(first_sequence)
            ))
        }
        JournalItem::Group(group) => print_group(output, group),
        JournalItem::Damage {
            file,
            offset,
            bytes,
            fault,
        } => output.line(format_args!(
            "damage file {} offset {offset} bytes {bytes}: {}",
            printable(file),
            printable(fault)
        )),
        JournalItem::Zeros { offset, bytes } => {
            output.line(format_args!("zeros offset {offset} bytes {bytes}"))
        }
        JournalItem::Missing { from, to } => {
            output.line(format_args!("missing segments {from} to {to}"))
        }
        other => {
            let text = format!("{other:?}");
            output.line(printable(&text))
        }
    }
}

fn print_group(output: &mut Output, group: &DumpedGroup) -> Result<(), Failure> {
    let chained = if group.is_chained {
        "chained"
    } else {
        "not chained to the group before"
    };
    output.line(format_args!(
        "group {} offset {} bytes {} first_sequence {} records {} durable_upto {} arrived_at {} previous {} hash {} {chained}",
        group.number,
        group.offset,
        group.bytes,
        group.first_sequence,
        group.records.len(),
        group.durable_upto,
        text::time(group.arrived_at_ms),
        group.previous,
        group.hash,
    ))?;
    for record in &group.records {
        let verified = if record.is_verified { " verified" } else { "" };
        output.line(format_args!(
            "record {} bytes {}{verified} {}",
            record.sequence,
            record.payload.len(),
            text::hex(&record.payload)
        ))?;
    }
    Ok(())
}

fn salvage(context: &mut Context, destination: &Path) -> Result<Exit, Failure> {
    if file::holds_files(destination) {
        let text = format!("{} is not empty", destination.display());
        return Err(Failure::new(Exit::Usage, text).advise("name a new directory"));
    }
    let report = maintenance::salvage(context.dir(), destination)?;
    let salvaged = Salvaged::from(report);
    let output = &mut context.output;
    match output.form() {
        Form::Json => output.json(&salvaged)?,
        Form::People => {
            let place = destination.display().to_string();
            output.line(format_args!(
                "{} were written to {}",
                text::counted(salvaged.records, "record", "records"),
                printable(&place)
            ))?;
            for Range { first, last } in &salvaged.missing {
                output.line(format_args!("missing: sequences {first} to {last}"))?;
            }
            for damaged in &salvaged.damaged {
                let Damaged {
                    file,
                    offset,
                    found,
                } = damaged;
                let line = format!("damaged: {file}: offset {offset}: {found}");
                output.line(printable(&line))?;
            }
        }
    }
    let is_whole = salvaged.missing.is_empty() && salvaged.damaged.is_empty();
    Ok(if is_whole { Exit::Fine } else { Exit::Found })
}

impl From<SalvageReport> for Salvaged {
    fn from(report: SalvageReport) -> Self {
        let range = |(first, last)| Range { first, last };
        let damaged = |(file, offset, found)| Damaged {
            file,
            offset,
            found,
        };
        Self {
            journal: report.journal,
            records: report.records,
            missing: report.missing.into_iter().map(range).collect(),
            damaged: report.damaged.into_iter().map(damaged).collect(),
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
