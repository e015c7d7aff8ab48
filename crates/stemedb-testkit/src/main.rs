//! Long proofs of `StemeDB` that no `cargo test` runs: the soak, the mutants, the table of failure cases, the counts of instructions.
//!
//! `soak` has a child process use a database while its parent kills it, starves it of disk and checks what is left.
//! `cases` runs the commands that prove the failure cases of `docs/DURABILITY.md`.
//! `mutants` breaks a copy of the code in one place after the other, and demands that a test notices.
//! `instructions` counts what a record costs, and compares it with a file.
//! They end with 0 where all is well, with 1 where a promise is broken, and with 2 where they could not do their work.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod clock;
mod evidence;
mod failure;
mod instructions;
mod mutants;
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
    /// Run the commands that prove the failure cases of docs/DURABILITY.md, from the top of the repository.
    Cases {
        /// The cases, by their numbers; all of them by default.
        numbers: Vec<u32>,
    },
    /// Count the instructions per record under valgrind, and compare them with docs/instructions.tsv.
    Instructions(instructions::Options),
    /// The process that is counted.
    #[command(hide = true)]
    InstructionsChild(instructions::ChildOptions),
    /// Break a copy of the code in one place after the other; a test must fail each time.
    Mutants(mutants::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Soak(options) => soak::run(&options),
        Command::Cases { numbers } => evidence::run(&numbers),
        Command::SoakChild(options) => return soak::run_child(&options),
        Command::Instructions(options) => instructions::run(&options),
        Command::InstructionsChild(options) => instructions::run_child(&options),
        Command::Mutants(options) => mutants::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("error: {}", failure::chain(&failure)));
            ExitCode::from(failure.exit())
        }
    }
}
