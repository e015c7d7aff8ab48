//! The `stemedb` program: a database for claims on the command line.
//!
//! What a command answers goes to standard output, everything else to standard error.
//! The exit codes stand in [`failure::Exit`] and in `stemedb --help`.

use std::{
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
};

use tikv_jemallocator::Jemalloc;

mod args;
mod claims;
mod clock;
mod command;
mod config;
mod failure;
mod file;
mod input;
mod log;
mod output;
mod remote;
mod text;

use command::Context;
use failure::{Exit, Failure, say_failure};
use output::{Output, say};

/// Threads that allocate what others free leave holes in the memory that the allocator of the C library gives each of them.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    panic::set_hook(Box::new(say_panic));
    let exit = guarded(run);
    log::end();
    ExitCode::from(exit.code())
}

/// Does `work`, and ends in order even if it panics: an engine below us may do so on damage.
fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    // The hook has said what is wrong.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Corruption)
}

/// Does what the command line asks for, and says what went wrong.
fn run() -> Exit {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(answer) => return end_with(print_help(&answer)),
    };
    let resolved = config::resolve(&cli.flags, std::env::var_os).or_else(|failure| {
        // What is set wrong does not stand in the way of what does not depend on it.
        if cli.command.needs_settings() {
            Err(failure)
        } else {
            config::from_flags(&cli.flags)
        }
    });
    let settings = match resolved {
        Ok(settings) => settings,
        Err(failure) => return end_with(Err(failure)),
    };
    let output = Output::new(settings.form(), settings.talk());
    let mut context = Context { settings, output };
    end_with(command::run(cli, &mut context))
}

fn end_with(result: Result<Exit, Failure>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            say_failure(&failure);
            failure.exit()
        }
    }
}

/// Prints the help that was asked for, or why the command line makes no sense.
fn print_help(answer: &clap::Error) -> Result<Exit, Failure> {
    match answer.print() {
        Ok(()) if answer.use_stderr() => Ok(Exit::Usage),
        Ok(()) => Ok(Exit::Fine),
        Err(error) if answer.use_stderr() => {
            Err(Failure::file(Exit::Usage, "standard error", &error))
        }
        Err(error) => Err(Failure::stdout(&error)),
    }
}

/// Makes one line of a panic.
fn say_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    say(panic_line(panic.payload_as_str(), place.as_deref()));
}

fn panic_line(message: Option<&str>, place: Option<&str>) -> String {
    let message = message.unwrap_or("no message");
    let place = place.unwrap_or("unknown place");
    format!(
        "error: internal failure at {place}: {message}; run `stemedb verify`, and report this if it finds nothing"
    )
}

#[cfg(test)]
mod tests {
    use super::{guarded, panic_line};
    use crate::{failure::Exit, text::printable};

    #[test]
    fn a_panic_ends_with_the_code_of_corruption() {
        assert_eq!(guarded(|| Exit::Found).code(), 1);
        let ended = guarded(|| panic!("an engine found damage"));
        assert_eq!(ended.code(), 5);
    }

    #[test]
    fn a_panic_is_said_in_one_line() {
        let line = panic_line(Some("left: 1\nright: 2"), Some("engine.rs:7:9"));
        let said = printable(&line);
        assert_eq!(said.lines().count(), 1);
        assert!(
            said.starts_with("error: internal failure at engine.rs:7:9: left: 1\\nright: 2;"),
            "{said}"
        );
        assert!(panic_line(None, None).contains("at unknown place: no message"));
    }
}
