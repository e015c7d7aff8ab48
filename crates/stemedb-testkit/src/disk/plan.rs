//! Which operations fail, and how.

use std::io;

use super::{Random, SimDisk};

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
    /// Creating a directory.
    CreateDirectory,
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

impl SimDisk {
    /// Has a few reads and writes, each among the next `within` of its kind, do a byte or be interrupted: nobody may mind. Gives how many.
    pub fn plan_nuisances(&self, random: &mut Random, within: u64) -> u64 {
        let count = random.below(6);
        for _ in 0..count {
            let effects = [Effect::Short, Effect::Fail(io::ErrorKind::Interrupted)];
            let effect = random.pick(&effects).copied();
            let operation = random.pick(&[Operation::Write, Operation::Read]).copied();
            let passing = random.below(within);
            self.plan(operation, passing, effect.unwrap_or(Effect::Short));
        }
        count
    }

    /// Has an operation that changes the disk fail, among the next `within` of its kind; gives which.
    pub fn plan_error(&self, random: &mut Random, within: u64) -> Operation {
        let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
        let kind = random.pick(&kinds).copied().unwrap_or(io::ErrorKind::Other);
        let operations = [
            Operation::Write,
            Operation::Sync,
            Operation::SyncDirectory,
            Operation::SetLen,
            Operation::Rename,
        ];
        let operation = random.pick(&operations).copied();
        let operation = operation.unwrap_or(Operation::Write);
        let passing = random.below(within);
        self.plan(Some(operation), passing, Effect::Fail(kind));
        operation
    }
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
