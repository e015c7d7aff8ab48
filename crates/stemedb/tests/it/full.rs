//! A file system that is full under the store, and not under the journal: a small tmpfs, which takes root to mount.

use std::path::Path;
use std::process::Command;

use stemedb::maintenance::{Progress, rebuild, salvage};
use stemedb::{Assertion, Database, ErrorKind, Health, Object, Quote, Record, Sequence};
use stemedb_testkit::skip::say_skipped;
use tempfile::TempDir;

use crate::support::{Place, agent, creating, exported, predicate, refused, subject, tree};

/// A file system in memory that is unmounted at the end.
pub(crate) struct Tmpfs(TempDir);

impl Tmpfs {
    /// None where none can be mounted.
    pub(crate) fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs"];
        let is_mounted = run("mount", &arguments, directory.path());
        is_mounted.then_some(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(run("mount", &["-o", &options], self.0.path()));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        if !run("umount", &[], self.0.path()) {
            println!("{} is still mounted", self.0.path().display());
        }
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = Command::new(program).args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

/// A record of 40 KiB, which nothing compresses.
fn large(number: u64) -> Record {
    let text = Object::text(number.to_string());
    let mut assertion = Assertion::new(subject("large"), predicate("number"), text, agent());
    let mut state = number;
    let noise = (0..40 * 1024).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'0' + state.to_be_bytes()[0] % 64)
    });
    assertion.quote = Some(Quote::new(noise.collect::<String>()).unwrap());
    Record::from(assertion)
}

#[test]
fn a_copy_without_room_says_that_its_directory_is_of_no_use() {
    let Some(disk) = Tmpfs::mount("1m") else {
        say_skipped("no tmpfs can be mounted here");
        return;
    };
    let place = Place::new();
    let database = place.database();
    database.ingest((0..60).map(large));
    let snapshot = disk.path().join("snapshot");
    let of_snapshot = refused(database.snapshot(&snapshot), ErrorKind::Unavailable);
    database.close().unwrap();
    std::fs::remove_dir_all(&snapshot).unwrap();
    let salvaged = disk.path().join("salvaged");
    let of_salvage = refused(salvage(place.path(), &salvaged), ErrorKind::Unavailable);
    for error in [of_snapshot, of_salvage] {
        assert!(error.is_no_space(), "{error:?}");
        let advice = error.advice().unwrap();
        assert!(
            advice.contains("make room") && advice.contains("name another"),
            "{advice}"
        );
        assert!(error.to_string().contains("is not complete"), "{error}");
    }
    refused(creating().open(&salvaged), ErrorKind::NotFound);
}

#[test]
fn a_store_without_room_is_refused_and_loses_nothing() {
    let Some(disk) = Tmpfs::mount("6m") else {
        say_skipped("no tmpfs can be mounted here");
        return;
    };
    let place = Place::new();
    place.database().close().unwrap();
    std::fs::remove_dir_all(place.join("db")).unwrap();
    let db = disk.0.path().join("db");
    std::fs::create_dir(&db).unwrap();
    std::os::unix::fs::symlink(&db, place.join("db")).unwrap();
    let builder = creating().behind_bytes_max(1 << 20);
    let database = builder.open(place.path()).unwrap();

    let mut acknowledged = 0;
    let error = loop {
        match database.add(large(acknowledged)) {
            Ok(receipt) => {
                acknowledged += 1;
                assert_eq!(receipt.sequence.get(), acknowledged);
            }
            Err(error) => break error,
        }
        assert!(acknowledged < 1000, "the store takes more than its disk");
    };
    // Whether a record is stored already can no longer be looked up, so that none is accepted.
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    // "Make room", or "open it again" where fjall met the full disk in the background and says no more than that it failed.
    assert!(error.advice().is_some(), "{error}");
    let last = Sequence::new(acknowledged).unwrap();
    refused(database.wait_applied(last).wait(), ErrorKind::Closed);
    let Health::NotApplying(reason) = database.health() else {
        panic!("{:?}", database.health())
    };
    assert!(reason.advice().is_some(), "{reason}");
    refused(database.close(), ErrorKind::Closed);
    let journal = tree(&place.join("wal"));

    // Room is made, and what is said is done.
    disk.grow("100m");
    match Database::open(place.path()) {
        Ok(database) => database.close().unwrap(),
        Err(error) => {
            assert!(
                error.advice().unwrap().contains("`stemedb rebuild`"),
                "{error}"
            );
            assert!(
                tree(&place.join("wal")).keys().eq(journal.keys()),
                "nothing is deleted"
            );
            rebuild(place.path(), &mut |_: Progress| {}).unwrap();
        }
    }
    let database = Database::open(place.path()).unwrap();
    let found: Vec<_> = exported(&database)
        .into_iter()
        .map(|stored| stored.record)
        .collect();
    assert!(found.len() as u64 >= acknowledged);
    let submitted = (0..).map(large).take(found.len());
    assert!(submitted.eq(found), "other records than were submitted");
    database.close().unwrap();
}
