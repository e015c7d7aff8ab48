use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

use super::{Effect, Operation, SimDisk};

const FILE: &str = "/d/file";

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_directory(Path::new("/d")).unwrap();
    disk
}

fn create(disk: &SimDisk) -> Box<dyn VfsFile> {
    disk.open(Path::new(FILE), OpenMode::CreateNew).unwrap()
}

fn read(disk: &SimDisk) -> Option<Vec<u8>> {
    disk.files().get(Path::new(FILE)).cloned()
}

/// Everything that `work` may leave behind, over many crashes.
fn outcomes(work: impl Fn(&SimDisk)) -> BTreeSet<Option<Vec<u8>>> {
    let outcome = |seed| {
        let disk = disk();
        work(&disk);
        disk.crash(seed);
        read(&disk)
    };
    (0..200).map(outcome).collect()
}

#[test]
fn synced_bytes_under_a_synced_name_survive() {
    let kept = outcomes(|disk| {
        let file = create(disk);
        file.write_at(b"abc", 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_directory(Path::new("/d")).unwrap();
    });
    assert_eq!(kept, BTreeSet::from([Some(b"abc".to_vec())]));
}

#[test]
fn an_unsynced_name_may_go_though_the_bytes_are_synced() {
    let kept = outcomes(|disk| {
        let file = create(disk);
        file.write_at(b"abc", 0).unwrap();
        file.sync_data().unwrap();
    });
    assert_eq!(kept, BTreeSet::from([None, Some(b"abc".to_vec())]));
}

#[test]
fn unsynced_sectors_and_lengths_come_in_every_combination() {
    let kept = outcomes(|disk| {
        let file = create(disk);
        file.write_at(&[1; 1024], 0).unwrap();
        disk.sync_directory(Path::new("/d")).unwrap();
    });
    let both = |first, second| Some([[first; 512], [second; 512]].concat());
    let expected = [
        both(0, 0),
        both(0, 1),
        both(1, 0),
        both(1, 1),
        Some(Vec::new()),
    ];
    assert_eq!(kept, BTreeSet::from(expected));
}

#[test]
fn a_sector_that_was_written_twice_may_be_in_between() {
    let kept = outcomes(|disk| {
        let file = create(disk);
        file.write_at(b"a", 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_directory(Path::new("/d")).unwrap();
        file.write_at(b"b", 0).unwrap();
        file.write_at(b"c", 0).unwrap();
    });
    assert_eq!(kept.len(), 3, "{kept:?}");
}

#[test]
fn what_a_failed_sync_lost_is_read_and_never_becomes_durable() {
    let kept = outcomes(|disk| {
        let file = create(disk);
        disk.sync_directory(Path::new("/d")).unwrap();
        file.write_at(b"abc", 0).unwrap();
        disk.plan(Some(Operation::Sync), 0, Effect::Fail(io::ErrorKind::Other));
        file.sync_data().unwrap_err();
        assert_eq!(read(disk).unwrap(), b"abc");
        file.sync_data().unwrap();
    });
    assert_eq!(kept, BTreeSet::from([Some(Vec::new())]));
}

#[test]
fn a_cut_may_be_undone_until_it_is_synced() {
    let kept = outcomes(|disk| {
        disk.put(Path::new(FILE), b"abc".to_vec());
        let file = disk.open(Path::new(FILE), OpenMode::Write).unwrap();
        file.set_len(1).unwrap();
    });
    assert!(kept.contains(&Some(b"a".to_vec())) && kept.contains(&Some(b"abc".to_vec())));
}

#[test]
fn a_rename_is_there_as_a_whole_or_not_at_all() {
    let other = Path::new("/d/other");
    for seed in 0..50 {
        let disk = disk();
        disk.put(Path::new(FILE), b"abc".to_vec());
        disk.rename(Path::new(FILE), other).unwrap();
        disk.crash(seed);
        assert_eq!(disk.files().len(), 1, "seed {seed}");
    }
}

#[test]
fn planned_effects_come_about_once_and_in_their_place() {
    let disk = disk();
    let file = create(&disk);
    disk.plan(Some(Operation::Write), 1, Effect::Short);
    disk.plan(
        Some(Operation::Write),
        2,
        Effect::Fail(io::ErrorKind::StorageFull),
    );
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 1);
    assert_eq!(
        file.write_at(b"abc", 0).unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert!(!disk.is_planned());
}

#[test]
fn without_power_nothing_works_until_the_crash_is_over() {
    let disk = disk();
    let file = create(&disk);
    disk.plan(None, 0, Effect::PowerLoss);
    file.sync_data().unwrap_err();
    file.sync_data().unwrap_err();
    disk.crash(1);
    file.sync_data().unwrap_err();
    assert!(disk.list(Path::new("/d")).is_ok());
}

#[test]
fn a_lock_is_held_once_and_goes_with_the_power() {
    let disk = disk();
    let lock = disk.lock(Path::new("/d")).unwrap();
    assert_eq!(
        disk.lock(Path::new("/d")).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    disk.crash(1);
    let again = disk.lock(Path::new("/d")).unwrap();
    drop(lock);
    assert!(disk.lock(Path::new("/d")).is_err());
    drop(again);
    assert!(disk.lock(Path::new("/d")).is_ok());
}
