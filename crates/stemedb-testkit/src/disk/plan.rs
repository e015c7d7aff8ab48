//! Which operations fail, and how.

use std::io;

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Opening or creating a file.
    Open,
    /// Reading from a file, its length included.
    Read,
    /// Writing to a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Cutting or extending a file.
    SetLen,
    /// Listing a directory.
    List,
    /// Renaming a file.
    Rename,
    /// Giving a file one name more.
    Link,
    /// Removing a file.
    Remove,
    /// Syncing a directory.
    SyncDirectory,
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It fails with this error. A sync loses what it was to make durable.
    Fail(io::ErrorKind),
    /// A read or a write does one byte; anything else is done.
    Short,
    /// A read gives one wrong bit, this time only; anything else is done.
    WrongBit,
    /// The power goes: this and all later operations fail until [`SimDisk::crash`](super::SimDisk::crash).
    PowerLoss,
}

/// An effect that waits for its operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// `None` stands for any operation.
    pub(super) operation: Option<Operation>,
    /// How many such operations still pass.
    pub(super) passing: u64,
    pub(super) effect: Effect,
}

/// Takes the effect on the operation that is done now.
pub(super) fn take(planned: &mut Vec<Planned>, operation: Operation) -> Option<Effect> {
    let mut effect = None;
    planned.retain_mut(|plan| {
        let concerned = plan.operation.is_none_or(|wanted| wanted == operation);
        if !concerned {
            return true;
        }
        if plan.passing > 0 || effect.is_some() {
            plan.passing = plan.passing.saturating_sub(1);
            return true;
        }
        effect = Some(plan.effect);
        false
    });
    effect
}
