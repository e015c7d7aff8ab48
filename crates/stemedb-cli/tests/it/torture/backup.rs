//! SIGKILL and errors at the N-th system call of a backup: it is the old one or the new one, and the next run completes it.

use std::fs;

use super::{
    super::support::{Home, can_trace, claims},
    check::DIRECTORY,
    kill::sample,
    trace::{Effect, Fault},
};

const KEPT: &str = "kept";
/// Every file that a backup writes, and the directories that hold them.
const FILES: [&str; 9] = [
    "kept",
    "kept/segments",
    "kept/segments/0000000000000001.tmp",
    "kept/segments/0000000000000001.segment",
    "kept/segments/0000000000000002.tmp",
    "kept/segments/0000000000000002.segment",
    "kept/segments/0000000000000003.tmp",
    "kept/backup.manifest",
    "kept/backup.manifest.tmp",
];
const CALLS: [&str; 8] = [
    "pwrite64",
    "fdatasync",
    "fsync",
    "openat",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
    "mkdir,mkdirat",
    "pread64",
];

/// A database, an earlier state of its backup, and what both export.
struct Base {
    home: Home,
    /// Nothing where there is no earlier backup.
    old: Option<String>,
    new: String,
}

impl Base {
    fn new(earlier: Option<usize>, records: usize) -> Self {
        let home = Home::with(&claims(earlier.unwrap_or(1)));
        let old = earlier.map(|_| {
            home.run(["backup", KEPT]).fine();
            export(&home, DIRECTORY)
        });
        home.run_on(claims(records).as_bytes(), ["ingest", "-q", "-"])
            .fine();
        let new = export(&home, DIRECTORY);
        Self { home, old, new }
    }

    fn copy(&self) -> Home {
        let home = Home::new();
        home.copy_from(&self.home, DIRECTORY);
        if self.old.is_some() {
            home.copy_from(&self.home, KEPT);
        }
        home
    }

    /// What a restore gives is the old backup or the new one, and after another run the new one.
    fn check(&self, home: &Home, fault: &Fault) {
        let restored = home.run(["restore", KEPT, "--dir", "again"]);
        match (restored.code, &self.old) {
            (0, old) => {
                let found = export(home, "again");
                let is_old = old.as_ref().is_some_and(|old| *old == found);
                assert!(is_old || found == self.new, "{fault}: it is neither");
                fs::remove_dir_all(home.path("again")).unwrap();
            }
            (3, None) => {}
            (code, _) => panic!("{fault}: {code}: {}", restored.stderr),
        }
        home.run(["backup", KEPT]).fine();
        home.run(["restore", KEPT, "--dir", "again"]).fine();
        assert!(export(home, "again") == self.new, "{fault}");
    }
}

fn export(home: &Home, dir: &str) -> String {
    home.run(["export", "--dir", dir]).fine().stdout
}

/// Runs a backup with each fault of a kind; gives how many hit.
fn try_each(base: &Base, call: &'static str, effect: Effect) -> usize {
    let mut hit = 0;
    for nth in sample() {
        let fault = Fault {
            call,
            nth,
            effect,
            files: &FILES,
        };
        let home = base.copy();
        // Paths that strace is to know are absolute.
        let kept = home.path(KEPT);
        let mut command = fault.command(&home, &["backup"]);
        let output = command.arg(kept).output().unwrap();
        if fault.injected(&home).is_none() {
            assert!(output.status.success(), "{fault}");
            break;
        }
        hit += 1;
        base.check(&home, &fault);
    }
    hit
}

fn bases() -> [Base; 2] {
    [Base::new(None, 6000), Base::new(Some(6000), 6200)]
}

#[test]
fn a_kill_at_any_call_of_a_backup_leaves_the_old_one_or_the_new_one() {
    if !can_trace() {
        return;
    }
    for base in bases() {
        let killed = CALLS.map(|call| try_each(&base, call, Effect::Kill));
        assert!(killed.iter().sum::<usize>() > 12, "{killed:?}");
    }
}

#[test]
fn an_error_of_any_call_of_a_backup_leaves_the_old_one_or_the_new_one() {
    if !can_trace() {
        return;
    }
    let faults = [
        ("pwrite64", "ENOSPC"),
        ("fdatasync", "EIO"),
        ("fsync", "EIO"),
        ("rename,renameat,renameat2", "EROFS"),
    ];
    for base in bases() {
        for (call, error) in faults {
            assert!(try_each(&base, call, Effect::Error(error)) > 0, "{call}");
        }
    }
}
