//! `completions`: what a shell needs to complete our command line.

use clap::CommandFactory as _;

use super::Context;
use crate::{
    args::{Cli, Completions},
    failure::{Exit, Failure},
};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Completions) -> Result<Exit, Failure> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stemedb", &mut script);
    context.output.bytes(&script)?;
    Ok(Exit::Fine)
}
