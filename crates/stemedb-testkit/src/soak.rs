//! The soak: a child process uses a database as hard as it can, and its parent kills it, starves it of disk, restarts it and checks.
//!
//! The child ([`child`]) announces on a pipe what it submits, and then what was acknowledged, in the lines of [`wire`]; its records
//! are a function of a seed and a number ([`record`]). The parent ([`parent`]) plans each life of a child by the seed ([`plan`]),
//! and after each looks at what is left ([`check`]) with the oracle of all harnesses.
//!
//! Which acknowledgements must be there after a life:
//!
//! - those under `Durability::Sync`, always;
//! - those under `Durability::Interval`, if no write could fail in that life. They are answered after the write, and what is written
//!   stays in the page cache when a process dies, so that a kill takes nothing. If the disk was full in between, the journal
//!   may have been poisoned and opened anew before an fsync, and they count as submitted only;
//! - all that an earlier check has found, since readers have seen it then.

use std::path::PathBuf;

use clap::Args;

mod check;
mod child;
mod damage;
mod disk;
mod ledger;
mod life;
mod parent;
mod plan;
mod process;
mod record;
mod report;
mod wire;

pub(crate) use child::run as run_child;
pub(crate) use parent::run;

/// How long and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How long to go on; fractions are allowed.
    #[arg(long)]
    minutes: f64,
    /// Makes the same plan again.
    #[arg(long)]
    seed: Option<u64>,
    /// Where to work; a new directory beside other temporary files by default. It must not exist or be empty.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Keep the files also if nothing was found.
    #[arg(long)]
    keep: bool,
}

/// What the parent tells a child.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChildOptions {
    /// The database.
    #[arg(long)]
    directory: PathBuf,
    /// Which records the database gets.
    #[arg(long)]
    seed: u64,
    /// Decides what this life does.
    #[arg(long)]
    life: u64,
    /// The number of the first record that was not announced yet.
    #[arg(long)]
    from: u64,
}
