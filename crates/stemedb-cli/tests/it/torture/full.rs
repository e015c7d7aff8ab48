//! Disks that run full: what was reported is there, reads go on, and with room again everything does.

use std::collections::HashSet;

use super::{
    super::support::{Home, Run, claims, reported},
    mount::Mount,
};

/// Ingests into the database until the disk is full, and looks at what can be done then; gives what was reported.
fn fill(mount: &Mount, input: &str) -> Vec<String> {
    let (home, database) = (&mount.home, mount.database());
    let dir = ["--dir", &database];
    let results = ["--results", "results"];
    let run = home
        .run([&dir[..], &["ingest", "-q", input], &results].concat())
        .ended(4);
    let errors: Vec<_> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{}", run.stderr);
    assert!(errors[0].contains("make room"), "{}", run.stderr);
    let told = reported(&home.read("results"));
    for args in [
        &["stats"][..],
        &["subject", "subject 1"],
        &["subjects"],
        &["verify"],
        &["export"],
    ] {
        readable(&home.run([&dir[..], args].concat()));
    }
    let ids = home.run([&dir[..], &["export", "--ids"]].concat());
    if ids.code == 0 {
        holds(&ids, &told);
    }
    // Again it is full, and says so again.
    let again = home
        .run([&dir[..], &["ingest", "-q", input]].concat())
        .ended(4);
    assert!(again.stderr.contains("make room"), "{}", again.stderr);
    told
}

/// It works, or says that the disk is full.
fn readable(run: &Run) {
    let says_why = run.code == 4 && run.stderr.contains("make room");
    assert!(run.code == 0 || says_why, "{}: {}", run.code, run.stderr);
    eprintln!("on the full disk: {} {}", run.code, run.stderr.trim());
}

fn holds(ids: &Run, told: &[String]) {
    let ids: HashSet<_> = ids.stdout.lines().collect();
    for id in told {
        assert!(
            ids.contains(id.as_str()),
            "{id} was reported and is not there"
        );
    }
}

/// There is room again: nothing is missing, and all of `input` goes in.
fn goes_on(mount: &Mount, input: &str, told: &[String]) {
    let (home, database) = (&mount.home, mount.database());
    let dir = ["--dir", &database];
    holds(
        &home.run([&dir[..], &["export", "--ids"]].concat()).fine(),
        told,
    );
    home.run([&dir[..], &["ingest", "-q", input]].concat())
        .fine();
    home.run([&dir[..], &["verify"]].concat()).fine();
    let undisturbed = Home::new();
    let path = home.path(input).display().to_string();
    undisturbed.run(["ingest", "-q", &path]).fine();
    let expected = undisturbed.run(["export"]).fine().stdout;
    let found = home.run([&dir[..], &["export"]].concat()).fine().stdout;
    assert!(found == expected, "the export differs");
}

#[test]
fn a_file_system_in_memory_that_runs_full_loses_nothing() {
    let Some(mount) = Mount::tmpfs("size=4m") else {
        return;
    };
    mount.home.write("x.ndjson", claims(40_000));
    let told = fill(&mount, "x.ndjson");
    mount.remount("size=128m");
    goes_on(&mount, "x.ndjson", &told);
}

#[test]
fn a_disk_that_runs_full_loses_nothing() {
    let Some(mount) = Mount::ext4(64) else { return };
    mount.home.write("x.ndjson", claims(40_000));
    mount
        .home
        .run(["--dir", &mount.database(), "init", "-q"])
        .fine();
    let filler = mount.path.join("filler");
    leave(&mount, &filler, 6 << 20);
    let told = fill(&mount, "x.ndjson");
    assert!(!told.is_empty(), "it was full before the first record");
    std::fs::remove_file(filler).unwrap();
    goes_on(&mount, "x.ndjson", &told);
}

/// Fills the disk but for about `bytes`.
fn leave(mount: &Mount, filler: &std::path::Path, bytes: usize) {
    let zeros = vec![0; 64 * 1024];
    let mut file = std::fs::File::create(filler).unwrap();
    let mut written = 0;
    while let Ok(()) = std::io::Write::write_all(&mut file, &zeros) {
        written += zeros.len() as u64;
    }
    file.set_len(written.saturating_sub(bytes as u64)).unwrap();
    file.sync_all().unwrap();
    assert!(mount.path.exists());
}
