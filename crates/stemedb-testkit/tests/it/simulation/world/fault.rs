//! What goes wrong in a life.

use stemedb_testkit::disk::{Effect, Operation};
use stemedb_testkit::engine::{Deed, Script};

use super::World;

impl World {
    pub(super) fn plan_faults(&mut self, process: &Script) {
        self.may_fail = self.sync_failed || self.setup.lie.is_some() || self.setup.defect.is_some();
        if self.random.one_in(4) {
            self.disk.plan_nuisances(&mut self.random, 40);
        }
        if self.random.one_in(4) {
            self.may_fail = true;
            let failing = self.disk.plan_error(&mut self.random, 20);
            self.sync_failed |= failing == Operation::Sync;
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
}
