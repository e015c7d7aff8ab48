//! Benchmarks of `StemeDB`: ours and the peers on the same records in one run, interleaved, several times.
//!
//! It prints tables of medians with their spread, and for each goal what was measured. `scripts/bench.sh` builds it as a release is
//! built, and writes `docs/BENCHMARKS.md` with it. `stemedb-bench soak` is apart: the server for half an hour, with bad clients.

use std::process::ExitCode;

use clap::Parser;
use stemedb::error_chain;
use tikv_jemallocator::Jemalloc;

mod args;
mod bench;
mod claim;
mod clock;
mod document;
mod drive;
mod failure;
mod file;
mod goal;
mod interrupt;
mod load;
mod machine;
mod number;
mod output;
mod peer;
mod plot;
mod process;
mod report;
mod run;
mod soak;
mod subject;
mod table;
mod task;
mod vfs;

use output::tell;

/// Threads that allocate what others free leave holes in the memory that the allocator of the C library gives each of them.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    match arguments.nth(1).as_deref() {
        Some("task") => return task::run(std::iter::once("task".to_owned()).chain(arguments)),
        Some("soak") => return soak::run(std::iter::once("soak".to_owned()).chain(arguments)),
        _ => {}
    }
    match run::run(&args::Options::parse().settled()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(format_args!("error: {}", error_chain(&failure)));
            ExitCode::FAILURE
        }
    }
}
