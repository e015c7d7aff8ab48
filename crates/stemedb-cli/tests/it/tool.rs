//! Keys, verify, rebuild, quarantine and the bytes on disk.

use std::fs;

use super::support::{Home, claims};

#[test]
fn a_key_is_made_once_and_kept_secret() {
    let home = Home::new();
    let did = home
        .run(["keygen", "my.key"])
        .fine()
        .stdout
        .trim()
        .to_owned();
    assert!(did.starts_with("did:key:z6Mk"), "{did}");
    let secret = home.read("my.key");
    assert_eq!((secret.len(), secret.ends_with('\n')), (65, true));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(home.path("my.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    home.run(["keygen", "my.key"])
        .failed(4, &["my.key", "never overwritten"]);
    assert_eq!(home.read("my.key"), secret);
}

#[test]
fn what_is_signed_is_accepted_and_what_is_changed_is_not() {
    let home = Home::new();
    let did = home
        .run(["keygen", "my.key"])
        .fine()
        .stdout
        .trim()
        .to_owned();
    let lines = "{\"type\":\"epoch\",\"name\":\"a\"}\n{\"type\":\"epoch\",\"name\":\"b\",\"agent\":\"ann\"}\n";
    let run = home
        .run_on(lines.as_bytes(), ["sign", "--key", "my.key"])
        .ended(1);
    assert!(
        run.stderr.contains("-:2: agent: is not the signing key"),
        "{}",
        run.stderr
    );
    let signed = run.ndjson();
    assert_eq!((signed.len(), &signed[0]["agent"]), (1, &did.into()));
    assert_eq!(signed[0]["signature"].as_str().unwrap().len(), 128);

    let forged = run.stdout.replace("\"name\":\"a\"", "\"name\":\"c\"");
    let both = format!("{}{forged}", run.stdout);
    let ingest = home
        .run_on(both.as_bytes(), ["ingest", "-", "--json"])
        .ended(1);
    assert_eq!(
        (&ingest.json()["stored"], &ingest.json()["rejected"]),
        (&1.into(), &1.into())
    );
    assert!(
        ingest.stderr.contains("signature: does not verify"),
        "{}",
        ingest.stderr
    );
    assert_eq!(home.run(["export"]).fine().stdout, run.stdout);

    home.write("bad.key", "not a key");
    home.run(["sign", "--key", "bad.key"])
        .failed(2, &["bad.key", "is no key"]);
}

#[test]
fn a_store_is_rebuilt_whatever_is_missing_of_it() {
    let home = Home::with(&claims(2000));
    let export = home.run(["export"]).fine().stdout;
    home.run(["verify"]).fine();
    home.run(["verify", "--quick"]).fine();

    fs::remove_dir_all(home.path("stemedb-data/db")).unwrap();
    let rebuilt = home.run(["rebuild", "--json"]).fine().json();
    assert_eq!(
        (&rebuilt["assertions"], &rebuilt["applied_sequence"]),
        (&2000.into(), &2000.into())
    );
    assert_eq!(home.run(["export"]).fine().stdout, export);

    let files = home.files("stemedb-data/db");
    assert!(files.len() > 1);
    for (path, _) in files {
        if !path.exists() {
            continue;
        }
        fs::remove_file(&path).unwrap();
        home.run(["rebuild"]).fine();
        assert_eq!(
            home.run(["export"]).fine().stdout,
            export,
            "without {}",
            path.display()
        );
    }
    home.run(["verify"]).fine();
}

#[test]
fn what_cannot_be_applied_is_shown_and_kept() {
    let home = Home::with(&claims(2));
    let mut journal = stemedb_wal::Journal::open(home.path("stemedb-data/wal")).unwrap();
    journal
        .append(vec![9, 0, 0, 0, 0, 0, 0, 0, b'x', 0x1b])
        .unwrap();
    journal.close().unwrap();

    let list = home.run(["quarantine", "list", "--json"]).ended(1).ndjson();
    assert_eq!(
        (list.len(), &list[0]["sequence"], &list[0]["bytes"]),
        (1, &3.into(), &10.into())
    );
    assert!(
        list[0]["reason"].as_str().unwrap().contains('9'),
        "{}",
        list[0]
    );
    let show = home
        .run(["quarantine", "show", "3", "--json"])
        .fine()
        .json();
    assert_eq!(show["payload"], "0900000000000000781b");
    let people = home.run(["quarantine", "show", "3"]).fine().stdout;
    assert!(
        people.contains("00000000  0900000000000000781b") && people.contains("........x."),
        "{people}"
    );
    home.run(["quarantine", "show", "1"])
        .failed(3, &["sequence 1 is not in quarantine"]);
    home.run(["quarantine", "retry", "1"])
        .failed(3, &["sequence 1 is not in quarantine"]);
    let retried = home
        .run(["quarantine", "retry", "--json"])
        .ended(1)
        .ndjson();
    assert_eq!((retried.len(), &retried[0]["status"]), (1, &"kept".into()));
    assert_eq!(
        home.run(["stats", "--json"]).fine().json()["quarantined"],
        1
    );
    home.run(["verify"]).fine();
}

#[test]
fn the_bytes_on_disk_are_printed_in_text() {
    let home = Home::with(&claims(3));
    let ids = home.run(["export", "--ids"]).fine().stdout;
    let journal = home.run(["journal", "dump"]).fine().stdout;
    assert!(journal.starts_with("segment 1 file "), "{journal}");
    assert_eq!(
        journal
            .lines()
            .filter(|line| line.starts_with("record "))
            .count(),
        3
    );
    let store = home.run(["store", "dump"]).fine().stdout;
    for id in ids.lines() {
        assert!(store.contains(&format!(" H:{id} ")), "{store}");
    }
    let stats = home.run(["stats", "--json"]).fine().json();
    let info = home.run(["journal", "info", "--json"]).fine().json();
    assert_eq!(info["head_hash"], stats["journal"]["head_hash"]);
    assert_eq!(info["bytes"], stats["journal"]["bytes"]);
    assert_eq!(
        (&info["records"], &info["last_sequence"]),
        (&3.into(), &3.into())
    );
}

#[test]
fn salvage_of_a_sound_journal_keeps_everything() {
    let home = Home::with(&claims(20));
    let saved = home
        .run(["journal", "salvage", "saved", "--json"])
        .fine()
        .json();
    assert_eq!(
        (&saved["records"], &saved["missing"]),
        (&20.into(), &serde_json::json!([]))
    );
    let export = home.run(["export"]).fine().stdout;
    assert_eq!(home.run(["--dir", "saved", "export"]).fine().stdout, export);

    let before = home.files("");
    for taken in ["saved", "."] {
        let words = [taken, "is not empty; name a new directory"];
        home.run(["journal", "salvage", taken]).failed(2, &words);
    }
    assert_eq!(home.files(""), before);
}

#[test]
fn a_database_on_sled_gives_the_same_answers() {
    let home = Home::with(&claims(200));
    let other = Home::new();
    let created = other
        .run(["init", "--store", "sled", "--json"])
        .fine()
        .json();
    assert_eq!(
        (&created["store"], &created["created"]),
        (&"sled".into(), &true.into())
    );
    other.run_on(claims(200).as_bytes(), ["ingest", "-"]).fine();
    for args in [
        &["export"][..],
        &["subject", "subject 7"],
        &["subjects", "--limit", "3"],
    ] {
        assert_eq!(
            other.run(args).fine().stdout,
            home.run(args).fine().stdout,
            "{args:?}"
        );
    }
    other.run(["verify"]).fine();
    other.run(["rebuild"]).fine();
    assert_eq!(
        other.run(["init", "--json"]).fine().json()["created"],
        false
    );
    other
        .run(["init", "--store", "hybrid"])
        .failed(2, &["a sled store already"]);
}
