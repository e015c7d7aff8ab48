//! What goes on in one life of the database, beside the worker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stemedb_storage::{Error as StoreError, HybridStore, KVStore, Snapshot};
use stemedb_testkit::disk::Random;
use stemedb_testkit::engine::{Call, Moment, Script, StreamModel};
use stemedb_testkit::oracle::Violation;
use stemedb_wal::{AppendError, Group, Log, Trust, Wake};

use super::ledger::Ledger;
use super::payload::payload;
use super::tally::Tally;

/// How a life ends, if nothing else ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The worker is stopped and everything is closed.
    Clean,
    /// The process is killed.
    Kill,
    /// The power fails.
    PowerLoss,
}

/// An open database, and what is known of it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) random: Random,
    pub(super) ledger: Ledger,
    pub(super) tally: Tally,
    pub(super) log: Option<Log>,
    pub(super) store: Arc<HybridStore>,
    pub(super) process: Script,
    /// Durable, and not yet taken by the worker.
    pub(super) durable: VecDeque<Group>,
    /// Written, and not yet durable.
    pub(super) unsynced: Vec<Group>,
    pub(super) passed_bytes: u64,
    pub(super) clock: Duration,
    pub(super) end: End,
    pub(super) violation: Option<Violation>,
    /// Views that were taken some time ago.
    views: Vec<Arc<dyn Snapshot>>,
    steps_left: u64,
    is_replayed: bool,
    /// Whether errors of the store are what must be expected of it.
    tolerates: bool,
}

/// What a life begins with.
pub(super) struct Begin {
    pub(super) random: Random,
    pub(super) ledger: Ledger,
    pub(super) tally: Tally,
    pub(super) log: Log,
    pub(super) store: Arc<HybridStore>,
    pub(super) process: Script,
    pub(super) durable: VecDeque<Group>,
    pub(super) tolerates: bool,
}

impl Live {
    pub(super) fn new(begin: Begin) -> Self {
        let mut random = begin.random;
        let end = *random
            .pick(&[End::Clean, End::Kill, End::PowerLoss, End::PowerLoss])
            .unwrap();
        Self {
            steps_left: random.below(60),
            random,
            ledger: begin.ledger,
            tally: begin.tally,
            log: Some(begin.log),
            store: begin.store,
            process: begin.process,
            durable: begin.durable,
            tolerates: begin.tolerates,
            unsynced: Vec::new(),
            passed_bytes: 0,
            clock: Duration::ZERO,
            end,
            violation: None,
            views: Vec::new(),
            is_replayed: false,
        }
    }

    /// The worker has applied everything durable, and waits.
    pub(super) fn wait(&mut self) -> Wake {
        if !self.is_replayed {
            self.is_replayed = true;
            self.check_replayed();
        }
        if self.violation.is_some() || self.process.is_killed() {
            return Wake::Interrupted;
        }
        let Some(left) = self.steps_left.checked_sub(1) else {
            return self.end_of_steps();
        };
        self.steps_left = left;
        self.act();
        if !self.durable.is_empty() {
            return Wake::Groups;
        }
        // A log that accepts nothing more ends the journal, and with it the worker.
        if self.log.is_none() {
            return Wake::Ended;
        }
        Wake::TimedOut
    }

    fn end_of_steps(&mut self) -> Wake {
        if self.end == End::Kill {
            self.process.kill();
        }
        Wake::Interrupted
    }

    fn check_replayed(&mut self) {
        self.tally.checks += 1;
        let view = match self.store.snapshot() {
            Ok(view) => view,
            Err(error) => return self.note(Err(Violation::new(format!("{error:?}")))),
        };
        let outcome = self.ledger.check_whole(view.as_ref());
        self.note(outcome);
    }

    fn act(&mut self) {
        match self.random.below(12) {
            0..=4 => self.append(),
            5..=6 => self.sync(),
            7 => self.cover(),
            8 => self.prepare(),
            9 => self.clock += Duration::from_secs(10),
            _ => self.look(),
        }
    }

    /// Others go on while an engine is called: they append, sync, and read.
    pub(super) fn observe(&mut self, moment: Moment) {
        if self.violation.is_some() {
            return;
        }
        let is_between = moment == Moment::After(StreamModel::NAME, Call::Commit);
        self.tally.looks_between_commits += u64::from(is_between);
        match self.random.below(12) {
            0 => self.append(),
            1 => self.sync(),
            2..=3 => self.look(),
            _ if is_between => self.look(),
            _ => {}
        }
    }

    fn append(&mut self) {
        let Some(log) = &mut self.log else { return };
        let mut builder = log.begin_group();
        for _ in 0..=self.random.below(5) {
            let payload = payload(&mut self.random, &self.ledger.written);
            builder.push(&payload, Trust::Unverified);
            self.ledger.submit(payload);
            self.tally.records += 1;
        }
        let outcome = log.write(builder);
        let outcome = outcome.map(|group| self.unsynced.push(group));
        self.settle(&outcome);
    }

    fn sync(&mut self) {
        let Some(log) = &mut self.log else { return };
        let outcome = log.sync();
        let outcome = outcome.map(|_| self.publish());
        self.settle(&outcome);
    }

    fn cover(&mut self) {
        let Some(log) = &mut self.log else { return };
        let outcome = log.cover();
        let outcome = outcome.map(|group| {
            self.unsynced.extend(group);
            self.publish();
        });
        self.settle(&outcome);
    }

    fn prepare(&mut self) {
        if let Some(log) = &mut self.log
            && let Some(Ok(spare)) = log.spare_wanted().map(|request| request.prepare())
        {
            log.give_spare(spare);
        }
    }

    /// What was written is durable.
    fn publish(&mut self) {
        let outcome = self.ledger.acknowledge(&self.unsynced);
        self.note(outcome);
        self.durable.extend(self.unsynced.drain(..));
    }

    fn settle(&mut self, outcome: &Result<(), AppendError>) {
        if outcome.is_err() {
            self.log = None;
        }
    }

    /// Closes the journal.
    pub(super) fn close(&mut self) {
        let Some(log) = self.log.take() else { return };
        if log.close().is_ok() {
            self.publish();
        }
    }

    /// A reader takes the published view, or goes on with one that it has.
    fn look(&mut self) {
        self.tally.looks += 1;
        if self.random.one_in(3)
            && let Some(view) = self.random.pick(&self.views)
        {
            let outcome = self.ledger.check_view(view.as_ref());
            return self.note(outcome);
        }
        match self.store.snapshot() {
            Ok(view) => {
                let outcome = self.ledger.check_view(view.as_ref());
                self.note(outcome);
                if self.random.one_in(3) && self.views.len() < 4 {
                    self.views.push(view);
                }
            }
            Err(StoreError::NotReconciled) if !self.is_replayed => {}
            Err(StoreError::EngineFailed { .. }) => {}
            Err(error) => self.note(Err(Violation::new(format!("a reader got {error:?}")))),
        }
    }

    /// Readers let go of what they have.
    pub(super) fn forget_views(&mut self) {
        self.views.clear();
    }

    fn note(&mut self, outcome: Result<(), Violation>) {
        // Whoever reads while the machine dies gets errors, and so does whoever reads from a disk that has lied.
        let is_dead =
            self.process.is_killed() || self.store.snapshot().is_err() && self.is_replayed;
        if let Err(violation) = outcome
            && !is_dead
            && !self.tolerates
        {
            self.violation.get_or_insert(violation);
        }
    }
}
