//! Long proofs of `StemeDB` that no `cargo test` runs.
//!
//! `soak` has a child process use a database while its parent kills it, starves it of disk and checks what is left.
//! It ends with 0 where all is well, with 1 where a promise is broken, and with 2 where it could not do its work.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod clock;
mod failure;
mod output;
mod soak;

use output::say;

#[derive(Debug, Parser)]
#[command(name = "stemedb-testkit", about = "Long proofs of StemeDB")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kill, starve and restart a process that uses a database, and check what is left each time.
    Soak(soak::Options),
    /// The process that is killed.
    #[command(hide = true)]
    SoakChild(soak::ChildOptions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Soak(options) => soak::run(&options),
        Command::SoakChild(options) => return soak::run_child(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("error: {}", failure::chain(&failure)));
            ExitCode::from(failure.exit())
        }
    }
}
