//! Directories that are made, found made, or in the way.

use std::path::Path;
use std::sync::Barrier;

use crate::story::{directory, options};
use stemedb_testkit::disk::{Operation, SimDisk};
use stemedb_wal::vfs::{OsVfs, Vfs};

fn syncs(disk: &SimDisk, path: &Path) -> usize {
    let is_sync = |operation, at: &Path| operation == Operation::SyncDirectory && at == path;
    let trace = disk.trace();
    trace
        .iter()
        .filter(|done| is_sync(done.operation, &done.path))
        .count()
}

#[test]
fn the_directory_above_a_new_journal_is_synced_even_where_the_directory_was_there() {
    // A process made the directory and was killed before the one above was synced; the next one found it made and did not sync it.
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    let before = syncs(&disk, Path::new("/"));
    let open = || options(&disk).open(directory()).unwrap();
    open().close().unwrap();
    assert_eq!(syncs(&disk, Path::new("/")), before + 1);
    open().close().unwrap();
    assert_eq!(syncs(&disk, Path::new("/")), before + 1);
}

#[test]
fn those_who_make_the_same_directory_at_once_all_find_it_made() {
    const THREADS: usize = 4;
    let root = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let path = root.path().join(format!("{round}/a/b/c"));
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            let make = || {
                barrier.wait();
                OsVfs::default().create_directory(&path)
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(make)).collect();
            for thread in threads {
                thread.join().unwrap().unwrap();
            }
        });
        assert!(path.is_dir());
    }
}

#[test]
fn a_file_in_the_place_of_a_directory_is_an_error() {
    let root = tempfile::NamedTempFile::new().unwrap();
    let vfs = OsVfs::default();
    assert!(vfs.create_directory(root.path()).is_err());
    assert!(vfs.create_directory(&root.path().join("wal")).is_err());
}
