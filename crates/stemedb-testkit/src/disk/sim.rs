//! The simulated disk itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entries::{Entries, FileNumber};
use super::fate::{Fate, Listed, Seeded};
use super::file::SimFile;
use super::plan::{Planned, take};
use super::{Effect, Operation};

/// A disk in memory; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// One operation, as the trace has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Traced {
    /// What was done.
    pub operation: Operation,
    /// To which file or directory.
    pub path: PathBuf,
    /// From which offset, or to which length.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<FileNumber, SimFile>,
    pub(super) entries: Entries,
    pub(super) directories: BTreeSet<PathBuf>,
    /// Those whose entries are not synced.
    pub(super) unsynced_directories: BTreeSet<PathBuf>,
    pub(super) locked: BTreeSet<PathBuf>,
    /// Handles of an earlier life of the machine are dead.
    pub(super) life: u64,
    planned: Vec<Planned>,
    is_without_power: bool,
    trace: Vec<Traced>,
    clock_ms: u64,
    /// What each sync takes, and what all of them took.
    sync_takes: Duration,
    syncs_took: Duration,
    capacity_bytes: Option<u64>,
    may_tear: bool,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses the power: of what was not synced an arbitrary part is kept. Handles and locks of before are void.
    pub fn crash(&self, seed: u64) {
        let mut state = self.state();
        let mut fate = Seeded::new(seed, state.may_tear);
        state.crash(&mut fate);
    }

    /// From now on a crash may tear sectors: the first bytes are new, the rest are old. Half of the seeds do so.
    pub fn tear_sectors(&self) {
        self.state().may_tear = true;
    }

    /// What a crash now could choose from: for each sector, length and entry that was not synced, how many different states it has.
    #[must_use]
    pub fn crash_options(&self) -> Vec<usize> {
        let mut fate = Listed::new(&[]);
        self.state().clone().crash(&mut fate);
        fate.options
    }

    /// Loses the power and keeps these states, in the order of [`crash_options`](Self::crash_options); 0 is the durable one.
    pub fn crash_into(&self, choices: &[usize]) {
        self.state().crash(&mut Listed::new(choices));
    }

    /// Another disk that is just like this one, and goes its own way from here on. Handles stay with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.state().clone();
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Has an operation fail: the one of this kind after `passing` others; `None` stands for any kind.
    pub fn plan(&self, operation: Option<Operation>, passing: u64, effect: Effect) {
        self.state().planned.push(Planned {
            operation,
            passing,
            effect,
        });
    }

    /// Takes back what was planned.
    pub fn forget_plans(&self) {
        self.state().planned.clear();
    }

    /// Whether an effect that was planned has not come about yet.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        !self.state().planned.is_empty()
    }

    /// Whether the power is gone, and [`crash`](Self::crash) has not been called yet.
    #[must_use]
    pub fn is_without_power(&self) -> bool {
        self.state().is_without_power
    }

    /// Every operation so far.
    #[must_use]
    pub fn trace(&self) -> Vec<Traced> {
        self.state().trace.clone()
    }

    /// How many operations there were.
    #[must_use]
    pub fn operation_count(&self) -> usize {
        self.state().trace.len()
    }

    /// Sets the wall clock, in Unix milliseconds.
    pub fn set_clock_ms(&self, clock_ms: u64) {
        self.state().clock_ms = clock_ms;
    }

    /// Sets the wall clock forward, or back.
    pub fn jump_clock_ms(&self, by: i64) {
        let mut state = self.state();
        state.clock_ms = state.clock_ms.saturating_add_signed(by);
    }

    /// Has every sync take so long, on the monotonic clock. Any operation takes a millisecond beside that.
    pub fn set_sync_time(&self, sync_takes: Duration) {
        self.state().sync_takes = sync_takes;
    }

    /// Has writes fail for want of space where the files would be longer than this, all together.
    pub fn set_capacity(&self, capacity_bytes: Option<u64>) {
        self.state().capacity_bytes = capacity_bytes;
    }

    pub(super) fn clock_ms(&self) -> u64 {
        self.state().clock_ms
    }

    pub(super) fn elapsed(&self) -> Duration {
        let state = self.state();
        Duration::from_millis(state.trace.len() as u64).saturating_add(state.syncs_took)
    }

    /// All files as they are read now.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files_below(Path::new(""))
    }

    /// The files below a directory as they are read now.
    #[must_use]
    pub fn files_below(&self, directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        let below = state
            .entries
            .iter()
            .filter(|(path, _)| path.starts_with(directory));
        let bytes = |number| state.files.get(&number).map(SimFile::bytes);
        below
            .map(|(path, number)| (path.clone(), bytes(number).unwrap_or_default().to_vec()))
            .collect()
    }

    /// A disk with these files, all of them durable.
    #[must_use]
    pub fn with_files(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let disk = Self::new();
        for (path, bytes) in files {
            disk.put(path, bytes.clone());
        }
        disk
    }

    /// Puts a file there, durably, past all faults and traces.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let parents = path.ancestors().skip(1).map(Path::to_owned);
        state.directories.extend(parents);
        let number = state.next_number();
        state.files.insert(number, SimFile::durable(bytes));
        state.entries.insert_durable(path.to_owned(), number);
    }

    /// Takes a file away, durably, past all faults and traces.
    pub fn take_away(&self, path: &Path) {
        self.state().entries.remove_durable(path);
    }

    /// Changes bits of a byte for good, past all faults and traces.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) {
        self.state().with_file(path, |file| file.flip(offset, mask));
    }

    /// The sectors that hold these bytes can no longer be read, until they are written; what is before them still can.
    pub fn make_unreadable(&self, path: &Path, bytes: &Range<usize>) {
        self.state()
            .with_file(path, |file| file.make_unreadable(bytes));
    }
}

impl State {
    fn crash(&mut self, fate: &mut dyn Fate) {
        for file in self.files.values_mut() {
            file.crash(fate);
        }
        self.entries.crash(fate);
        // In the order of their paths: a directory goes with those in it.
        for path in std::mem::take(&mut self.unsynced_directories) {
            if self.directories.contains(&path) && fate.choose(2) == 0 {
                self.directories.retain(|other| !other.starts_with(&path));
                self.entries.remove_below(&path);
            }
        }
        // No handle outlives a crash, and no name leads to these any more.
        let named: BTreeSet<FileNumber> = self.entries.iter().map(|(_, number)| number).collect();
        self.files.retain(|number, _| named.contains(number));
        self.life += 1;
        self.locked.clear();
        self.planned.clear();
        self.is_without_power = false;
    }

    fn with_file(&mut self, path: &Path, work: impl FnOnce(&mut SimFile)) {
        let number = self.entries.find(path);
        if let Some(file) = number.and_then(|number| self.files.get_mut(&number)) {
            work(file);
        }
    }

    /// By how many bytes files can still grow.
    pub(super) fn room(&self) -> u64 {
        let Some(capacity) = self.capacity_bytes else {
            return u64::MAX;
        };
        let length = |number| self.files.get(&number).map_or(0, |file| file.bytes().len());
        let named: BTreeSet<FileNumber> = self.entries.iter().map(|(_, number)| number).collect();
        let used: usize = named.into_iter().map(length).sum();
        capacity.saturating_sub(used as u64)
    }

    pub(super) fn next_number(&self) -> FileNumber {
        self.files.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// Notes an operation and gives what is planned for it.
    pub(super) fn begin(&mut self, traced: Traced) -> io::Result<Option<Effect>> {
        let operation = traced.operation;
        self.trace.push(traced);
        if matches!(operation, Operation::Sync | Operation::SyncDirectory) {
            self.syncs_took = self.syncs_took.saturating_add(self.sync_takes);
        }
        if self.is_without_power {
            return Err(power_loss());
        }
        match take(&mut self.planned, operation) {
            Some(Effect::PowerLoss) => {
                self.is_without_power = true;
                Err(power_loss())
            }
            effect => Ok(effect),
        }
    }
}

fn power_loss() -> io::Error {
    io::Error::other("the power is gone")
}
