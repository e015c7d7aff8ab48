//! `store`: keys and values as they lie on disk.

use std::ops::ControlFlow;

use stemedb::maintenance::{self, StoreEntry};

use super::Context;
use crate::{
    args::Store,
    failure::{Exit, Failure},
    output::Output,
    text::{hex, printable},
};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Store) -> Result<Exit, Failure> {
    match args {
        Store::Dump => dump(context),
    }
}

fn dump(context: &mut Context) -> Result<Exit, Failure> {
    let output = &mut context.output;
    let mut printed = Ok(());
    let mut exit = Exit::Fine;
    maintenance::dump_store(&context.settings.dir.value, &mut |entry| {
        if entry.fault.is_some() {
            exit = Exit::Found;
        }
        printed = print(output, &entry);
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    printed.map(|()| exit)
}

fn print(output: &mut Output, entry: &StoreEntry) -> Result<(), Failure> {
    let fault = entry.fault.as_ref().map(|fault| format!(" fault: {fault}"));
    let fault = fault.unwrap_or_default();
    output.line(format_args!(
        "{} {} {}{}",
        entry.engine,
        printable(&entry.key),
        hex(&entry.envelope),
        printable(&fault)
    ))
}
