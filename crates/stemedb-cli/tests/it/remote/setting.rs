//! Which server is asked, and what it is shown.

use super::Served;
use crate::support::{Home, claims};

#[test]
fn a_server_and_a_directory_are_not_named_together() {
    let home = Home::new();
    let both = home.run(["--url", "http://127.0.0.1:1", "--dir", "d", "stats"]);
    both.failed(2, &["--url and --dir"]);
    let after = home.run(["stats", "--dir", "d", "--url", "http://127.0.0.1:1"]);
    after.failed(2, &["--url and --dir"]);
}

#[test]
fn a_directory_that_is_named_counts_for_more_than_a_server_that_is_set() {
    let served = Served::with(&claims(2));
    let home = &served.home;
    home.run(["--dir", "other", "init", "-q"]).fine();
    let url = served.server.url();
    let with_url = |args: &[&str]| {
        let mut command = home.command(args);
        let output = command.env("STEMEDB_URL", &url).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, said) = with_url(&["stats", "--json"]);
    assert_eq!(code, Some(0));
    assert!(said.contains(r#""assertions":2"#), "{said}");
    let (code, said) = with_url(&["stats", "--json", "--dir", "other"]);
    assert_eq!(code, Some(0));
    assert!(said.contains(r#""assertions":0"#), "{said}");
    // What is about files of this machine is not hindered by it.
    assert_eq!(with_url(&["verify", "--dir", "other"]).0, Some(0));
    assert_eq!(with_url(&["token", "list"]).0, Some(0));
    home.write("stemedb.toml", format!("url = \"{url}\"\n"));
    let figures = home.run(["stats", "--json"]).fine().json();
    assert_eq!(figures["assertions"], 2);
}

#[test]
fn config_shows_the_server_and_nothing_of_the_token() {
    let home = Home::new();
    home.write(
        "stemedb.toml",
        "url = \"https://claims.example/db/\"\ntoken_file = \"secret\"\n",
    );
    let mut command = home.command(["config", "--json"]);
    let output = command
        .env("STEMEDB_TOKEN", "stdb_very_secret")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains("very"), "{said}");
    let settings: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(settings["url"]["value"], "https://claims.example/db");
    assert_eq!(settings["token"]["value"], "set");
    assert_eq!(settings["token"]["from"], "STEMEDB_TOKEN");
    assert_eq!(settings["token_file"]["from"], "stemedb.toml");
    let people = home.run(["config"]).fine().stdout;
    assert!(people.contains("https://claims.example/db"), "{people}");
}

#[test]
fn a_token_is_not_sent_where_others_can_read_it() {
    let home = Home::new();
    home.write("token", "stdb_a_b\n");
    for url in [
        "http://192.0.2.1",
        "http://claims.example:8642",
        "http://localhost.example",
    ] {
        let refused = home.run(["--url", url, "--token-file", "token", "stats"]);
        refused.failed(2, &[url, "a token is not sent over http", "use https"]);
    }
}

#[test]
fn what_cannot_be_used_is_refused() {
    let home = Home::new();
    for url in [
        "127.0.0.1:8642",
        "ftp://x",
        "http://",
        "http://me@x",
        "http://x/?a",
        "http://x/#a",
        "http://x:99999",
        "",
        "http://a b",
    ] {
        home.run(["--url", url, "stats"]).failed(2, &["--url is"]);
    }
    let url = "http://127.0.0.1:1";
    home.run(["--url", url, "--token-file", "none", "stats"])
        .failed(78, &["none"]);
    home.write("empty", "\n");
    home.run(["--url", url, "--token-file", "empty", "stats"])
        .failed(78, &["empty: no token"]);
    home.run(["--url", "https://127.0.0.1:1", "--ca", "empty", "stats"])
        .failed(78, &["no certificate", "--ca"]);
    let mut command = home.command(["stats"]);
    let output = command.env("STEMEDB_URL", "nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn commands_about_files_of_this_machine_refuse_a_server() {
    let home = Home::new();
    let local = [
        &["init"][..],
        &["serve"],
        &["verify"],
        &["rebuild"],
        &["restore", "x"],
        &["journal", "info"],
        &["store", "dump"],
        &["token", "list"],
    ];
    for command in local {
        let refused = home.run([&["--url", "http://127.0.0.1:1"], command].concat());
        refused.failed(2, &["--url: `", command[0]]);
    }
    home.run(["--url", "http://127.0.0.1:1", "verify"])
        .failed(2, &["`backup --url`", "`restore` it"]);
    home.run(["--url", "http://127.0.0.1:1", "config"]).fine();
    home.run(["--url", "http://127.0.0.1:1", "keygen", "key"])
        .fine();
}

#[test]
fn tokens_open_the_server() {
    let served = Served::with(&claims(1));
    let home = &served.home;
    let token = home
        .run(["token", "create", "--name", "t", "--scope", "read", "-q"])
        .fine()
        .stdout;
    home.write("token", &token);
    home.write("wrong", "stdb_0000000000000000_0000\n");
    let ask = |args: &[&str]| served.there(&[args, &["stats"]].concat());
    // The server looks for new tokens once a second.
    while ask(&[]).code == 0 {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    ask(&[]).failed(
        4,
        &["--token-file", "STEMEDB_TOKEN", "stemedb token create"],
    );
    ask(&["--token-file", "wrong"]).failed(4, &["--token-file"]);
    ask(&["--token-file", "token"]).fine();
    let url = served.server.url();
    let mut command = home.command(["--url", &url, "stats"]);
    assert!(
        command
            .env("STEMEDB_TOKEN", token.trim())
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn who_meets_a_lock_is_told_of_url() {
    let served = Served::with(&claims(1));
    for command in [&["stats"][..], &["backup", "b"], &["subjects"], &["export"]] {
        served.home.run(command).failed(
            4,
            &[
                "in use by process",
                "stop it, or ask it over HTTP with --url",
            ],
        );
    }
}
