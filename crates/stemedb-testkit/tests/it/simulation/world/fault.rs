//! What goes wrong in a life.

use std::io;

use stemedb_testkit::disk::{Effect, Operation};
use stemedb_testkit::engine::{Deed, Script};

use super::World;

impl World {
    pub(super) fn plan_faults(&mut self, process: &Script) {
        self.may_fail = self.sync_failed || self.setup.lie.is_some() || self.setup.defect.is_some();
        if self.random.one_in(4) {
            for _ in 0..self.random.below(6) {
                let effects = [Effect::Short, Effect::Fail(io::ErrorKind::Interrupted)];
                let effect = *self.random.pick(&effects).unwrap();
                let operations = [Operation::Write, Operation::Read];
                let operation = self.random.pick(&operations).copied();
                self.disk.plan(operation, self.random.below(40), effect);
            }
        }
        if self.random.one_in(4) {
            self.may_fail = true;
            self.plan_error();
        }
        if self.random.one_in(10) {
            self.sync_failed = true;
            self.may_fail = true;
            self.stream.fail_next_sync();
        }
        if self.random.one_in(3) {
            let deeds = [
                Deed::Fail,
                Deed::FailLate,
                Deed::Panic,
                Deed::Kill,
                Deed::KillLate,
            ];
            let deed = *self.random.pick(&deeds).unwrap();
            let passing = usize::try_from(self.random.below(40)).unwrap();
            self.may_fail = true;
            process.plan(passing, deed);
        }
        if self.random.one_in(2) {
            let soon = self.random.one_in(2);
            let passing = self.random.below(if soon { 30 } else { 300 });
            self.may_fail = true;
            self.disk.plan(None, passing, Effect::PowerLoss);
        }
    }

    fn plan_error(&mut self) {
        let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
        let kind = *self.random.pick(&kinds).unwrap();
        let operations = [
            Operation::Write,
            Operation::Sync,
            Operation::SyncDirectory,
            Operation::SetLen,
            Operation::Rename,
        ];
        let operation = *self.random.pick(&operations).unwrap();
        self.sync_failed |= operation == Operation::Sync;
        let passing = self.random.below(20);
        self.disk.plan(Some(operation), passing, Effect::Fail(kind));
    }
}
