//! Backups, and databases that are restored from them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
};

use crate::support::{Home, claims};

fn export(home: &Home, dir: &str) -> String {
    home.run(["export", "--dir", dir]).fine().stdout
}

#[test]
fn a_restored_database_exports_the_same() {
    let home = Home::with(&claims(6000));
    let first = home.run(["backup", "kept", "--json"]).fine().json();
    assert_eq!(
        (&first["last_sequence"], &first["kept_segments"]),
        (&6000.into(), &0.into())
    );
    home.run_on(claims(6100).as_bytes(), ["ingest", "-q", "-"])
        .fine();
    let made = home.run(["backup", "kept"]).fine();
    for line in [
        "last sequence    6,100",
        "segments kept    1",
        "segments copied  1",
    ] {
        assert!(made.stdout.contains(line), "{line}: {}", made.stdout);
    }
    assert_eq!(made.stderr, "", "progress is for terminals");
    let head = home.run(["stats", "--json"]).fine().json()["journal"]["head_hash"].clone();
    let head = head.as_str().unwrap();
    let args = [
        "restore", "kept", "--dir", "again", "--head", head, "--json",
    ];
    let restored = home.run(args).fine().json();
    assert_eq!(restored["head_hash"], head);
    assert_eq!(
        (&restored["segments"], &restored["assertions"]),
        (&2.into(), &6100.into())
    );
    assert!(export(&home, "again") == export(&home, "stemedb-data"));
    home.run(["verify", "--dir", "again"]).fine();
    // In words, from the same backup.
    let restored = home.run(["restore", "kept", "--dir", "third"]).fine();
    assert!(restored.stdout.contains("assertions     6,100"));
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_refused_with_a_word_of_advice() {
    let home = Home::with(&claims(20));
    home.run(["backup", "nothing", "--dir", "nowhere"])
        .failed(3, &["no database in nowhere"]);
    home.run(["backup", "kept"]).fine();
    home.run(["stats", "--dir", "kept"])
        .failed(3, &["holds a backup", "`stemedb restore`"]);
    home.run(["restore", "nowhere", "--dir", "again"])
        .failed(3, &["no backup in nowhere", "`stemedb backup`"]);
    home.run(["restore", "kept"])
        .failed(3, &["stemedb-data holds other files"]);
    let zeros = "0".repeat(64);
    let args = ["restore", "kept", "--dir", "again", "--head", &zeros];
    home.run(args)
        .failed(2, &["the head of the backup", &zeros]);
    let args = ["restore", "kept", "--dir", "again", "--head", "beef"];
    home.run(args).failed(2, &["\"beef\"", "64 lower-case hex"]);
    assert!(!home.path("again").exists());
    // A database of another journal.
    home.run_on(
        claims(3).as_bytes(),
        ["ingest", "-q", "-", "--dir", "other"],
    )
    .fine();
    home.run(["backup", "kept", "--dir", "other"])
        .failed(2, &["holds a backup of journal", "name another directory"]);
    fs::create_dir(home.path("full")).unwrap();
    home.write("full/file", "mine");
    home.run(["backup", "full"])
        .failed(2, &["full is not empty"]);
}

#[test]
fn a_database_that_another_process_has_is_backed_up_by_that_one() {
    let home = Home::with(&claims(3));
    let mut holder = home.start(["ingest", "-", "--json", "--results", "/dev/stdout"]);
    let mut stdin = holder.stdin.take().unwrap();
    stdin.write_all(claims(1).as_bytes()).unwrap();
    // It has answered: it has the database.
    let mut answers = BufReader::new(holder.stdout.take().unwrap());
    let mut answer = String::new();
    answers.read_line(&mut answer).unwrap();
    assert!(answer.contains("duplicate"), "{answer:?}");
    home.run(["backup", "kept"])
        .failed(4, &["is in use", "--url"]);
    assert!(!home.path("kept").exists());
    drop(stdin);
    assert!(holder.wait().unwrap().success());
    home.run(["backup", "kept"]).fine();
}

#[test]
fn damage_in_a_backup_is_said_and_mended() {
    let home = Home::with(&claims(6000));
    home.run(["backup", "kept"]).fine();
    let name = "kept/segments/0000000000000001.segment";
    let sound = fs::read(home.path(name)).unwrap();
    let mut bytes = sound.clone();
    bytes[5000] ^= 1;
    home.write(name, &bytes);
    home.run(["restore", "kept", "--dir", "again"])
        .failed(5, &["the backup in kept is damaged", name]);
    home.run(["stats", "--dir", "again"]).ended(3);
    let made = home.run(["backup", "kept"]).ended(1);
    assert!(made.stderr.contains(name) && made.stderr.contains("copied again"));
    assert!(fs::read(home.path(name)).unwrap() == sound);
    home.write(name, &bytes);
    let made = home.run(["backup", "-q", "--json", "kept"]).ended(1);
    assert_eq!(made.json()["mended"][0]["file"], name);
    assert_eq!(made.stderr, "");
    home.run(["restore", "kept", "--dir", "third"]).fine();
}
