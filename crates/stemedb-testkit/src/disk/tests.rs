use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemedb_wal::vfs::{OpenMode, Vfs, VfsFile};

use super::{Effect, Lie, LyingDisk, Operation, SimDisk, When};

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

#[test]
fn a_torn_sector_is_new_up_to_a_byte_and_old_from_there() {
    let torn = |seed| {
        let disk = disk();
        disk.tear_sectors();
        disk.put(Path::new(FILE), vec![1; 512]);
        let file = disk.open(Path::new(FILE), OpenMode::Write).unwrap();
        file.write_at(&[2; 512], 0).unwrap();
        disk.crash(seed);
        let bytes = read(&disk).unwrap();
        let new = bytes.iter().take_while(|byte| **byte == 2).count();
        assert!(bytes.iter().skip(new).all(|byte| *byte == 1));
        new
    };
    let lengths: BTreeSet<usize> = (0..400).map(torn).collect();
    assert!(lengths.len() > 30, "{lengths:?}");
    assert!(lengths.contains(&0) && lengths.contains(&512));
}

#[test]
fn every_state_that_a_crash_can_leave_is_listed_once() {
    let disk = disk();
    let file = create(&disk);
    file.write_at(&[1; 1024], 0).unwrap();
    file.write_at(&[2; 512], 0).unwrap();
    // The length, the sector that was written twice, the other one, the entry.
    assert_eq!(disk.crash_options(), [2, 3, 2, 2]);
    let kept = |choices: &[usize]| {
        let copy = disk.copy();
        copy.crash_into(choices);
        read(&copy)
    };
    assert_eq!(kept(&[]), None);
    assert_eq!(kept(&[0, 0, 0, 1]), Some(Vec::new()));
    let both = |first, second| Some([[first; 512], [second; 512]].concat());
    assert_eq!(kept(&[1, 1, 0, 1]), both(1, 0));
    assert_eq!(kept(&[1, 2, 1, 1]), both(2, 1));
    assert_eq!(read(&disk), both(2, 1), "a copy goes its own way");
}

#[test]
fn a_full_disk_takes_what_fits_until_there_is_room() {
    let disk = disk();
    let other = Path::new("/d/other");
    disk.put(other, vec![0; 600]);
    disk.set_capacity(Some(1000));
    let file = create(&disk);
    assert_eq!(file.write_at(&[1; 300], 0).unwrap(), 300);
    assert_eq!(file.write_at(&[1; 300], 300).unwrap(), 100);
    let full = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
    assert!(full(file.write_at(&[1; 300], 400).map(|_| ())));
    assert!(full(file.set_len(401)));
    assert_eq!(file.write_at(&[2; 400], 0).unwrap(), 400);
    disk.remove(other).unwrap();
    assert_eq!(file.write_at(&[1; 300], 400).unwrap(), 300);
}

#[test]
fn slow_syncs_and_jumps_are_seen_on_the_clock_they_belong_to() {
    let disk = disk();
    let file = create(&disk);
    disk.set_clock_ms(1000);
    let before = disk.monotonic();
    file.sync_data().unwrap();
    assert!(disk.monotonic() < before + Duration::from_secs(1));
    disk.set_sync_time(Duration::from_secs(5));
    file.sync_data().unwrap();
    let after = disk.monotonic();
    assert!(after >= before + Duration::from_secs(5));
    disk.jump_clock_ms(-400);
    assert_eq!((disk.now_ms(), disk.monotonic()), (600, after));
    disk.jump_clock_ms(i64::MIN);
    assert_eq!(disk.now_ms(), 0);
}

#[test]
fn a_sector_that_cannot_be_read_fails_until_it_is_written() {
    let disk = disk();
    disk.put(Path::new(FILE), vec![1; 2000]);
    disk.make_unreadable(Path::new(FILE), &(600..601));
    let file = disk.open(Path::new(FILE), OpenMode::Write).unwrap();
    let mut buffer = [0; 2000];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 512);
    for offset in [512, 1000, 1023] {
        let error = file.read_at(&mut buffer, offset).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
    }
    assert_eq!(file.read_at(&mut buffer, 1024).unwrap(), 976);
    assert_eq!(file.read_at(&mut buffer, 2000).unwrap(), 0);
    file.write_at(&[1; 512], 512).unwrap();
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 2000);
}

#[test]
fn a_flipped_byte_stays_flipped() {
    let disk = disk();
    disk.put(Path::new(FILE), b"abc".to_vec());
    disk.flip(Path::new(FILE), 1, 3);
    disk.crash(0);
    assert_eq!(read(&disk).unwrap(), b"aac");
}

#[test]
fn a_disk_may_lie_only_from_some_moment_on_or_some_of_the_time() {
    let kept = |when: When| {
        let disk = disk();
        let liar = LyingDisk::at_times(Arc::new(disk.clone()), Lie::SyncData, when);
        let kept = (0..20).map(|n| {
            let path = format!("/d/{n}");
            let path = Path::new(&path);
            let file = liar.open(path, OpenMode::CreateNew).unwrap();
            disk.sync_directory(Path::new("/d")).unwrap();
            file.write_at(b"a", 0).unwrap();
            file.sync_data().unwrap();
            let copy = disk.copy();
            copy.crash_into(&[]);
            copy.files()[path] == b"a"
        });
        kept.collect::<Vec<bool>>()
    };
    assert!(kept(When::Always).iter().all(|kept| !kept));
    let after: Vec<bool> = (0..20).map(|n| n < 7).collect();
    assert_eq!(kept(When::After(7)), after);
    let some = kept(When::OneIn { n: 3, seed: 1 });
    assert!(some.contains(&true) && some.contains(&false));
    assert_eq!(some, kept(When::OneIn { n: 3, seed: 1 }));
}

#[test]
fn a_directory_is_there_after_a_crash_if_it_was_synced_and_perhaps_before() {
    let inner = Path::new("/outer/inner");
    let is_there = |disk: &SimDisk| disk.list(inner).is_ok();
    let (mut kept, mut lost) = (0, 0);
    // Each of the two is created and then synced.
    for passing in 0..4 {
        let disk = SimDisk::new();
        disk.plan(None, passing, Effect::PowerLoss);
        disk.create_directory(inner).unwrap_err();
        for seed in 0..20 {
            let copy = disk.copy();
            copy.crash(seed);
            let was_kept = is_there(&copy);
            assert!(!was_kept || passing == 3, "{passing}");
            kept += usize::from(was_kept);
            lost += usize::from(!was_kept);
            copy.create_directory(inner).unwrap();
            assert!(is_there(&copy));
        }
    }
    assert!(kept > 2 && lost > 2, "{kept} {lost}");
    let disk = SimDisk::new();
    disk.create_directory(inner).unwrap();
    disk.crash_into(&[]);
    assert!(is_there(&disk));
}
