//! Everything that a server has: exported, backed up, and what it could not apply.

use stemedb_wal::Journal;

use super::{Served, variety};
use crate::support::{Home, Run, claims};

#[test]
fn an_export_says_the_same_to_the_byte() {
    let served = Served::with(&variety());
    assert!(served.same(&["export"]).fine().stdout.lines().count() > 2500);
    served.same(&["export", "--ids"]);
    Served::with("").same(&["export"]).fine();
}

#[test]
fn an_export_has_what_was_acknowledged_before_and_ends() {
    let served = Served::with("");
    served.home.write("x.ndjson", claims(20_000));
    served.there(&["ingest", "-q", "x.ndjson"]).fine();
    let ids = served.there(&["export", "--ids"]).fine().stdout;
    assert_eq!(ids.lines().count(), 20_000);
}

#[test]
fn a_backup_from_a_server_restores_and_grows() {
    let served = Served::with(&claims(6000));
    let home = &served.home;
    let first = served.there(&["backup", "kept", "--json"]).fine().json();
    assert_eq!(
        (&first["last_sequence"], &first["kept_segments"]),
        (&6000.into(), &0.into())
    );
    home.write("more.ndjson", claims(6100));
    served.there(&["ingest", "-q", "more.ndjson"]).fine();
    let made = served.there(&["backup", "kept"]).fine();
    assert!(
        made.stdout.contains("last sequence    6,100"),
        "{}",
        made.stdout
    );
    assert_eq!(made.stderr, "", "progress is for terminals");
    let head = served.there(&["stats", "--json"]).fine().json()["journal"]["head_hash"].clone();
    let args = [
        "restore",
        "kept",
        "--dir",
        "again",
        "--head",
        head.as_str().unwrap(),
    ];
    home.run(args).fine();
    let ids = served.there(&["export"]).fine().stdout;
    assert!(home.run(["--dir", "again", "export"]).fine().stdout == ids);
    home.run(["verify", "--dir", "again"]).fine();
    // The backup of another database is kept as it is.
    let other = Served::with(&claims(3));
    let url = other.server.url();
    home.run(["--url", &url, "backup", "kept"])
        .failed(2, &["holds a backup of journal"]);
}

#[test]
fn a_backup_says_the_same() {
    let served = Served::with(&variety());
    let run = |side: fn(&Served, &[&str]) -> Run, form: &[&str], name: &str| {
        side(&served, &[&["backup", name], form].concat())
            .fine()
            .stdout
    };
    for (number, form) in [&[][..], &["--json"]].into_iter().enumerate() {
        let there = run(Served::there, form, &format!("there{number}"));
        assert_eq!(
            there.replace("there", "here"),
            run(Served::here, form, &format!("here{number}"))
        );
    }
}

#[test]
fn quarantine_says_the_same() {
    let home = Home::with(&claims(2));
    let mut journal = Journal::open(home.path("stemedb-data/wal")).unwrap();
    journal.append(b"\x09\0\0\0\0\0\0\0x\x1b".to_vec()).unwrap();
    journal.append(b"\x08\0\0\0\0\0\0\0y".to_vec()).unwrap();
    journal.close().unwrap();
    home.run(["stats"]).fine();
    let served = Served::of(home);
    for form in [&[][..], &["--json"]] {
        let same = |args: &[&str]| served.same(&[args, form].concat());
        same(&["quarantine", "list"]).ended(1);
        same(&["quarantine", "list", "--limit", "1"]).ended(1);
        same(&["quarantine", "show", "3"]).fine();
        same(&["quarantine", "show", "1"]).ended(3);
        same(&["quarantine", "show", "0"]).ended(2);
        same(&["quarantine", "retry"]).ended(1);
        same(&["quarantine", "retry", "4"]).ended(1);
        same(&["quarantine", "retry", "1"]).ended(3);
    }
    Served::with(&claims(1))
        .same(&["quarantine", "retry"])
        .fine();
}
