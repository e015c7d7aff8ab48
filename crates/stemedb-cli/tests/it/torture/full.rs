//! Disks that run full: what was reported is there, reads go on, and with room again everything does.

use std::collections::HashSet;

use super::{
    super::support::{Home, Run, claims, reported},
    mount::Mount,
};

/// Ingests into the database until the disk is full, and looks at what can be done then; gives what was reported.
fn fill(mount: &Mount, input: &str) -> Vec<String> {
    let run = mount.run(&["ingest", "-q", input, "--results", "results"]);
    let run = run.ended(4);
    assert!(run.error().contains("make room"), "{}", run.stderr);
    let told = reported(&mount.home.read("results"));
    for args in [
        &["stats"][..],
        &["subject", "subject 1"],
        &["subjects"],
        &["verify"],
        &["export"],
    ] {
        readable(&mount.run(args));
    }
    let ids = mount.run(&["export", "--ids"]);
    if ids.code == 0 {
        holds(&ids, &told);
    }
    // Again it is full, and says so again.
    let again = mount.run(&["ingest", "-q", input]).ended(4);
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
    holds(&mount.run(&["export", "--ids"]).fine(), told);
    mount.run(&["ingest", "-q", input]).fine();
    mount.run(&["verify"]).fine();
    let undisturbed = Home::new();
    let path = mount.home.path(input).display().to_string();
    undisturbed.run(["ingest", "-q", &path]).fine();
    let expected = undisturbed.run(["export"]).fine().stdout;
    let found = mount.run(&["export"]).fine().stdout;
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
    mount.run(&["init", "-q"]).fine();
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
