//! Tokens on the command line, beside a database that is in use.

use super::support::Home;

fn create(home: &Home, more: &[&str]) -> super::support::Run {
    let mut args = vec!["token", "create", "--name", "loader"];
    args.extend(more);
    home.run(args)
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let home = Home::new();
    home.run(["init", "-q"]).fine();
    let none = home.run(["token", "list"]).fine();
    assert!(none.stderr.contains("answers whoever is on this machine"));
    let made = create(&home, &["--scope", "read,write"]).fine();
    let secret = made.stdout.trim();
    let (prefix, rest) = secret.split_at(5);
    let (id, key) = rest.split_once('_').unwrap();
    assert_eq!((prefix, id.len(), key.len()), ("stdb_", 16, 64));
    assert!(made.stderr.contains(&format!("stemedb token revoke {id}")));
    let ending = create(&home, &["--scope", "admin", "--expires", "7", "--json"]).fine();
    let ending = ending.json();
    assert!(ending["token"].as_str().unwrap().starts_with("stdb_"));
    assert!(ending["expires_at"].is_string());

    for args in [&["token", "list"][..], &["token", "list", "--json"]] {
        let listed = home.run(args).fine();
        assert_eq!(listed.stdout.lines().count(), 2);
        assert!(listed.stdout.contains(id) && listed.stdout.contains("loader"));
        let file = home.read("stemedb-data/tokens.json");
        for hidden in file.split('"').filter(|text| text.len() == 64) {
            assert!(!listed.stdout.contains(hidden));
        }
        assert!(!listed.stdout.contains(key) && !file.contains(key));
    }
    home.run(["token", "revoke", id]).fine();
    home.run(["token", "revoke", id])
        .failed(3, &[id, "stemedb token list"]);
    home.run(["token", "revoke", ending["id"].as_str().unwrap()])
        .fine();
    let none = home.run(["token", "list"]).fine();
    assert!(none.stderr.contains("refuses every request"));
}

#[test]
fn tokens_that_make_no_sense_are_refused() {
    let home = Home::new();
    create(&home, &["--scope", "read"]).failed(3, &["no database", "stemedb init"]);
    assert!(!home.path("stemedb-data").exists());
    home.run(["init", "-q"]).fine();
    create(&home, &["--scope", "root"]).failed(2, &["root", "read, write and admin"]);
    create(&home, &[]).ended(2);
    create(&home, &["--scope", "read", "--expires", "0"]).ended(2);
    assert!(!home.path("stemedb-data/tokens.json").exists());
    home.write("stemedb-data/tokens.json", "{}");
    home.run(["token", "list"])
        .failed(5, &["tokens.json", "restore it"]);
    let refused = home.run(["serve", "--listen", "127.0.0.1:0"]);
    refused.failed(5, &["tokens.json", "restore it"]);
}

#[test]
fn a_database_with_tokens_is_as_good_as_one_without() {
    let home = Home::with(
        "{\"type\":\"assertion\",\"subject\":\"s\",\"predicate\":\"p\",\"object\":1,\"agent\":\"a\"}\n",
    );
    create(&home, &["--scope", "read"]).fine();
    home.run(["verify"]).fine();
    home.run(["rebuild"]).fine();
    home.run(["stats"]).fine();
}
