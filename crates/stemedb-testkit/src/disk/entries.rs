//! The entries of all directories, durable and volatile.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::fate::Fate;

/// Number of a file, whatever its name.
pub(super) type FileNumber = u64;

/// A change of entries that was not synced.
#[derive(Clone, Debug)]
enum Change {
    Create(PathBuf, FileNumber),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, FileNumber),
}

impl Change {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Create(path, _) | Self::Remove(path) | Self::Rename(path, _, _) => path.parent(),
        }
    }

    fn apply(self, entries: &mut BTreeMap<PathBuf, FileNumber>) {
        match self {
            Self::Create(path, number) => {
                entries.insert(path, number);
            }
            Self::Remove(path) => {
                entries.remove(&path);
            }
            Self::Rename(from, to, number) => {
                entries.remove(&from);
                entries.insert(to, number);
            }
        }
    }
}

/// Names of files.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    volatile: BTreeMap<PathBuf, FileNumber>,
    durable: BTreeMap<PathBuf, FileNumber>,
    unsynced: Vec<Change>,
}

impl Entries {
    pub(super) fn find(&self, path: &Path) -> Option<FileNumber> {
        self.volatile.get(path).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, FileNumber)> {
        self.volatile.iter().map(|(path, number)| (path, *number))
    }

    pub(super) fn names(&self, directory: &Path) -> Vec<OsString> {
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        let paths = self.volatile.keys().filter(inside);
        paths
            .filter_map(|path| path.file_name().map(ToOwned::to_owned))
            .collect()
    }

    /// Adds an entry that is durable at once.
    pub(super) fn insert_durable(&mut self, path: PathBuf, number: FileNumber) {
        self.durable.insert(path.clone(), number);
        self.volatile.insert(path, number);
    }

    /// Removes an entry, durably at once.
    pub(super) fn remove_durable(&mut self, path: &Path) {
        self.durable.remove(path);
        self.volatile.remove(path);
    }

    /// Removes what lies below a directory that is gone.
    pub(super) fn remove_below(&mut self, directory: &Path) {
        let is_left = |path: &PathBuf| !path.starts_with(directory);
        self.durable.retain(|path, _| is_left(path));
        self.volatile.retain(|path, _| is_left(path));
    }

    pub(super) fn create(&mut self, path: PathBuf, number: FileNumber) {
        self.change(Change::Create(path, number));
    }

    pub(super) fn remove(&mut self, path: &Path) -> bool {
        let is_there = self.find(path).is_some();
        if is_there {
            self.change(Change::Remove(path.to_owned()));
        }
        is_there
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> bool {
        let Some(number) = self.find(from) else {
            return false;
        };
        self.change(Change::Rename(from.to_owned(), to.to_owned(), number));
        true
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.volatile);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self, directory: &Path) {
        for change in self.take_unsynced(directory) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync that failed: the names are still seen, and no later sync will write them.
    pub(super) fn forget_unsynced(&mut self, directory: &Path) {
        self.take_unsynced(directory);
    }

    fn take_unsynced(&mut self, directory: &Path) -> Vec<Change> {
        let all = std::mem::take(&mut self.unsynced);
        let (taken, left) = all
            .into_iter()
            .partition(|change| change.directory() == Some(directory));
        self.unsynced = left;
        taken
    }

    /// Keeps any subset of what was not synced.
    pub(super) fn crash(&mut self, fate: &mut dyn Fate) {
        for change in std::mem::take(&mut self.unsynced) {
            if fate.choose(2) == 1 {
                change.apply(&mut self.durable);
            }
        }
        self.volatile.clone_from(&self.durable);
    }
}
